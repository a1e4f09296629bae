"""Flags: a rest after a steep move, between parallels that are level or lean against it."""

from __future__ import annotations

import numpy as np

from domain.signals.chart_patterns.model import MOST_POINTS, ChartHits, ChartRules, Floats, Ints


def bull_flags(high: Floats, low: Floats, close: Floats, atr: Floats, rules: ChartRules) -> ChartHits:
    """Return the closes above the upper parallel of a flag.

    The pole rises ``pole`` ATR within ``pole_bars`` to a new high. The flag lasts no longer than three weeks of days
    (E&M, TB), gives back no more than half of the pole, and its closes do not rise. Its parallels run along the
    line that fits its closes best, through the high and the low that are farthest from it. Target: the height of the
    pole above the lowest low of the flag (TB). Invalid below that low.
    """
    from domain.signals.chart_patterns import kernels  # numba is costly to import

    where, channel = np.empty((len(close), 4), np.int64), np.empty((len(close), 3))
    fewest, most = rules.flag_bars
    count = kernels.flags(
        high, low, close, atr, rules.pole, rules.pole_bars, fewest, most, rules.retrace, rules.same, rules.beyond,
        where, channel,
    )  # fmt: skip
    bar, foot, top, lowest = where[:count].T
    rise, bottom = high[top] - low[foot], low[lowest]
    kept = 1.0 - (high[top] - bottom) / (rules.retrace * rise)
    tall = np.minimum(rise / (2.0 * rules.pole * atr[foot]), 1.0)
    target = bottom + rise
    return ChartHits(
        bar=bar.copy(),
        pattern=np.zeros(count, np.int64),
        strength=np.maximum(np.rint(50.0 * (kept + tall)), 1.0).astype(np.int64),
        target=np.where(target > close[bar], target, np.nan),
        invalidation=bottom,
        points=_padded(np.stack((foot, top, lowest), axis=1), np.stack((low[foot], high[top], bottom), axis=1)),
        known=np.where(np.arange(MOST_POINTS) < 3, bar[:, None], -1),
        lines=np.stack([_parallel(top, bar, channel[:count], edge) for edge in (1, 2)], axis=1),
    )


def _padded(bars: Ints, prices: Floats) -> Floats:
    points = np.full((len(bars), MOST_POINTS, 2), np.nan)
    points[:, : bars.shape[1], 0], points[:, : bars.shape[1], 1] = bars, prices
    return points


def _parallel(top: Ints, bar: Ints, channel: Floats, edge: int) -> Floats:
    """Return a side of each channel, from the first bar after the top to the break."""
    start, price = top + 1, channel[:, edge]
    return np.stack((start, price, bar, price + channel[:, 0] * (bar - start)), axis=1).astype(np.float64)
