"""Benchmarks of patterns and decisions: ``python benchmarks/pipeline.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import systems  # noqa: E402
from harness.measures import percentile  # noqa: E402
from harness.report import Report, Row, spread, verdict  # noqa: E402
from talipp.indicators import EMA, VWAP, DonchianChannels, StdDev  # noqa: E402
from talipp.ohlcv import OHLCV  # noqa: E402

from domain.signals.pattern_engine import PatternEngine  # noqa: E402
from domain.signals.patterns import PatternRules  # noqa: E402

GOAL = 8
BATCH_GOAL = 100
_KEPT = 200
Tick = tuple[str, float, float, int]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure ticks to patterns beside talipp, and ticks to decisions.")
    parser.add_argument("--symbols", type=int, default=500, help="symbols, in turns (default 500)")
    parser.add_argument("--ticks", type=int, default=100_000, help="ticks of a round (default 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, by turns (default 5)")
    parser.add_argument("--batch", type=int, default=2000, help="ticks of a symbol taken at once (default 2000)")
    parser.add_argument("--decisions", type=int, default=200, help="ticks that lead to decisions (default 200)")
    parser.add_argument("--only", choices=["patterns", "decisions"], help="one part")
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


def batches(ticks: list[Tick], size: int, symbols: int) -> list[tuple[str, list[float], list[float], list[int]]]:
    """Return ticks by symbol, so many of each at once, as a replay takes them."""
    found = []
    for place in range(symbols):
        mine = ticks[place::symbols][:size]
        found.append((mine[0][0], *([tick[column] for tick in mine] for column in (1, 2, 3))))
    return found


def patterns_part(asked: argparse.Namespace, report: Report) -> None:
    """Measure the patterns beside talipp."""
    rules = PatternRules()
    ticks = walk(asked.ticks * 2, asked.symbols)
    warm, measured = ticks[: asked.ticks], ticks[asked.ticks :]
    few = min(asked.symbols, 50)
    many = batches(walk(asked.batch * few, few), asked.batch, few)
    PatternEngine(rules).on_ticks("X", *many[0][1:])  # compiles
    ours, theirs, at_once = [], [], []
    engine, peer = PatternEngine(rules), Peer(rules)
    for number in range(asked.rounds):
        report.say(f"round {number + 1} of {asked.rounds}")
        engine, peer = PatternEngine(rules), Peer(rules)
        timed(engine.on_tick, warm)
        timed(peer.on_tick, warm)
        ours.append(timed(engine.on_tick, measured))
        theirs.append(timed(peer.on_tick, measured))
        at_once.append(timed_batches(PatternEngine(rules), many))
    part = f"one tick, {asked.symbols} symbols"
    compare(report, part, ours, theirs, GOAL)
    report.add(Row(part, "talipp", spread(theirs, " µs", 2), "1", "", "", "no patterns"), microseconds=theirs)
    compare(report, f"{asked.batch} ticks at once", at_once, theirs, BATCH_GOAL)
    for system, on_tick in (("AITrader", engine.on_tick), ("talipp", peer.on_tick)):
        later = [(symbol, price, volume, at + 10**9) for symbol, price, volume, at in measured]
        costs = each(on_tick, later)
        p50, p99 = percentile(costs, 0.5), percentile(costs, 0.99)
        good = verdict(p99 < 1000) if system == "AITrader" else ""
        goal = "p99 < 1000 µs" if system == "AITrader" else ""
        report.add(Row("p50 / p99", system, f"{p50:.2f} / {p99:.2f} µs", "", goal, good), p50=p50, p99=p99)


def timed_batches(engine: PatternEngine, many: list[tuple[str, list[float], list[float], list[int]]]) -> float:
    """Return the microseconds of a tick that comes with others of its symbol, lists and state included."""
    gc.collect()
    started = time.perf_counter()
    for symbol, prices, volumes, times in many:
        engine.on_ticks(symbol, prices, volumes, times)
    return (time.perf_counter() - started) / sum(len(batch[1]) for batch in many) * 1e6


def compare(report: Report, part: str, ours: list[float], theirs: list[float], goal: int) -> None:
    """Add a row of ours with its ratio to the peer's."""
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    found = f"{1e6 / statistics.median(ours):,.0f} ticks/s per core"
    row = Row(part, "AITrader", spread(ours, " µs", 2), f"{ratio:.1f}", f"≥ {goal}", verdict(ratio >= goal), found)
    report.add(row, microseconds=ours, ratio=ratio)


def decisions_part(asked: argparse.Namespace, report: Report) -> None:
    """Measure from a tick in Redis to its decision: pattern engine, worker and API are processes of their own."""
    report.say("ticks to decisions")
    with systems.servers() as parts, systems.scaled(parts, worker=True) as system:
        options = ("channel=2", "cooldown_ms=0", "candlesticks=false", "span=10000", "slow=10000", "fast=9999")
        words = [word for option in options for word in ("--set", option)]
        engine = systems.aitrader(system.home, system.env, "engine", "serve", "pattern", "--port", "0", *words)
        system.processes.append(engine)
        engine.wait_for_line(r"http://127\.0\.0\.1:\d+", 40)
        scopes = ("--scopes", "signals:read,orders:read", "--days", "1")
        with systems.aitrader(
            system.home, system.env, "token", "create", "--user", "owner", "--name", "ticks", *scopes
        ) as made:
            token = made.wait_for_line(r"ait_\w+", 40)[0]
        asking = ["--port", str(system.port), "--token", token, "--redis", system.redis_url]
        found = systems.helper(
            sys.executable, None, "tick_client.py", *asking, "--count", str(asked.decisions), timeout_s=300
        )
    floor = percentile(sorted(found["bare_ms"]), 0.5)
    for name, key, goal in (("event over Redis", "bus_ms", 10.0), ("seen on the socket", "socket_ms", None)):
        costs = sorted(found[key])
        p50, p99 = percentile(costs, 0.5), percentile(costs, 0.99)
        good = "" if goal is None else verdict(p99 <= goal)
        shown = "" if goal is None else f"p99 ≤ {goal:g} ms"
        result = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        report.add(Row("tick to decision", name, result, f"{p50 / floor:.1f}", shown, good), p50_ms=p50, p99_ms=p99)
    p99 = percentile(sorted(found["bare_ms"]), 0.99)
    report.add(Row("", "  bare Redis round trips", f"p50 {floor:.1f} ms, p99 {p99:.1f} ms", "1"), p50_ms=floor)


def main() -> None:
    """Run the benchmark."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(quiet=asked.json)
    if asked.only != "decisions":
        patterns_part(asked, report)
    if asked.only != "patterns":
        decisions_part(asked, report)
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
