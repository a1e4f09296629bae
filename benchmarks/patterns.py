"""Benchmarks of the pattern scan: ``python benchmarks/patterns.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

# One thread each: TA-Lib and the compiled loops have no other, and NumPy's would hide what the rest costs.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import talib  # noqa: E402
from harness.report import Report, Row, spread, verdict  # noqa: E402
from talib import stream  # noqa: E402

from aitrader.api import CANDLESTICKS, CHART_PATTERNS, Bars, CandlestickStream  # noqa: E402
from aitrader.testing.bars import random_bars  # noqa: E402
from domain.signals.scanning.history import pattern_history  # noqa: E402
from domain.signals.scanning.scan import scan_patterns  # noqa: E402
from plugins.pattern_scan.payload import PATTERNS  # noqa: E402

GOAL = 1.2
HORIZONS = (1, 5, 10, 20)

# Where the seconds go, and what takes them.
Work = tuple[list[float], Callable[[], object]]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure the pattern scan beside bare calls of TA-Lib.")
    parser.add_argument("--bars", type=int, default=1_000_000, help="bars of a scan (default 1000000)")
    parser.add_argument("--few", type=int, default=10_000, help="bars of a small scan and of the evidence")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, by turns (default 7)")
    parser.add_argument("--updates", type=int, default=2000, help="bars of the streams in a round (default 2000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def timed(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the seconds that work takes."""
    gc.collect()
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats


def bare(bars: Bars) -> None:
    """Call every candlestick function of TA-Lib."""
    for function in CANDLESTICKS.values():
        getattr(talib, function)(bars.open, bars.high, bars.low, bars.close)


def candlesticks_part(asked: argparse.Namespace, report: Report) -> None:
    """Scan for candlesticks beside bare calls, many bars and few."""
    names = tuple(CANDLESTICKS)
    for count in (asked.bars, asked.few):
        bars = random_bars(count, seed=1)
        repeats = max(1, asked.bars // count // 20)
        ours, theirs = [], []
        scan_patterns(bars, names)
        for number in range(asked.rounds):
            report.say(f"candlesticks, {count:,} bars, round {number + 1} of {asked.rounds}")
            works: tuple[Work, Work] = ((ours, partial(scan_patterns, bars, names)), (theirs, partial(bare, bars)))
            for costs, work in ordered(number, *works):
                costs.append(timed(work, repeats))
        ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
        part, cells = f"61 candlesticks, {count:,} bars", count * len(names)
        passed = (f"≤ {GOAL}", verdict(ratio <= GOAL))
        row = Row(part, "AITrader", spread(milli(ours), " ms", 1), f"{ratio:.2f}", *passed, rate(cells, ours))
        report.add(row, seconds=ours, ratio=ratio)
        row = Row(part, "bare TA-Lib", spread(milli(theirs), " ms", 1), "1", "", "", rate(cells, theirs))
        report.add(row, seconds=theirs)


def ordered(number: int, *works: Work) -> list[Work]:
    """Return the works forwards and backwards by turns."""
    return list(works) if number % 2 else list(reversed(works))


def charts_part(asked: argparse.Namespace, report: Report) -> None:
    """Scan for chart patterns, and look back."""
    bars = random_bars(asked.bars, seed=1)
    scan_patterns(bars, CHART_PATTERNS)  # compiles
    costs = []
    for number in range(asked.rounds):
        report.say(f"chart patterns, round {number + 1} of {asked.rounds}")
        costs.append(timed(lambda: scan_patterns(bars, CHART_PATTERNS)))
    part = f"{len(CHART_PATTERNS)} chart patterns, {asked.bars:,} bars"
    cells = asked.bars * len(CHART_PATTERNS)
    report.add(Row(part, "AITrader", spread(milli(costs), " ms", 1), "", "", "", rate(cells, costs)), seconds=costs)
    few = bars.take(slice(0, asked.few))
    hits = scan_patterns(few, PATTERNS)
    listed = min(500, len(hits))
    costs = [timed(lambda: pattern_history(few.close, hits, listed, HORIZONS)) for _ in range(asked.rounds)]
    part = f"evidence of {listed} hits, {asked.few:,} bars"
    patterns = len(pattern_history(few.close, hits, 0, HORIZONS).occurrences)
    found = f"{patterns} patterns and directions, {len(HORIZONS)} horizons"
    report.add(Row(part, "AITrader", spread(milli(costs), " ms", 0), "", "", "", found), seconds=costs)


def streams_part(asked: argparse.Namespace, report: Report) -> None:
    """Update candlesticks bar by bar, beside bare handles, and beside all bars of a window anew."""
    names, bars = tuple(CANDLESTICKS), random_bars(asked.updates + 64, seed=1)
    before, columns = bars.take(slice(0, 64)), (bars.open, bars.high, bars.low, bars.close)
    later = list(zip(*(column[64:].tolist() for column in columns), strict=True))
    ours, theirs, anew = [], [], []
    for number in range(asked.rounds):
        report.say(f"bar by bar, round {number + 1} of {asked.rounds}")
        mine = CandlestickStream(names, before)
        first = tuple(column[:64] for column in columns)
        handles = [getattr(stream, function)(*first) for function in CANDLESTICKS.values()]
        windows = [bars.take(slice(end, end + 64)) for end in range(asked.updates)]
        for costs, work in ordered(
            number,
            (ours, partial(each, [mine.update], later)),
            (theirs, partial(each, [handle.update for handle in handles], later)),
            (anew, partial(each, [bare], [(window,) for window in windows])),
        ):
            costs.append(timed(work) / asked.updates)
    ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
    part = "61 candlesticks, each bar"
    report.add(Row(part, "AITrader", spread(micro(ours), " µs", 1), f"{ratio:.2f}"), seconds=ours, ratio=ratio)
    report.add(Row(part, "bare handles of TA-Lib", spread(micro(theirs), " µs", 1), "1"), seconds=theirs)
    ratio = statistics.median(new / their for new, their in zip(anew, theirs, strict=True))
    report.add(Row(part, "64 bars anew", spread(micro(anew), " µs", 1), f"{ratio:.1f}"), seconds=anew, ratio=ratio)


def each(calls: list[Callable[..., object]], rows: Sequence[tuple[object, ...]]) -> None:
    """Call everything with every row."""
    for row in rows:
        for call in calls:
            call(*row)


def milli(seconds: list[float]) -> list[float]:
    return [value * 1e3 for value in seconds]


def micro(seconds: list[float]) -> list[float]:
    return [value * 1e6 for value in seconds]


def rate(cells: int, seconds: list[float]) -> str:
    """Return how many bars times patterns a second."""
    return f"{cells / statistics.median(seconds) / 1e6:,.0f} M bar·patterns/s"


def main() -> None:
    """Run the benchmark."""
    asked = arguments()
    report = Report(quiet=asked.json)
    candlesticks_part(asked, report)
    charts_part(asked, report)
    streams_part(asked, report)
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
