"""What came of patterns before: numbers against a slow oracle, no look ahead, no significance where nothing is."""

from __future__ import annotations

import math
import statistics
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.testing.bars import random_bars
from domain.signals.scanning.evidence import Evidence, Occurrences, gather
from domain.signals.scanning.statistics import q_values, two_sided
from domain.signals.scanning.stretches import LEAST_OCCURRENCES

HORIZONS = (1, 5, 10, 20)


def some(close: np.ndarray, seed: int, count: int = 3, share: float = 0.05) -> list[Occurrences]:
    """Return patterns that occur at random bars; the second one says that prices fall."""
    draw = np.random.default_rng(seed)
    return [
        Occurrences(f"p{number}", "bearish" if number == 1 else "bullish", -1 if number == 1 else 1,
                    np.flatnonzero(draw.random(len(close)) < share))
        for number in range(count)
    ]  # fmt: skip


def rows(occurrences: list[Occurrences], last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every occurrence as a row, ascending, and all patterns at the last bar."""
    hits = sorted((int(bar), number) for number, item in enumerate(occurrences) for bar in item.bar)
    every = [*hits, *((last, number) for number in range(len(occurrences)))]
    return np.array([bar for bar, _ in every]), np.array([number for _, number in every])


def student(t: float, freedom: int) -> float:
    """Return the two-sided p-value by the finite sums for whole degrees of freedom (Abramowitz, Stegun, 26.7.3-4)."""
    angle = math.atan(abs(t) / math.sqrt(freedom))
    cosine, term, total = math.cos(angle), 1.0, 1.0
    if freedom % 2:
        term = total = cosine
        for number in range(3, freedom, 2):
            term *= (number - 1) / number * cosine**2
            total += term
        return 1 - 2 / math.pi * (angle + math.sin(angle) * total)
    for number in range(2, freedom, 2):
        term *= (number - 1) / number * cosine**2
        total += term
    return 1 - math.sin(angle) * total


def slow(close: list[float], occurred: Occurrences, horizon: int, at: int) -> dict[str, float]:
    """Return the evidence as of the close of a bar, by loops, from what is known there and nothing else."""
    past = close[: at + 1]
    outcomes = {bar: past[bar + horizon] / past[bar] - 1 for bar in range(len(past) - horizon)}
    mine = {bar: outcomes[bar] for bar in occurred.bar.tolist() if bar in outcomes}
    length = max(4 * horizon, 20)
    found: dict[str, float] = {"n": len(mine), "stretches": len({bar // length for bar in mine})}
    if len(outcomes) >= LEAST_OCCURRENCES:
        found["base_mean"] = statistics.fmean(outcomes.values())
        found["base_share"] = sum(value * occurred.sign > 0 for value in outcomes.values()) / len(outcomes)
    if len(mine) < LEAST_OCCURRENCES:
        return found
    mean = statistics.fmean(mine.values())
    found |= {"mean": mean, "median": statistics.median(mine.values()), "excess": mean - found["base_mean"]}
    found["share"] = sum(value * occurred.sign > 0 for value in mine.values()) / len(mine)
    clusters = found["stretches"]
    if clusters < LEAST_OCCURRENCES:
        return found
    influence: dict[int, float] = {}
    for bar, value in outcomes.items():
        part = -(value - found["base_mean"]) / len(outcomes)
        if bar in mine:
            part += (value - mean) / len(mine)
        influence[bar // length] = influence.get(bar // length, 0.0) + part
    error = math.sqrt(sum(value**2 for value in influence.values()) * clusters / (clusters - 1))
    found["p"] = student(found["excess"] / error, int(clusters) - 1)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_slow_way(seed: int) -> None:
    close = random_bars(700, seed=seed).close
    occurrences = some(close, seed, share=0.1)
    bar, which = rows(occurrences, len(close) - 1)
    found = gather(close, occurrences, HORIZONS, bar, which)
    assert np.isnan(found.p).any()
    assert (found.n < LEAST_OCCURRENCES).any()
    assert (~np.isnan(found.p)).sum() > 300
    for row in range(0, len(bar), 7):
        for place, horizon in enumerate(HORIZONS):
            expected = slow(close.tolist(), occurrences[which[row]], horizon, int(bar[row]))
            for name in ("n", "stretches", "mean", "median", "share", "base_mean", "base_share", "excess", "p"):
                value = float(getattr(found, name)[row, place])
                wanted = expected.get(name, math.nan)
                assert value == pytest.approx(wanted, rel=1e-6, abs=1e-12, nan_ok=True), (row, horizon, name)


def same(found: Evidence, expected: Evidence, rows: slice) -> None:
    for field in fields(Evidence):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name)[rows], field.name)


@given(st.integers(0, 2**32), st.integers(250, 600))
@settings(max_examples=15, deadline=None)
def test_the_future_changes_nothing(seed: int, cut: int) -> None:
    close = random_bars(600, seed=seed).close
    occurrences = some(close, seed, share=0.15)
    bar, which = rows(occurrences, len(close) - 1)
    whole = gather(close, occurrences, (1, 5), bar, which)
    known = slice(0, int(np.searchsorted(bar, cut)))
    before = [Occurrences(item.pattern, item.direction, item.sign, item.bar[item.bar < cut]) for item in occurrences]
    same(gather(close[:cut], before, (1, 5), bar[known], which[known]), whole, known)
    other = np.concatenate((close[:cut], np.random.default_rng(seed).permutation(close[cut:]) * 2))
    after = [
        Occurrences(item.pattern, item.direction, item.sign, np.concatenate((item.bar, np.arange(cut, 600))))
        for item in before
    ]
    same(gather(other, after, (1, 5), bar[known], which[known]), whole, known)


def test_which_rows_are_asked_for_changes_none_of_them() -> None:
    close = random_bars(900, seed=5).close
    occurrences = some(close, 5, share=0.2)
    bar, which = rows(occurrences, len(close) - 1)
    whole = gather(close, occurrences, HORIZONS, bar, which)
    few = slice(len(bar) - 40, len(bar), 3)
    same(gather(close, occurrences, HORIZONS, bar[few], which[few]), whole, few)


def test_the_seed_decides_the_interval_and_nothing_else() -> None:
    close = random_bars(900, seed=6).close
    occurrences = some(close, 6)
    bar, which = rows(occurrences, len(close) - 1)
    first, again, other = (gather(close, occurrences, (5,), bar, which, seed=seed) for seed in (1, 1, 2))
    same(again, first, slice(None))
    assert not np.array_equal(other.low, first.low, equal_nan=True)
    np.testing.assert_array_equal(other.p, first.p)


def test_the_interval_is_that_of_a_plain_block_bootstrap() -> None:
    close = random_bars(4000, seed=7).close
    occurrences = some(close, 7, count=1)
    last = np.array([len(close) - 1])
    found = gather(close, occurrences, (5,), last, np.array([0]))
    forward = close[5:] / close[:-5] - 1
    mine = np.zeros(len(forward), bool)
    mine[occurrences[0].bar[occurrences[0].bar < len(forward)]] = True
    blocks = np.array_split(np.arange(len(forward)), range(20, len(forward), 20))
    draw, excess = np.random.default_rng(1), []
    for _ in range(2000):
        chosen = np.concatenate([blocks[number] for number in draw.integers(0, len(blocks), len(blocks))])
        excess.append(forward[chosen][mine[chosen]].mean() - forward[chosen].mean())
    low, high = np.quantile(excess, (0.025, 0.975))
    width = high - low
    assert found.low[0, 0] == pytest.approx(low, abs=0.12 * width)
    assert found.high[0, 0] == pytest.approx(high, abs=0.12 * width)


def test_p_values_of_nothing_are_uniform_and_no_discovery() -> None:
    """Random dates in random walks, every bar of some of which is followed by others that overlap."""
    p_values, discoveries = [], 0
    for seed in range(60):
        close = random_bars(1500, seed=seed).close
        occurrences = some(close, seed, count=8, share=(0.02, 0.2)[seed % 2])
        last = np.full(len(occurrences), len(close) - 1)
        found = gather(close, occurrences, HORIZONS, last, np.arange(len(occurrences)))
        p_values += found.p[~np.isnan(found.p)].tolist()
        discoveries += bool((found.q < 0.05).any())
    assert len(p_values) > 1500
    for level in (0.01, 0.05, 0.2, 0.5, 0.8):
        share = statistics.fmean(value < level for value in p_values)
        assert share == pytest.approx(level, abs=0.3 * level * (1 - level) + 0.01), level
    assert discoveries <= 3


def test_what_is_there_is_found() -> None:
    draw = np.random.default_rng(3)
    returns = draw.normal(0, 0.01, 3000)
    bar = np.arange(40, 2900, 30)
    returns[bar + 1] += 0.01
    close = 100 * np.exp(np.cumsum(returns))
    nothing = some(close, 1, count=20)
    real = Occurrences("real", "bullish", 1, bar)
    found = gather(close, [*nothing, real], (1, 5), np.full(21, 2999), np.arange(21))
    assert (found.q[20] < 0.05).all()
    assert (found.low[20] > 0).all()
    assert (found.q[:20] > 0.05).all()
    assert found.share[20, 0] > 0.75


def test_a_bearish_pattern_counts_falls() -> None:
    close = np.array([100.0, 90.0] * 60)
    falls = Occurrences("x", "bearish", -1, np.arange(0, 100, 2))
    rises = Occurrences("x", "bullish", 1, np.arange(0, 100, 2))
    found = gather(close, [falls, rises], (1,), np.array([119, 119]), np.array([0, 1]))
    assert found.share[:, 0].tolist() == [1.0, 0.0]
    assert found.mean[:, 0].tolist() == pytest.approx([-0.1, -0.1])
    assert found.base_share[:, 0].tolist() == pytest.approx([60 / 119, 59 / 119])


def test_too_little_is_null_and_not_a_number() -> None:
    close = random_bars(300, seed=1).close
    few = Occurrences("few", "bullish", 1, np.arange(20, 20 + LEAST_OCCURRENCES - 1) * 10)
    enough = Occurrences("enough", "bullish", 1, np.arange(20, 20 + LEAST_OCCURRENCES) * 10 - 100)
    crowded = Occurrences("crowded", "bullish", 1, np.arange(100, 150))
    found = gather(close, [few, enough, crowded], (1,), np.full(3, 299), np.arange(3))
    assert found.n[:, 0].tolist() == [9, 10, 50]
    assert np.isnan(found.mean[:, 0]).tolist() == [True, False, False]
    assert np.isnan(found.p[:, 0]).tolist() == [True, True, True]
    assert np.isnan(found.low[:, 0]).tolist() == [True, True, True], "five stretches are no ten observations"
    assert found.stretches[:, 0].tolist() == [5, 5, 3]


def test_horizons_longer_than_the_bars_know_nothing() -> None:
    close = random_bars(30, seed=1).close
    found = gather(close, some(close, 1), (29, 30, 400), np.array([29]), np.array([0]))
    assert found.n.tolist() == [[0, 0, 0]]
    assert np.isnan(found.base_mean).all()


def test_no_patterns_no_rows() -> None:
    close = random_bars(30, seed=1).close
    none = np.empty(0, np.int64)
    assert gather(close, [], (1,), none, none).n.shape == (0, 1)


def test_q_values_by_hand() -> None:
    """1 + 1/2 + 1/3 + 1/4 = 25/12 times: 0.01·4/1, 0.04·4/3 for two (0.03·4/2 is more), 0.5·4/4."""
    q = q_values(np.array([0.01, 0.04, 0.03, math.nan, 0.5]))
    expected = [25 / 12 * 0.04, 25 / 12 * 0.16 / 3, 25 / 12 * 0.16 / 3, math.nan, 1.0]
    np.testing.assert_allclose(q, expected)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=30))
def test_q_values_equal_their_definition(values: list[float]) -> None:
    p = np.array(values)
    tests = [value for value in values if not math.isnan(value)]
    factor = sum(1 / rank for rank in range(1, len(tests) + 1))
    expected = [
        math.nan
        if math.isnan(value)
        else min(1.0, *(other * len(tests) * factor / sum(least <= other for least in tests)
                        for other in tests if other >= value), 1.0)
        for value in values
    ]  # fmt: skip
    np.testing.assert_allclose(q_values(p), expected)
    np.testing.assert_array_equal(q_values(np.stack((p, p[::-1]))), np.stack((q_values(p), q_values(p[::-1]))))


@pytest.mark.parametrize("freedom", [9, 10, 15, 60, 200])
def test_p_values_equal_student(freedom: int) -> None:
    t = np.array([-6.0, -2.0, 0.0, 0.3, 1.0, 2.5, 4.0, 7.0])
    found = two_sided(t, np.full(len(t), float(freedom)))
    np.testing.assert_allclose(found, [student(value, freedom) for value in t], rtol=1e-5)
