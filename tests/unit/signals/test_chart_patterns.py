"""Chart patterns: what is drawn is found, what is nearly one is not, and nothing depends on what comes later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.marketdata.samples import install_samples
from aitrader.testing.bars import MemoryBarStore, random_bars
from domain.market.model import Bars
from domain.signals.chart_patterns.finding import find_chart_patterns
from domain.signals.chart_patterns.model import CHART_PATTERNS, ChartHits, ChartRules
from domain.signals.chart_patterns.swings import average_true_range, find_swings
from tests.unit.signals.chart_shapes import DRAWN, MIRROR, NEARLY, Drawn, draw

SEEDS = st.integers(0, 2**32)


def samples() -> list[Bars]:
    store = MemoryBarStore()
    return [store.read(found.symbol, found.timeframe) for found in install_samples(store)]


def joined(past: Bars, future: Bars) -> Bars:
    columns = [np.concatenate(pair) for pair in zip(past.columns(), future.columns(), strict=True)]
    columns[0] = np.arange(len(columns[0]), dtype=np.int64)
    return Bars(*columns)


def mirrored(bars: Bars, around: float = 256.0) -> Bars:
    prices = (around - column for column in (bars.open, bars.low, bars.high, bars.close))
    return Bars(bars.time, *prices, bars.volume)


def scaled(bars: Bars, factor: float) -> Bars:
    prices = (column * factor for column in (bars.open, bars.high, bars.low, bars.close))
    return Bars(bars.time, *prices, bars.volume)


def assert_same(found: ChartHits, expected: ChartHits) -> None:
    for field in fields(ChartHits):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), field.name)


def rows(hits: ChartHits) -> Iterator[tuple[int, str, int]]:
    for hit in range(len(hits)):
        yield int(hits.bar[hit]), hits.name(hit), int(hits.strength[hit])


def test_names_are_sorted_and_each_has_a_drawing() -> None:
    assert list(CHART_PATTERNS) == sorted(CHART_PATTERNS)
    assert {*MIRROR, *MIRROR.values()} == set(CHART_PATTERNS)
    assert {drawn.name for drawn in DRAWN} == set(MIRROR)
    assert {name for name, _, _ in NEARLY} >= set(MIRROR) - {"descending_triangle", "rising_wedge"}


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: drawn.name)
@pytest.mark.parametrize("turned", [False, True], ids=["upright", "upside down"])
def test_finds_what_is_drawn(drawn: Drawn, turned: bool) -> None:
    bars = draw(drawn.turns, upside_down=turned)
    name, sign = (MIRROR[drawn.name], -1) if turned else (drawn.name, 1)
    hits = find_chart_patterns(bars)
    found = [hit for hit in range(len(hits)) if (hits.name(hit), int(hits.bar[hit])) == (name, drawn.bar)]
    assert len(found) == 1, list(rows(hits))
    hit = found[0]
    assert 0 < sign * hits.strength[hit] <= 100
    there = hits.known[hit] >= 0
    assert hits.points[hit, there, 0].tolist() == list(drawn.points)
    for bar, price in hits.points[hit, there]:
        assert price in (bars.high[int(bar)], bars.low[int(bar)])
    assert (hits.known[hit, there] >= hits.points[hit, there, 0]).all()
    assert (hits.known[hit, there] <= hits.bar[hit]).all()
    close = bars.close[drawn.bar]
    assert sign * hits.invalidation[hit] < sign * close
    assert np.isnan(hits.target[hit]) or sign * hits.target[hit] > sign * close
    edge = hits.lines[hit, 0]
    assert edge[2] == drawn.bar
    assert sign * (close - edge[3]) > 0


def test_the_numbers_of_a_double_bottom() -> None:
    hits = find_chart_patterns(draw(DRAWN[0].turns))
    hit = [CHART_PATTERNS[number] for number in hits.pattern].index("double_bottom")
    assert hits.invalidation[hit] == 99.75, "the lower low: a close of 100 and its wick"
    assert hits.target[hit] == 105.25 + (105.25 - 99.75), "as far above the neckline as the lows are below"
    np.testing.assert_array_equal(hits.lines[hit, 0], [50, 105.25, 71, 105.25])
    assert np.isnan(hits.lines[hit, 1]).all()
    assert hits.known[hit, :3].tolist() == [44, 54, 64], "closes that came back by two ATR"


@pytest.mark.parametrize(("name", "wrong", "turns"), NEARLY, ids=[f"{name}: {wrong}" for name, wrong, _ in NEARLY])
@pytest.mark.parametrize("turned", [False, True], ids=["upright", "upside down"])
def test_what_is_nearly_a_pattern_is_none(name: str, wrong: str, turns: str, turned: bool) -> None:
    hits = find_chart_patterns(draw(turns, upside_down=turned))
    name, sign = (MIRROR[name], -1) if turned else (name, 1)
    assert (name, sign) not in {(found, int(np.sign(strength))) for _, found, strength in rows(hits)}


@given(SEEDS, st.integers(0, 600))
@settings(max_examples=30, deadline=None)
def test_the_future_changes_no_hit(seed: int, cut: int) -> None:
    bars = random_bars(600, seed=seed)
    whole = find_chart_patterns(bars)
    past = whole.take(whole.bar < cut)
    assert_same(find_chart_patterns(bars.take(slice(0, cut))), past)
    order = np.random.default_rng(seed).permutation(np.arange(cut, 600))
    for future in (bars.take(order), scaled(random_bars(600 - cut, seed=seed + 1), 3.0)):
        other = find_chart_patterns(joined(bars.take(slice(0, cut)), future))
        assert_same(other.take(other.bar < cut), past)


def test_the_future_changes_no_hit_of_real_bars() -> None:
    for bars in samples():
        whole = find_chart_patterns(bars)
        assert len(whole) > 200
        for bar in np.unique(whole.bar)[::25].tolist():
            for cut in (bar, bar + 1):
                assert_same(find_chart_patterns(bars.take(slice(0, cut))), whole.take(whole.bar < cut))


def test_every_pattern_occurs_in_random_walks() -> None:
    hits = find_chart_patterns(random_bars(20_000, seed=1))
    found = {(name, strength > 0) for _, name, strength in rows(hits)}
    both = {"rectangle", "symmetrical_triangle"} | {name for name in MIRROR if name.endswith(("triangle", "wedge"))}
    assert found == {(name, way) for up, down in MIRROR.items() for name, way in ((up, True), (down, False))}
    assert {name for name, _ in found if {(name, True), (name, False)} <= found} == both


@pytest.mark.parametrize("seed", range(4))
def test_hits_are_in_order_and_once(seed: int) -> None:
    hits = find_chart_patterns(random_bars(5000, seed=seed))
    keys = [(bar, name) for bar, name, _ in rows(hits)]
    assert keys == sorted(set(keys))
    assert (np.abs(hits.strength) >= 1).all()
    assert (np.abs(hits.strength) <= 100).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("factor", [0.125, 4.0, 3.7, 1e-3])
def test_the_unit_of_prices_changes_nothing(seed: int, factor: float) -> None:
    bars = random_bars(3000, seed=seed)
    hits, other = find_chart_patterns(bars), find_chart_patterns(scaled(bars, factor))
    assert list(rows(other)) == list(rows(hits))
    np.testing.assert_array_equal(other.points[..., 0], hits.points[..., 0])
    np.testing.assert_allclose(other.target, hits.target * factor)
    np.testing.assert_allclose(other.invalidation, hits.invalidation * factor)


@pytest.mark.parametrize("seed", range(4))
def test_prices_upside_down_turn_every_pattern_over(seed: int) -> None:
    # Binary fractions: differences are exact, and a mirror image has the same.
    walk = random_bars(3000, seed=seed)
    prices = np.round(np.stack([walk.open, walk.high, walk.low, walk.close]) / walk.close.max() * 100 * 1024) / 1024
    bars = Bars(walk.time, *prices, walk.volume)
    turned = {**MIRROR, **{down: up for up, down in MIRROR.items() if up != down}}
    turned |= {name: name for name in ("symmetrical_triangle", "rectangle")}
    hits, other = find_chart_patterns(bars), find_chart_patterns(mirrored(bars))
    assert len(hits) > 50
    assert sorted(rows(other)) == sorted((bar, turned[name], -strength) for bar, name, strength in rows(hits))


@pytest.mark.parametrize("seed", range(10))
def test_a_later_start_finds_the_same_after_a_while(seed: int) -> None:
    bars = random_bars(3000, seed=seed)
    whole = find_chart_patterns(bars)
    later = find_chart_patterns(bars.take(slice(700, None)))
    assert [(bar, name) for bar, name, _ in rows(whole) if bar >= 1400] == [
        (bar + 700, name) for bar, name, _ in rows(later) if bar >= 700
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 14, 15, 40])
def test_few_bars_find_nothing(count: int) -> None:
    assert len(find_chart_patterns(random_bars(count))) == 0


def test_prices_that_stand_still_find_nothing() -> None:
    flat = np.full(200, 50.0)
    assert len(find_chart_patterns(Bars(np.arange(200), flat, flat, flat, flat, flat))) == 0


def test_stored_columns_are_left_alone() -> None:
    bars = random_bars(500)
    for column in bars.columns():
        column.flags.writeable = False
    before = bars.data_hash()
    find_chart_patterns(bars)
    assert bars.data_hash() == before


def test_turning_points_alternate_and_are_known_later() -> None:
    bars = random_bars(4000, seed=3)
    atr = average_true_range(bars.high, bars.low, bars.close, 14)
    swings = find_swings(bars.high, bars.low, bars.close, atr, 2.0)
    assert len(swings) > 200
    assert (swings.kind[1:] == -swings.kind[:-1]).all()
    assert (np.diff(swings.bar) > 0).all()
    assert (np.diff(swings.known) > 0).all()
    assert (swings.known >= swings.bar).all()
    came_back = swings.kind * (swings.price - bars.close[swings.known])
    assert (came_back >= 2.0 * atr[swings.known] - 1e-9).all()
    for place in range(1, len(swings)):
        between = slice(int(swings.bar[place - 1]) + 1, int(swings.bar[place]) + 1)
        extreme = bars.high[between].max() if swings.kind[place] > 0 else bars.low[between].min()
        assert swings.price[place] == extreme


def test_the_average_true_range_is_that_of_its_bars_alone() -> None:
    bars = random_bars(300, seed=2)
    atr = average_true_range(bars.high, bars.low, bars.close, 14)
    assert np.isnan(atr[:14]).all()
    for bar in (14, 100, 299):
        ranges = [
            max(bars.high[at], bars.close[at - 1]) - min(bars.low[at], bars.close[at - 1])
            for at in range(bar - 13, bar + 1)
        ]
        assert atr[bar] == pytest.approx(sum(ranges) / 14)
    part = bars.take(slice(100, None))
    np.testing.assert_array_equal(average_true_range(part.high, part.low, part.close, 14)[14:], atr[114:])


def test_stricter_rules_find_less() -> None:
    bars = random_bars(5000, seed=4)
    usual, strict = find_chart_patterns(bars), find_chart_patterns(bars, ChartRules(same=0.3, touch=0.2, pole=8.0))
    for name in ("double_bottom", "resistance_break", "bull_flag", "rectangle"):
        number = CHART_PATTERNS.index(name)
        assert np.count_nonzero(strict.pattern == number) < np.count_nonzero(usual.pattern == number)
