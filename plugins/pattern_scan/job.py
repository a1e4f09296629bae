"""The job type ``pattern_scan``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aitrader.api import Bars, Dataset, Isolation, JobContext, JobType, rfc3339
from plugins.pattern_scan.payload import PatternScanPayload, PatternScanReport, SymbolHits

if TYPE_CHECKING:
    from aitrader.api import PatternHistory, PatternHits

# Which part of the work on a symbol is done when a step begins.
_SCAN, _EVIDENCE, _PLOTS, _TABLES = 0.05, 0.35, 0.55, 0.95


class PatternScanJob(JobType):
    """Find patterns, each as of the close of the bar that completes it, and what came of them before."""

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
        "patterns": ["engulfing", "morning_star", "double_bottom"],
    }

    def run(self, context: JobContext, payload: PatternScanPayload) -> PatternScanReport:
        """Scan each symbol; publish a table of all its hits, one of the evidence, and charts of the newest hits.

        Raises:
            NotFound: no bars are stored for a symbol.
            Invalid: no bar lies in the range.
            JobCanceled: cancel was requested.
        """
        import talib

        stems = payload.file_stems()
        results = [
            _scan(_Work(context, payload, symbol, stems[symbol], number))
            for number, symbol in enumerate(payload.symbols)
        ]
        context.progress(1.0, "done")
        return PatternScanReport(results=results, talib_version=talib.__version__)


@dataclass(frozen=True, slots=True)
class _Work:
    """The part of a job that is about one symbol."""

    context: JobContext
    payload: PatternScanPayload
    symbol: str
    stem: str
    number: int

    def progress(self, fraction: float, step: str) -> None:
        """Report how much of this symbol is done; stops the job when it is canceled."""
        self.context.progress((self.number + fraction) / len(self.payload.symbols), f"{self.symbol}: {step}")

    def between(self, start: float, end: float, done: int, of: int, step: str) -> None:
        """Report that so many parts of a step are done."""
        self.progress(start + (end - start) * done / of, step)


def _scan(work: _Work) -> SymbolHits:
    from aitrader.api import pattern_history, scan_patterns
    from plugins.pattern_scan.report import Listing

    payload = work.payload
    work.progress(0.0, "reading bars")
    dataset, bars, first = _read(work)
    names, horizons = payload.patterns, payload.horizons
    found = scan_patterns(bars, names, lambda done: work.between(_SCAN, _EVIDENCE, done, len(names), "scanning"))
    hits = found.since(first)
    history = pattern_history(
        bars.close,
        found,
        min(len(hits), payload.limit),
        horizons,
        seed=payload.seed,
        each=lambda done: work.between(_EVIDENCE, _PLOTS, done, len(horizons), "evidence"),
    )
    plots = _draw(work, bars, hits, history)
    work.progress(_TABLES, "writing")
    tables = _write(work, bars, hits, history)
    listing = Listing(bars, payload.timeframe, hits, history, plots)
    return SymbolHits(
        symbol=dataset.symbol,
        timeframe=payload.timeframe,
        start=rfc3339(int(bars.time[first])),
        end=rfc3339(int(bars.time[-1])),
        bars=len(bars) - first,
        total=len(hits),
        counts=hits.counts(),
        hits=listing.newest(),
        evidence=listing.patterns(),
        data_hash=bars.data_hash(),
        artifacts=[*tables, *plots.values()],
    )


def _read(work: _Work) -> tuple[Dataset, Bars, int]:
    """Return the dataset, its bars up to the end, and the index of the first in range.

    Bars before the start are read too: a pattern compares with candles before it, so hits must not depend on
    where the range begins.
    """
    payload, store = work.payload, work.context.bars
    dataset = store.describe(work.symbol, payload.timeframe)
    bars = store.read(work.symbol, payload.timeframe, end_ms=payload.end_ms)
    first = len(bars) - len(bars.slice(payload.start_ms))
    if first < len(bars):
        return dataset, bars, first
    raise payload.no_bars(work.symbol, dataset)


def _draw(work: _Work, bars: Bars, hits: PatternHits, history: PatternHistory) -> dict[int, str]:
    """Draw the newest hits and return the names of the files by hit, newest first."""
    count = min(history.hits, work.payload.plots)
    if not count:
        return {}
    work.progress(_PLOTS, "drawing")
    from plugins.figures import PNG
    from plugins.pattern_scan.charts import write_hit

    plots = {}
    for number in range(count):
        work.between(_PLOTS, _TABLES, number, count, f"drawing {number + 1} of {count}")
        index = len(hits) - 1 - number
        name = f"hit-{work.stem}-{number + 1}-{hits.names[hits.pattern[index]]}.png"
        title = f"{work.symbol} {work.payload.timeframe}"
        write_hit(work.context.artifact(name, PNG), title, bars, hits, index, history, history.hits - 1 - number)
        plots[index] = name
    return plots


def _write(work: _Work, bars: Bars, hits: PatternHits, history: PatternHistory) -> list[str]:
    from plugins.pattern_scan.artifacts import PARQUET, write_evidence, write_hits

    names = [f"hits-{work.stem}.parquet", f"evidence-{work.stem}.parquet"]
    timeframe = work.payload.timeframe
    write_hits(work.context.artifact(names[0], PARQUET), bars, timeframe, hits)
    work.context.check()
    write_evidence(work.context.artifact(names[1], PARQUET), bars, timeframe, history)
    return names
