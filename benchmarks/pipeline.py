"""Benchmarks of the pattern engine: ``python benchmarks/pipeline.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.measures import percentile  # noqa: E402
from harness.report import Report, Row, spread, verdict  # noqa: E402
from talipp.indicators import EMA, VWAP, DonchianChannels, StdDev  # noqa: E402
from talipp.ohlcv import OHLCV  # noqa: E402

from domain.signals.patterns import PatternEngine, PatternRules  # noqa: E402

GOAL = 8
_KEPT = 200
Tick = tuple[str, float, float, int]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure the pattern engine, tick by tick, beside talipp.")
    parser.add_argument("--symbols", type=int, default=500, help="symbols, in turns (default 500)")
    parser.add_argument("--ticks", type=int, default=100_000, help="ticks of a round (default 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, by turns (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def walk(count: int, symbols: int) -> list[Tick]:
    """Return random walks of symbols, in turns, two milliseconds apart."""
    draw, prices = random.Random(1), [100.0] * symbols
    ticks = []
    for number in range(count):
        place = number % symbols
        prices[place] *= math.exp(draw.gauss(0, 0.001))
        ticks.append((f"NSE:S{place}", prices[place], draw.expovariate(0.01), 1_763_955_901_000 + number * 2))
    return ticks


class Peer:
    """The same indicators with talipp: two EMAs, VWAP, a Donchian channel, deviations of volume and return.

    It finds no patterns, and its lists are cut now and then, as a process that runs all day must.
    """

    def __init__(self, rules: PatternRules) -> None:
        self._rules = rules
        self._symbols: dict[str, tuple[list[object], list[float]]] = {}

    def on_tick(self, symbol: str, price: float, volume: float, _time_ms: int) -> None:
        """Update the indicators of a symbol."""
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = (self._indicators(), [price, 0])
        (fast, slow, vwap, channel, volumes, returns), last = known  # type: ignore[misc]
        fast.add(price)
        slow.add(price)
        bar = OHLCV(price, price, price, price, volume)
        vwap.add(bar)
        channel.add(bar)
        volumes.add(volume)
        returns.add(math.log(price / last[0]))
        last[0] = price
        last[1] += 1
        if last[1] % _KEPT == 0:
            for indicator in known[0]:
                indicator.purge_oldest(_KEPT - self._rules.channel - 1)  # type: ignore[attr-defined]

    def _indicators(self) -> list[object]:
        rules = self._rules
        spans = (EMA(rules.fast), EMA(rules.slow), VWAP(), DonchianChannels(rules.channel))
        return [*spans, StdDev(rules.span), StdDev(rules.span)]


def timed(on_tick: Callable[[str, float, float, int], object], ticks: list[Tick]) -> float:
    """Return the microseconds of a tick, over all of them."""
    gc.collect()
    started = time.perf_counter()
    for tick in ticks:
        on_tick(*tick)
    return (time.perf_counter() - started) / len(ticks) * 1e6


def each(on_tick: Callable[[str, float, float, int], object], ticks: list[Tick]) -> list[float]:
    """Return the microseconds of each tick, ascending; the clock's own cost is in them."""
    costs = []
    for tick in ticks:
        started = time.perf_counter_ns()
        on_tick(*tick)
        costs.append((time.perf_counter_ns() - started) / 1000)
    return sorted(costs)


def main() -> None:
    """Run the benchmark."""
    asked = arguments()
    report, rules = Report(quiet=asked.json), PatternRules()
    ticks = walk(asked.ticks * 2, asked.symbols)
    warm, measured = ticks[: asked.ticks], ticks[asked.ticks :]
    ours, theirs = [], []
    engine, peer = PatternEngine(rules), Peer(rules)
    for number in range(asked.rounds):
        report.say(f"round {number + 1} of {asked.rounds}")
        engine, peer = PatternEngine(rules), Peer(rules)
        timed(engine.on_tick, warm)
        timed(peer.on_tick, warm)
        ours.append(timed(engine.on_tick, measured))
        theirs.append(timed(peer.on_tick, measured))
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    part = f"one tick, {asked.symbols} symbols"
    found = f"{1e6 / statistics.median(ours):,.0f} ticks/s per core"
    row = Row(part, "AITrader", spread(ours, " µs", 2), f"{ratio:.1f}", f"≥ {GOAL}", verdict(ratio >= GOAL), found)
    report.add(row, microseconds=ours, ratio=ratio)
    report.add(Row(part, "talipp", spread(theirs, " µs", 2), "1", "", "", "no patterns"), microseconds=theirs)
    for system, on_tick in (("AITrader", engine.on_tick), ("talipp", peer.on_tick)):
        later = [(symbol, price, volume, at + 10**9) for symbol, price, volume, at in measured]
        costs = each(on_tick, later)
        p50, p99 = percentile(costs, 0.5), percentile(costs, 0.99)
        good = verdict(p99 < 1000) if system == "AITrader" else ""
        goal = "p99 < 1000 µs" if system == "AITrader" else ""
        report.add(Row("p50 / p99", system, f"{p50:.2f} / {p99:.2f} µs", "", goal, good), p50=p50, p99=p99)
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
