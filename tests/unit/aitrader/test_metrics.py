"""Counts of calls to engines, and how they are told."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.metrics.prometheus import PrometheusText
from domain.common.errors import Invalid, Unavailable
from domain.engines.calls import BUCKETS, CallCounter, EngineCalls, calls_json, read_calls
from domain.engines.metered import MeteredSentiment
from domain.intelligence.sentiment import Sentiment, sentiment_of


def samples(counter: CallCounter) -> dict[str, float]:
    """Return what Prometheus reads: name and labels, and the number."""
    text = PrometheusText("1.2.3", counter.calls)().decode()
    return {
        item.name + "".join(f" {label}={value}" for label, value in sorted(item.labels.items())): item.value
        for family in text_string_to_metric_families(text)
        for item in family.samples
    }


def test_calls_are_counted_by_engine_and_outcome() -> None:
    counter = CallCounter()
    for outcome, seconds in (("ok", 0.0002), ("ok", 0.5), ("failed", 20.0)):
        counter.observe("onnx_runner", outcome, seconds)
    counter.observe("strategy_engine", "busy", 1.0)
    found = samples(counter)
    assert found["aitrader_engine_calls_total engine=onnx_runner outcome=ok"] == 2
    assert found["aitrader_engine_calls_total engine=onnx_runner outcome=failed"] == 1
    assert found["aitrader_engine_calls_total engine=strategy_engine outcome=busy"] == 1
    bucket = "aitrader_engine_call_seconds_bucket engine=onnx_runner le="
    assert (found[f"{bucket}0.0001"], found[f"{bucket}0.00025"], found[f"{bucket}0.25"]) == (0, 1, 1)
    assert (found[f"{bucket}1.0"], found[f"{bucket}10.0"], found[f"{bucket}+Inf"]) == (2, 2, 3)
    assert found["aitrader_engine_call_seconds_count engine=onnx_runner"] == 3
    assert found["aitrader_engine_call_seconds_sum engine=onnx_runner"] == pytest.approx(20.5002)
    # One second is in the class that ends there.
    assert found["aitrader_engine_call_seconds_bucket engine=strategy_engine le=1.0"] == 1


def test_the_process_and_its_version_are_told() -> None:
    found = samples(CallCounter())
    assert found["aitrader_build_info version=1.2.3"] == 1
    assert found["process_start_time_seconds"] > 0


def test_what_another_process_counted_is_added() -> None:
    here, there = CallCounter(), CallCounter()
    for counter, seconds in ((here, 0.002), (there, 0.002), (there, 3.0)):
        counter.observe("local_inference", "ok", seconds)
    there.observe("sentiment_engine", "open", 0.0)
    sent = calls_json(there.take())
    here.add(read_calls(sent))
    assert there.take() == []
    found = {(item.engine, item.outcome): (sum(item.counts), item.seconds) for item in here.calls()}
    assert found == {
        ("local_inference", "ok"): (3, pytest.approx(3.004)),
        ("sentiment_engine", "open"): (1, 0.0),
    }
    here.observe("local_inference", "ok", 0.002)
    assert sum(here.calls()[0].counts) == 4


def test_counts_of_many_threads_are_whole() -> None:
    counter = CallCounter()

    def count() -> None:
        for _ in range(500):
            counter.observe("e", "ok", 0.01)
            counter.add([EngineCalls("e", "ok", (1, *(0 for _ in BUCKETS)), 0.01)])

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = counter.calls()
    assert sum(found.counts) == 8000
    assert found.seconds == pytest.approx(80)


class FakeSentiment:
    """Says ``neutral``, unless the text says what to raise."""

    name = "fake"
    model = "fake@1"

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        if "invalid" in texts:
            raise Invalid("no")
        if "away" in texts:
            raise Unavailable("no")
        return [sentiment_of(0, 1, 0) for _ in texts]


def test_an_engine_of_this_process_is_counted_as_one_of_others() -> None:
    counter = CallCounter()
    engine = MeteredSentiment(FakeSentiment(), counter, "local_sentiment")
    assert (engine.name, engine.model) == ("fake", "fake@1")
    assert len(engine.score(["a", "b"])) == 2
    with pytest.raises(Invalid):
        engine.score(["invalid"])
    with pytest.raises(Unavailable):
        engine.score(["away"])
    assert {item.outcome: sum(item.counts) for item in counter.calls()} == {"ok": 1, "refused": 1, "failed": 1}
