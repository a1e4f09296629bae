"""The job type ``pattern_scan``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aitrader.api import (
    Bars,
    Dataset,
    Isolation,
    JobContext,
    JobType,
    Timeframe,
    rfc3339,
)
from plugins.pattern_scan.payload import Direction, Hit, PatternScanPayload, PatternScanReport, SymbolHits

if TYPE_CHECKING:
    from plugins.pattern_scan.scan import Hits


class PatternScanJob(JobType):
    """Find candlestick patterns, each as of the close of the bar that completes it."""

    name = "pattern_scan"
    title = "Pattern scan"
    payload_type = PatternScanPayload
    result_type = PatternScanReport
    isolation = Isolation.PROCESS
    max_attempts = 2
    deadline_s = 1800.0
    needs = ("bars",)
    example: Mapping[str, Any] = {
        "symbols": ["NASDAQ:AAPL"],
        "timeframe": "1d",
        "patterns": ["engulfing", "morning_star"],
    }

    def run(self, context: JobContext, payload: PatternScanPayload) -> PatternScanReport:
        """Scan each symbol and publish a table of all its hits.

        Raises:
            NotFound: no bars are stored for a symbol.
            Invalid: no bar lies in the range.
            JobCanceled: cancel was requested.
        """
        import talib

        stems = payload.file_stems()
        results = []
        for number, symbol in enumerate(payload.symbols):
            results.append(_scan(context, payload, symbol, stems[symbol], number))
        context.progress(1.0, "done")
        return PatternScanReport(results=results, talib_version=talib.__version__)


def _scan(context: JobContext, payload: PatternScanPayload, symbol: str, stem: str, number: int) -> SymbolHits:
    from plugins.pattern_scan.artifacts import PARQUET, write_hits
    from plugins.pattern_scan.scan import scan

    share = 1.0 / len(payload.symbols)

    def progress(fraction: float, step: str) -> None:
        context.progress((number + fraction) * share, f"{symbol}: {step}")

    progress(0.0, "reading bars")
    dataset, bars, first = _read(context, symbol, payload)
    patterns = len(payload.patterns)
    hits = scan(bars, payload.patterns, lambda done: progress(0.1 + 0.8 * done / patterns, "scanning")).since(first)
    progress(0.9, "writing")
    name = f"hits-{stem}.parquet"
    write_hits(context.artifact(name, PARQUET), bars, payload.timeframe, hits)
    return SymbolHits(
        symbol=dataset.symbol,
        timeframe=payload.timeframe,
        start=rfc3339(int(bars.time[first])),
        end=rfc3339(int(bars.time[-1])),
        bars=len(bars) - first,
        total=len(hits),
        counts=hits.counts(),
        hits=_newest(bars, payload.timeframe, hits, payload.limit),
        data_hash=bars.data_hash(),
        artifacts=[name],
    )


def _read(context: JobContext, symbol: str, payload: PatternScanPayload) -> tuple[Dataset, Bars, int]:
    """Return the dataset, its bars up to the end, and the index of the first in range.

    Bars before the start are read too: a pattern compares with candles before it, so hits must not depend on
    where the range begins.
    """
    dataset = context.bars.describe(symbol, payload.timeframe)
    bars = context.bars.read(symbol, payload.timeframe, end_ms=payload.end_ms)
    first = len(bars) - len(bars.slice(payload.start_ms))
    if first < len(bars):
        return dataset, bars, first
    raise payload.no_bars(symbol, dataset)


def _newest(bars: Bars, timeframe: Timeframe, hits: Hits, limit: int) -> list[Hit]:
    return [_hit(bars, timeframe, hits, index) for index in reversed(range(max(0, len(hits) - limit), len(hits)))]


def _hit(bars: Bars, timeframe: Timeframe, hits: Hits, index: int) -> Hit:
    bar = int(hits.bar[index])
    time = int(bars.time[bar])
    return Hit(
        time=rfc3339(time),
        closed_at=rfc3339(time + timeframe.ms),
        pattern=hits.names[hits.pattern[index]],
        direction=cast(Direction, hits.direction(index)),
        strength=int(hits.strength[index]),
        close=float(bars.close[bar]),
    )
