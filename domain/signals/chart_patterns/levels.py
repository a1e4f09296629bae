"""Levels of support and resistance: prices have turned there before, and do so again or break through."""

from __future__ import annotations

import numpy as np

from domain.signals.chart_patterns.formations import BOUNCE, BREAK, Formations, Found, level
from domain.signals.chart_patterns.model import MOST_POINTS, ChartRules, Floats, Ints, Swings


def resistance_breaks(swings: Swings, atr: Floats, rules: ChartRules) -> Found:
    """Three highs or more at one level, none above it since the first; a close above the highest completes it.

    E&M: resistance is where supply stopped advances before. A level is forgotten ``memory`` bars after its last
    touch. Target: the height of the range below the level, from the break on. Invalid below its touches.
    """
    place, count, first, points, highest, lowest, floor = _touched(swings, atr, rules)
    last, unit = swings.bar[place], atr[swings.known[place]]
    formations = Formations(
        known=swings.known[place],
        first=swings.bar[first],
        last=last,
        begin=last + 1,
        until=last + rules.memory,
        unit=unit,
        line=level(swings.bar[first], highest),
        stop=level(last, np.full(len(last), -np.inf)),
        height=highest - floor,
        target=np.full(len(last), np.nan),
        invalidation=lowest - rules.touch * unit,
        fit=_fit(count, highest - lowest, unit, rules),
        points=points,
    )
    return Found(BREAK, formations)


def support_bounces(swings: Swings, atr: Floats, rules: ChartRules) -> Found:
    """Three lows or more at one level, none below it since the first; the close that proves the last completes it.

    Target: the last high. Invalid below the touches.
    """
    place, count, first, points, highest, lowest, _floor = _touched(swings.mirrored(), atr, rules)
    known, unit, support = swings.known[place], atr[swings.known[place]], -highest
    formations = Formations(
        known=known,
        first=swings.bar[first],
        last=swings.bar[place],
        begin=known,
        until=known,
        unit=unit,
        line=level(swings.bar[first], support),
        stop=level(swings.bar[first], support),
        height=np.zeros(len(place)),
        target=swings.price[place - 1],
        invalidation=support - rules.touch * unit,
        fit=_fit(count, highest - lowest, unit, rules),
        points=points,
    )
    return Found(BOUNCE, formations)


def _touched(swings: Swings, atr: Floats, rules: ChartRules) -> tuple[Ints, Ints, Ints, Ints, Floats, Floats, Floats]:
    """Return the highs at a level that was touched often enough, as places among the turning points.

    With them: how often, the place of the first touch, the places of the last ones as `Formations` keeps them, the
    highest and the lowest touch, and the lowest low between the first and the last.
    """
    from domain.signals.chart_patterns import kernels  # numba is costly to import

    size = len(swings)
    count, first = np.empty(size, np.int64), np.empty(size, np.int64)
    newest, prices = np.empty((size, MOST_POINTS), np.int64), np.empty((size, 3))
    kernels.touches(
        swings.bar, swings.price, swings.kind, atr[swings.known], rules.touch, rules.memory,
        count, first, newest, prices,
    )  # fmt: skip
    place = np.flatnonzero(count >= rules.touches)
    points = newest[place][:, ::-1]
    # Those that are missing go last: a stable sort keeps the order of the others.
    points = np.take_along_axis(points, np.argsort(points < 0, axis=1, kind="stable"), axis=1)
    return place, count[place], first[place], points, *prices[place].T


def _fit(count: Ints, spread: Floats, unit: Floats, rules: ChartRules) -> Floats:
    """Return 1 for five touches or more at the very same price."""
    often = np.minimum((count - 1) / 4.0, 1.0)
    fit: Floats = (often + 1.0 - spread / (2.0 * rules.touch * unit)) / 2.0
    return fit
