"""Metrics as Prometheus reads them, https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from domain.engines.calls import BUCKETS, EngineCalls

_ENDS = [*(str(end) for end in BUCKETS), "+Inf"]


class PrometheusText:
    """The metrics of this process.

    Args:
        version: of AITrader.
        engine_calls: tells what was counted of calls to engines.
    """

    def __init__(self, version: str, engine_calls: Callable[[], Sequence[EngineCalls]]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Ours(version, engine_calls))
        ProcessCollector(registry=self._registry)

    def __call__(self) -> bytes:
        """Return all of them as text."""
        return generate_latest(self._registry)


class _Ours(Collector):
    def __init__(self, version: str, engine_calls: Callable[[], Sequence[EngineCalls]]) -> None:
        self._version = version
        self._engine_calls = engine_calls

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("aitrader_build_info", "The version that runs.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
        calls = self._engine_calls()
        total = CounterMetricFamily(
            "aitrader_engine_calls", "Calls to engines, by how they ended.", labels=["engine", "outcome"]
        )
        for item in calls:
            total.add_metric([item.engine, item.outcome], sum(item.counts))
        yield total
        yield _durations(calls)


def _durations(calls: Sequence[EngineCalls]) -> Metric:
    found = HistogramMetricFamily(
        "aitrader_engine_call_seconds", "How long calls to engines took, however they ended.", labels=["engine"]
    )
    for engine in sorted({item.engine for item in calls}):
        mine = [item for item in calls if item.engine == engine]
        counts = (sum(column) for column in zip(*(item.counts for item in mine), strict=True))
        buckets = list(zip(_ENDS, accumulate(counts), strict=True))
        found.add_metric([engine], buckets, sum_value=sum(item.seconds for item in mine))
    return found
