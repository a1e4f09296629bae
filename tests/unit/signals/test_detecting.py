"""Patterns of ticks and of the bars they make: the past decides, and nothing else."""

from __future__ import annotations

import json
import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.building import LiveBars
from domain.market.model import Timeframe
from domain.market.ticks import Tick
from domain.signals.candlesticks import CANDLESTICKS
from domain.signals.detecting import LIVE_CANDLESTICKS, Detector, signal_data
from domain.signals.parsing import Sender, parse_signal
from domain.signals.patterns import PatternRules

START = 1_732_765_500_000
RULES = PatternRules(fast=3, slow=6, span=10, channel=8, deviation=1.5, spike=2, breakout=2, cooldown_ms=1000)
SYMBOLS = ("NSE:A", "NSE:B")


def walk(count: int, seed: int) -> list[Tick]:
    draw, prices, at, ticks = random.Random(seed), dict.fromkeys(SYMBOLS, 100.0), START, []
    for number in range(count):
        symbol = SYMBOLS[number % 2]
        prices[symbol] *= math.exp(draw.gauss(0, 0.002))
        at += draw.randrange(1, 15_000)
        ticks.append(Tick(symbol, round(prices[symbol], 2), float(draw.randrange(1, 50)), at))
    return ticks


def detector() -> Detector:
    return Detector(RULES, LiveBars(Timeframe.M1), CANDLESTICKS)


def signals(found: Detector, ticks: list[Tick]) -> list[str]:
    return [json.dumps(signal_data(tick, hit, 1000)) for tick in ticks for hit in found.on_tick(tick)]


def test_both_kinds_of_patterns_are_found() -> None:
    found = [json.loads(text)["pattern"] for text in signals(detector(), walk(3000, 1))]
    assert {"ema_cross", "engulfing", "three_inside"} <= set(found)
    assert not {"doji", "spinning_top"} & set(found), "these have no direction"


@given(st.integers(0, 2**32), st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_the_future_changes_no_signal(seed: int, cut: int) -> None:
    ticks, other = walk(400, seed), walk(400, seed + 1)
    shifted = [Tick(tick.symbol, tick.price, tick.volume, tick.time_ms + 10**9) for tick in other]
    past = signals(detector(), ticks[:cut])
    assert signals(detector(), ticks)[: len(past)] == past
    assert signals(detector(), ticks[:cut] + shifted)[: len(past)] == past


@given(st.integers(0, 2**32), st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_a_restart_changes_no_signal(seed: int, cut: int) -> None:
    ticks = walk(400, seed)
    before, after = detector(), detector()
    found = signals(before, ticks[:cut])
    assert after.load(json.loads(json.dumps(before.dump())))
    assert found + signals(after, ticks[cut:]) == signals(detector(), ticks)


def test_a_state_under_other_rules_is_not_taken_up() -> None:
    kept = detector()
    signals(kept, walk(100, 1))
    for other in (Detector(), Detector(RULES, LiveBars(Timeframe.M5), CANDLESTICKS), Detector(RULES, LiveBars(), ())):
        assert not other.load(kept.dump())
        assert len(other) == 0


def test_a_signal_is_read_as_it_was_written() -> None:
    tick = Tick("NSE:A", 100.5, 1, START + 7)
    hit = next(hit for item in walk(500, 2) for hit in DETECTED.on_tick(item))
    found = parse_signal(signal_data(tick, hit, 5000), Sender("u", "x", START + 1000))
    assert (found.signal_id, found.time_ms, found.ttl_ms) == (f"NSE:A-{hit.pattern}-{START + 7}", START + 7, 5000)
    assert (found.source, found.score, found.meta["price"]) == ("pattern-engine", hit.score, 100.5)


DETECTED = detector()


def test_what_is_looked_for_live_has_a_direction() -> None:
    assert set(LIVE_CANDLESTICKS) <= set(CANDLESTICKS)


@given(st.integers(0, 2**32), st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_looking_ahead_changes_no_signal(seed: int, first: int, last: int) -> None:
    ticks, ahead = walk(400, seed), detector()
    found = signals(ahead, ticks[:first])
    ahead.look_ahead(ticks[first:last])
    assert found + signals(ahead, ticks[first:]) == signals(detector(), ticks)
