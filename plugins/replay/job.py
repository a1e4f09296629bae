"""The job type ``replay``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aitrader.api import (
    Invalid,
    Isolation,
    JobContext,
    JobType,
    ReplayResult,
    ReplaySpec,
    parse_params,
    rfc3339,
    to_ms,
)
from plugins.replay.payload import ReplayPayload, ReplayReport

_RECORD = "run.json"
_CHART = "equity.png"


class ReplayJob(JobType):
    """Run the live pipeline over stored bars, on a paper account of its own."""

    name = "replay"
    title = "Replay"
    payload_type = ReplayPayload
    result_type = ReplayReport
    isolation = Isolation.PROCESS
    max_attempts = 2
    deadline_s = 6 * 3600.0
    needs = ("bars",)
    example: Mapping[str, Any] = {
        "symbols": ["FX:EURUSD"],
        "timeframe": "1h",
        "start": "2017-06-01",
        "end": "2017-06-08",
        "params": {"threshold": 0.1, "timeframe": "1h"},
    }

    def run(self, context: JobContext, payload: ReplayPayload) -> ReplayReport:
        """Replay, and publish the record with a chart of what the account was worth.

        Raises:
            NotFound: no bars are stored for a symbol.
            Invalid: no bar lies in the range, or the symbols have several currencies.
            JobCanceled: cancel was requested.
        """
        spec = _spec(context, payload)
        result = context.replay(spec, 0.0, 0.95)
        context.progress(0.95, "writing")
        text = json.dumps(result.record.to_json(), indent=1)
        context.artifact(_RECORD, "application/json").write_text(text, encoding="utf-8")
        names = [_RECORD]
        if len(result.equity) > 1:
            from plugins.figures import PNG
            from plugins.replay.charts import write_chart

            title = f"{spec.strategy}: {', '.join(spec.symbols[:4])}"
            write_chart(context.artifact(_CHART, PNG), title, spec.currency, result)
            names.append(_CHART)
        context.progress(1.0, "done")
        return _report(spec, result, names)


def _spec(context: JobContext, payload: ReplayPayload) -> ReplaySpec:
    found = [context.bars.describe(symbol, payload.timeframe) for symbol in payload.symbols]
    currencies = sorted({dataset.currency for dataset in found})
    if len(currencies) > 1:
        raise Invalid(f"one account has one currency; these have {', '.join(currencies)}", code="several_currencies")
    return ReplaySpec(
        symbols=tuple(payload.symbols),
        timeframe=payload.timeframe,
        start_ms=None if payload.start is None else to_ms(payload.start),
        end_ms=None if payload.end is None else to_ms(payload.end),
        ticks_per_bar=payload.ticks_per_bar,
        strategy=payload.strategy,
        engine=payload.engine,
        params=parse_params(payload.params),
        currency=currencies[0],
        cash=payload.cash,
        account_options=payload.account_options,
        signal_ttl_ms=max(60_000, payload.timeframe.ms),
    )


def _report(spec: ReplaySpec, result: ReplayResult, names: list[str]) -> ReplayReport:
    about, equity, counts = result.record.about, result.equity, result.counts()
    return ReplayReport(
        strategy=spec.strategy,
        engine=spec.engine,
        params=spec.params.to_json(),
        start=rfc3339(about["start_ms"]),
        end=rfc3339(about["end_ms"] - 1),
        currency=spec.currency,
        final_equity=equity[-1][1] if equity else None,
        performance=result.performance,
        artifacts=names,
        ticks=counts["ticks"],
        signals=counts["signals"],
        decisions=counts["decisions"],
        orders=counts["orders"],
        fills=counts["fills"],
    )
