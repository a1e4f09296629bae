"""What came after each bar: which of three barriers was touched first (López de Prado 2018, ch. 3).

From the close of bar i there is a barrier as far above as below, and one in time. The bars i+1 … i+horizon decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.intelligence.features import average_range
from domain.intelligence.models import Label
from domain.market.model import Bars, FloatColumn

UNKNOWN = -1
# Places in `suggestions.CLASSES`.
DOWN, FLAT, UP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Touches:
    """What came after bars; columns of equal length.

    Args:
        outcome: `DOWN`, `FLAT`, `UP`, or `UNKNOWN` where the horizon has not passed or the barrier is not known.
        exit_bar: the bar that decided.
        buy, sell: return of a trade from the next open until then, as a fraction, before costs; NaN where unknown.
            Where one bar touches both barriers, both trades are taken to have hit their stop.
    """

    outcome: NDArray[np.int8]
    exit_bar: NDArray[np.int64]
    buy: FloatColumn
    sell: FloatColumn


def barrier_of(bars: Bars, label: Label) -> FloatColumn:
    """Return how far the barriers are from each close, in the price's currency; NaN where it is not known yet."""
    return label.barrier_atr * average_range(bars)


def touches(bars: Bars, horizon: int, distance: FloatColumn) -> Touches:
    """Return what came after each bar.

    Args:
        bars: n bars, ascending.
        horizon: how many bars decide, ≥ 1.
        distance: how far the barriers are from the close of each bar, shape (n,).
    """
    count = len(bars)
    outcome = np.full(count, UNKNOWN, dtype=np.int8)
    exit_bar = np.arange(count, dtype=np.int64)
    buy, sell = np.full(count, np.nan), np.full(count, np.nan)
    open_at = np.flatnonzero(np.isfinite(distance[: max(0, count - horizon)]))
    for step in range(1, horizon + 1):
        at = open_at + step
        upper, lower = bars.close[open_at] + distance[open_at], bars.close[open_at] - distance[open_at]
        above, below = bars.high[at] >= upper, bars.low[at] <= lower
        nearer_up = np.abs(bars.open[at] - upper) < np.abs(bars.open[at] - lower)
        up, down = above & (~below | nearer_up), below & ~(above & nearer_up)
        ended = up | down
        entry = bars.open[open_at + 1]
        outcome[open_at[up]], outcome[open_at[down]] = UP, DOWN
        exit_bar[open_at[ended]] = at[ended]
        at_upper, at_lower = np.maximum(bars.open[at], upper), np.minimum(bars.open[at], lower)
        long_exit, short_exit = np.where(below, at_lower, at_upper), np.where(above, at_upper, at_lower)
        buy[open_at[ended]] = (long_exit / entry - 1.0)[ended]
        sell[open_at[ended]] = (1.0 - short_exit / entry)[ended]
        open_at = open_at[~ended]
    outcome[open_at] = FLAT
    exit_bar[open_at] = open_at + horizon
    entry = bars.open[open_at + 1] if len(open_at) else bars.open[open_at]
    last = bars.close[open_at + horizon] if len(open_at) else bars.close[open_at]
    buy[open_at], sell[open_at] = last / entry - 1.0, 1.0 - last / entry
    return Touches(outcome, exit_bar, buy, sell)
