"""What came after a bar: the three barriers, against a slow reading of the rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.testing.bars import random_bars
from domain.intelligence.barriers import DOWN, FLAT, UNKNOWN, UP, barrier_of, touches
from domain.intelligence.models import Label
from domain.market.model import Bars

DAY = 86_400_000


def bars_of(*rows: tuple[float, float, float, float]) -> Bars:
    columns = np.array(rows, dtype=np.float64).T
    return Bars(np.arange(len(rows), dtype=np.int64) * DAY, *columns, np.ones(len(rows)))


def slow(bars: Bars, at: int, horizon: int, distance: float) -> tuple[int, int, float, float]:
    """Return outcome, deciding bar and returns of one bar, by the words of the rule."""
    if math.isnan(distance) or at + horizon >= len(bars):
        return UNKNOWN, at, math.nan, math.nan
    upper, lower, entry = bars.close[at] + distance, bars.close[at] - distance, bars.open[at + 1]
    for step in range(1, horizon + 1):
        bar = at + step
        above, below = bars.high[bar] >= upper, bars.low[bar] <= lower
        if not above and not below:
            continue
        up, down = max(bars.open[bar], upper), min(bars.open[bar], lower)
        buy = down if below else up
        sell = up if above else down
        outcome = UP if above else DOWN
        if above and below:
            outcome = UP if abs(bars.open[bar] - upper) < abs(bars.open[bar] - lower) else DOWN
        return outcome, bar, buy / entry - 1, 1 - sell / entry
    last = bars.close[at + horizon]
    return FLAT, at + horizon, last / entry - 1, 1 - last / entry


@given(st.integers(0, 10_000), st.integers(1, 15), st.floats(0.2, 4))
@settings(max_examples=60, deadline=None)
def test_it_is_the_slow_reading(seed: int, horizon: int, size: float) -> None:
    bars = random_bars(80, seed)
    distance = barrier_of(bars, Label(horizon, size))
    found = touches(bars, horizon, distance)
    for at in range(80):
        outcome, bar, buy, sell = slow(bars, at, horizon, float(distance[at]))
        assert (found.outcome[at], found.exit_bar[at]) == (outcome, bar)
        assert found.buy[at] == pytest.approx(buy, nan_ok=True)
        assert found.sell[at] == pytest.approx(sell, nan_ok=True)


@given(st.integers(0, 10_000), st.integers(1, 10), st.integers(20, 79))
@settings(max_examples=40, deadline=None)
def test_what_is_known_does_not_change_with_later_bars(seed: int, horizon: int, end: int) -> None:
    bars = random_bars(80, seed)
    distance = barrier_of(bars, Label(horizon, 2.0))
    whole, part = touches(bars, horizon, distance), touches(bars.take(slice(0, end)), horizon, distance[:end])
    known = part.outcome != UNKNOWN
    assert known.sum() == max(0, end - horizon - 14)
    np.testing.assert_array_equal(part.outcome[known], whole.outcome[:end][known])
    np.testing.assert_array_equal(part.buy[known], whole.buy[:end][known])


def test_a_gap_is_left_at_the_open() -> None:
    bars = bars_of((10, 10, 10, 10), (10, 10.5, 9.8, 10), (13, 13.5, 12.5, 13))
    found = touches(bars, 2, np.array([1.0, np.nan, np.nan]))
    assert found.outcome[0] == UP
    assert found.buy[0] == pytest.approx(0.3)  # bought at 10, left at the open, 13, not at the barrier, 11
    assert found.sell[0] == pytest.approx(-0.3)


def test_a_bar_that_touches_both_is_a_loss_for_either_side() -> None:
    bars = bars_of((10, 10, 10, 10), (10.4, 11.5, 8.5, 10))
    found = touches(bars, 1, np.array([1.0, np.nan]))
    assert found.outcome[0] == UP  # the open was nearer to the upper one
    assert found.buy[0] == pytest.approx(9 / 10.4 - 1)
    assert found.sell[0] == pytest.approx(1 - 11 / 10.4)


def test_a_horizon_that_has_not_passed_says_nothing() -> None:
    bars = bars_of((10, 10, 10, 10), (10, 12, 10, 11))
    found = touches(bars, 2, np.array([1.0, 1.0]))
    assert found.outcome.tolist() == [UNKNOWN, UNKNOWN]
    assert np.isnan(found.buy).all()
    assert len(touches(bars.take(slice(0, 0)), 2, np.empty(0)).outcome) == 0
