"""Patterns are what their definitions say, see nothing of the future, and go on unchanged from a dump."""

from __future__ import annotations

import itertools
import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.signals.pattern_engine import PatternEngine
from domain.signals.patterns import PATTERNS, PatternHit, PatternRules

RULES = PatternRules(fast=3, slow=6, span=10, channel=8, deviation=1.5, spike=2.0, breakout=2.0, cooldown_ms=0)
DAY = 86_400_000

Ticks = list[tuple[float, float, int]]


def walk(count: int, seed: int = 1) -> Ticks:
    """Return a random walk with bursts, over several days."""
    draw, price, ticks = random.Random(seed), 100.0, []
    for number in range(count):
        burst = 8 if draw.random() < 0.02 else 1
        price *= math.exp(draw.gauss(0, 0.001) * burst)
        ticks.append((price, draw.expovariate(0.01) * burst, number * DAY // 200))
    return ticks


def hits(ticks: Ticks, rules: PatternRules = RULES) -> list[list[PatternHit]]:
    engine = PatternEngine(rules)
    return [engine.on_tick("X", *tick) for tick in ticks]


def of(found: list[list[PatternHit]], pattern: str) -> dict[int, PatternHit]:
    return {place: hit for place, seen in enumerate(found) for hit in seen if hit.pattern == pattern}


def ewm(values: list[float], span: int) -> list[float]:
    weight, mean, means = 2 / (span + 1), values[0], []
    for value in values:
        mean += weight * (value - mean)
        means.append(mean)
    return means


def test_every_pattern_is_seen_and_bounded() -> None:
    found = [hit for seen in hits(walk(3000)) for hit in seen]
    assert {hit.pattern for hit in found} == set(PATTERNS)
    assert all(-1 <= hit.score <= 1 and hit.score for hit in found)


def test_averages_cross_where_the_definition_says() -> None:
    ticks = walk(500)
    prices = [price for price, _, _ in ticks]
    off = [fast - slow for fast, slow in zip(ewm(prices, 3), ewm(prices, 6), strict=True)]
    expected = {n for n in range(1, 500) if n >= RULES.slow and off[n - 1] * off[n] < 0}
    found = of(hits(ticks), "ema_cross")
    assert set(found) == expected
    assert all((hit.score > 0) == (off[place] > 0) for place, hit in found.items())


def test_a_channel_is_that_of_the_ticks_before() -> None:
    ticks = walk(500)
    prices = [price for price, _, _ in ticks]
    expected = {}
    for n in range(RULES.channel, 500):
        before = prices[n - RULES.channel : n]
        if prices[n] > max(before) or prices[n] < min(before):
            expected[n] = 1 if prices[n] > max(before) else -1
    found = of(hits(ticks), "donchian_breakout")
    assert {place: math.copysign(1, hit.score) for place, hit in found.items()} == expected


def test_a_burst_is_measured_against_what_was_before_it() -> None:
    calm = [(100 + 0.01 * (n % 2), 10.0 + n % 3, n) for n in range(50)]
    spiked = [*calm, (101.0, 500.0, 50)]
    found = {hit.pattern: hit for hit in hits(spiked)[-1]}
    assert found["volume_spike"].score > 0.9
    assert found["volatility_breakout"].score > 0.9
    down = {hit.pattern: hit for hit in hits([*calm, (99.0, 500.0, 50)])[-1]}
    assert down["volume_spike"].score < -0.9


def test_the_days_price_is_forgotten_over_night_and_prices_are_taken_to_come_back() -> None:
    calm = [(100 + 0.001 * (n % 5), 10.0, n) for n in range(50)]
    today = {hit.pattern: hit for hit in hits([*calm, (101.0, 10.0, 50)])[-1]}
    tomorrow = {hit.pattern: hit for hit in hits([*calm, (101.0, 10.0, DAY)])[-1]}
    assert today["vwap_deviation"].score < -0.5
    assert "vwap_deviation" not in tomorrow


def test_a_pattern_rests() -> None:
    rules = PatternRules(fast=3, slow=6, span=10, channel=8, cooldown_ms=1000)
    rising = [(100.0 + n, 1.0, n * 300) for n in range(30)]
    seen = [rising[place][2] for place in of(hits(rising, rules), "donchian_breakout")]
    assert len(seen) > 3
    assert all(after - before >= 1000 for before, after in itertools.pairwise(seen))


def test_an_old_tick_changes_nothing() -> None:
    ticks = walk(300)
    late = [*ticks[:200], (1e9, 1e9, ticks[199][2] - 1), *ticks[200:]]
    found = hits(late)
    assert found.pop(200) == []
    assert found == hits(ticks)


def test_no_volume_is_no_error() -> None:
    assert all(isinstance(hit, PatternHit) for seen in hits([(100.0, 0.0, n) for n in range(50)]) for hit in seen)


def test_symbols_do_not_mix() -> None:
    engine, ticks = PatternEngine(RULES), walk(400)
    mixed = []
    for price, volume, at in ticks:
        mixed.append(engine.on_tick("X", price, volume, at))
        engine.on_tick("Y", price * 3, volume * 2, at)
    assert mixed == hits(ticks)
    assert len(engine) == 2


@given(st.integers(0, 10**6), st.integers(0, 300))
def test_the_future_changes_nothing_earlier(seed: int, cut: int) -> None:
    ticks, other = walk(300, seed), walk(300, seed + 1)
    assert hits([*ticks[:cut], *other[cut:]])[:cut] == hits(ticks)[:cut]


@given(st.integers(0, 10**6), st.integers(0, 300))
def test_it_goes_on_from_a_dump_as_if_nothing_happened(seed: int, cut: int) -> None:
    ticks, engine = walk(300, seed), PatternEngine(RULES)
    found = [engine.on_tick("X", *tick) for tick in ticks[:cut]]
    again = PatternEngine.load(RULES, json.loads(json.dumps(engine.dump())))
    found += [again.on_tick("X", *tick) for tick in ticks[cut:]]
    assert found == hits(ticks)


@pytest.mark.parametrize("price", [1e-8, 1.0, 1e9])
def test_prices_of_any_size(price: float) -> None:
    ticks = walk(500)
    scaled = [(tick * price, volume, at) for tick, volume, at in ticks]
    patterns = [[hit.pattern for hit in seen] for seen in hits(ticks)]
    assert [[hit.pattern for hit in seen] for seen in hits(scaled)] == patterns


@given(st.integers(0, 2**32), st.lists(st.integers(0, 600), max_size=3), st.sampled_from([0, DAY // 20]))
@settings(max_examples=60, deadline=None)
def test_many_at_once_give_what_one_by_one_gives(seed: int, cuts: list[int], cooldown: int) -> None:
    ticks, rules = walk(600, seed), replace(RULES, cooldown_ms=cooldown)
    ticks[400:400] = [(price, volume, at - DAY // 50) for price, volume, at in ticks[300:303]]  # too late to count
    one, many = PatternEngine(rules), PatternEngine(rules)
    for first, last in itertools.pairwise(sorted({0, *cuts, len(ticks)})):
        part = ticks[first:last]
        expected = [(place, hit) for place, tick in enumerate(part) for hit in one.on_tick("X", *tick)]
        assert many.on_ticks("X", *zip(*part, strict=True)) == expected
        assert json.loads(json.dumps(many.dump())) == json.loads(json.dumps(one.dump()))


def test_no_ticks_at_once_change_nothing() -> None:
    engine = PatternEngine(RULES)
    engine.on_tick("X", 5.0, 1.0, 1)
    before = engine.dump()
    assert engine.on_ticks("X", [], [], []) == []
    assert engine.dump() == before
