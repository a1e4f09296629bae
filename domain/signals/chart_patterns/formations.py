"""Shapes that wait for the close that completes them, and what their rules are written with.

All rules are for a break upwards; `finding` turns prices upside down for the others. Turning points are compared in
whole columns: the newest of each shape, the one before it, and so on. The rules are those of three sources, measured
in average true ranges instead of percent or by eye:

E&M: R. D. Edwards, J. Magee, *Technical Analysis of Stock Trends*.
TB: T. N. Bulkowski, *Encyclopedia of Chart Patterns*, and thepatternsite.com.
LMW: A. W. Lo, H. Mamaysky, J. Wang, "Foundations of Technical Analysis", *Journal of Finance* 55 (2000), 1705-1765.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from domain.signals.chart_patterns.model import MOST_POINTS, Floats, Ints, Swings

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a shape is called when it breaks upwards, and when its mirror image breaks downwards."""

    bullish: str
    bearish: str


DOUBLE = Shape("double_bottom", "double_top")
TRIPLE = Shape("triple_bottom", "triple_top")
HEAD = Shape("inverse_head_and_shoulders", "head_and_shoulders")
FLAT_TOP = Shape("ascending_triangle", "descending_triangle")
FLAT_BOTTOM = Shape("descending_triangle", "ascending_triangle")
CLOSING = Shape("symmetrical_triangle", "symmetrical_triangle")
FALLING = Shape("falling_wedge", "rising_wedge")
RISING = Shape("rising_wedge", "falling_wedge")
RANGE = Shape("rectangle", "rectangle")
BREAK = Shape("resistance_break", "support_break")
BOUNCE = Shape("support_bounce", "resistance_rejection")
FLAG = Shape("bull_flag", "bear_flag")


@dataclass(frozen=True, slots=True)
class Formations:
    """Shapes of one kind, in the order in which they became known; columns with m entries.

    ``known``: the bar from which on all of the shape is known. ``first`` and ``last``: the bars of its first and last
    turning point. ``begin``: from here on no close may have been beyond its boundaries. ``until``: the last bar that
    may complete it. ``unit``: the ATR at ``known``. ``line`` and ``stop``: (bar, price, slope) of the boundary to
    break and of the one that ends the shape, shape (m, 3). ``height``: from the break to the target; ``target``: the
    target itself where it is a price, else NaN. ``fit``: 0…1, 1 is the ideal. ``points``: places of its turning
    points among all, oldest first, shape (m, 6), -1 where there are fewer.
    """

    known: Ints
    first: Ints
    last: Ints
    begin: Ints
    until: Ints
    unit: Floats
    line: Floats
    stop: Floats
    height: Floats
    target: Floats
    invalidation: Floats
    fit: Floats
    points: Ints

    def __len__(self) -> int:
        return len(self.known)

    def take(self, which: Ints | Mask) -> Formations:
        """Return some of them."""
        return Formations(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Found:
    """Formations with what they are. ``channel``: whether ``stop`` is a boundary of the shape, to be drawn."""

    shape: Shape
    formations: Formations
    channel: bool = False


class Turns:
    """The last turning points of many shapes at once: ``turns.price(2)`` is the column of their third newest.

    Args:
        swings: all turning points.
        atr: the average true range of each bar.
        newest: places of the newest turning point of each shape, ascending.
    """

    def __init__(self, swings: Swings, atr: Floats, newest: Ints) -> None:
        self.newest = newest
        self.known = swings.known[newest]
        self.unit = atr[self.known]
        self.kind = swings.kind[newest]
        self._swings = swings
        self._atr = atr

    def price(self, back: int) -> Floats:
        """Return the prices of the turning points so many before the newest."""
        return self._swings.price[self.newest - back]

    def bar(self, back: int) -> Ints:
        """Return their bars."""
        return self._swings.bar[self.newest - back]

    def where(self, mask: Mask) -> Turns:
        """Return those that hold."""
        return Turns(self._swings, self._atr, self.newest[mask])

    def points(self, count: int) -> Ints:
        """Return the places of the last ``count``, oldest first, as `Formations` keeps them."""
        places = np.full((len(self.newest), MOST_POINTS), -1, np.int64)
        places[:, :count] = self.newest[:, None] - np.arange(count - 1, -1, -1)
        return places


def ending_low(swings: Swings, atr: Floats, fewest: int) -> Turns:
    """Return the shapes that may end with a low and have at least ``fewest`` turning points."""
    places = np.arange(fewest - 1, len(swings))
    return Turns(swings, atr, places[swings.kind[places] < 0])


def ending_anyhow(swings: Swings, atr: Floats, fewest: int) -> Turns:
    """Return the shapes that may end with any turning point and have at least ``fewest``."""
    return Turns(swings, atr, np.arange(fewest - 1, len(swings)))


def level(bar: Ints, price: Floats) -> Floats:
    """Return level lines, as rows of (bar, price, slope)."""
    return np.stack((bar.astype(np.float64), price, np.zeros(len(bar))), axis=1)


def through(bar: Ints, price: Floats, later_bar: Ints, later_price: Floats) -> Floats:
    """Return the lines through two points each."""
    return np.stack((bar.astype(np.float64), price, (later_price - price) / (later_bar - bar)), axis=1)


def height_of(line: Floats, bar: Ints) -> Floats:
    """Return the prices of lines at bars."""
    prices: Floats = line[:, 1] + line[:, 2] * (bar - line[:, 0])
    return prices


def even(differences: Sequence[Floats], reach: Floats) -> Floats:
    """Return 1 where all differences are nothing, 0 where all are as large as they may be."""
    parts = [1.0 - np.abs(difference) / reach for difference in differences]
    mean: Floats = np.mean(parts, axis=0)
    return mean
