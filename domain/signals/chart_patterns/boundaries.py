"""Triangles, wedges and rectangles: prices between two lines, until a close is beyond one of them."""

from __future__ import annotations

import numpy as np

from domain.signals.chart_patterns.formations import (
    CLOSING,
    FALLING,
    FLAT_BOTTOM,
    FLAT_TOP,
    RANGE,
    RISING,
    Formations,
    Found,
    Mask,
    Shape,
    Turns,
    ending_anyhow,
    height_of,
    level,
    through,
)
from domain.signals.chart_patterns.model import ChartRules, Floats, Ints, Swings


def boundaries(swings: Swings, atr: Floats, rules: ChartRules) -> list[Found]:
    """Return triangles, wedges and rectangles: the last two highs and the last two lows, and the lines through them.

    Four turning points are enough (E&M; TB wants a fifth for wedges). A side is flat when its two points are level.
    Triangles and wedges have narrowed, and end at their apex. A shape waits as long as it took to form. Targets: the
    height at the first turning point, from the break on (E&M, TB); of a falling wedge its highest high (TB). Invalid
    below the last low; a rectangle below its lowest.
    """
    frames = _Frames(ending_anyhow(swings, atr, 4), rules)
    top, bottom, narrow = frames.top, frames.bottom, frames.narrow
    # Of nothing is left, everything has closed in: 1. Both sides alike: 1.
    closed = 1.0 - frames.left
    alike = np.minimum(np.abs(top), np.abs(bottom)) / np.maximum(np.maximum(np.abs(top), np.abs(bottom)), 1.0)
    even_top, even_bottom = 1.0 - np.abs(top), 1.0 - np.abs(bottom)
    flat_top, flat_bottom = np.abs(top) <= 1.0, np.abs(bottom) <= 1.0
    return [
        frames.closing(FLAT_TOP, narrow & flat_top & (bottom > 1.0), (closed + even_top) / 2.0),
        frames.closing(FLAT_BOTTOM, narrow & (top < -1.0) & flat_bottom, (closed + even_bottom) / 2.0),
        frames.closing(CLOSING, narrow & (top < -1.0) & (bottom > 1.0), (closed + alike) / 2.0),
        frames.closing(FALLING, narrow & (top < -1.0) & (bottom < -1.0), closed),
        frames.closing(RISING, narrow & (top > 1.0) & (bottom > 1.0), closed),
        frames.ranging(flat_top & flat_bottom, (even_top + even_bottom) / 2.0),
    ]


class _Frames:
    """The lines through two highs and two lows of each shape, and how they lie.

    ``top`` and ``bottom``: how far each line rises from its first point to its second, in units of what still counts
    as level. ``left``: which part of the height at the first turning point is left at the last one.
    """

    def __init__(self, turns: Turns, rules: ChartRules) -> None:
        self.turns = turns
        self._high_last = turns.kind > 0
        self._tops = (*self._turn(2, 3), *self._turn(0, 1))
        self._bottoms = (*self._turn(3, 2), *self._turn(1, 0))
        self._upper, self._lower = through(*self._tops), through(*self._bottoms)
        self._opened = self._height(turns.bar(3))
        self.left = self._height(turns.bar(0)) / self._opened
        self.narrow: Mask = (self.left > 0.0) & (self.left <= rules.narrowing)
        self.top = (self._tops[3] - self._tops[1]) / (rules.same * turns.unit)
        self.bottom = (self._bottoms[3] - self._bottoms[1]) / (rules.same * turns.unit)

    def _turn(self, when_high: int, when_low: int) -> tuple[Ints, Floats]:
        """Return bar and price of a turning point, counted back from a last one that is a high or a low."""
        bar = np.where(self._high_last, self.turns.bar(when_high), self.turns.bar(when_low))
        return bar, np.where(self._high_last, self.turns.price(when_high), self.turns.price(when_low))

    def _height(self, bar: Ints) -> Floats:
        return height_of(self._upper, bar) - height_of(self._lower, bar)

    def closing(self, shape: Shape, good: Mask, fit: Floats) -> Found:
        """Return the shapes whose lines meet."""
        first, last = self.turns.bar(3)[good], self.turns.bar(0)[good]
        apex = first + (last - first) / (1.0 - self.left[good])
        until = np.minimum(2 * last - first, np.ceil(apex).astype(np.int64) - 1)
        highest = np.maximum(self._tops[1], self._tops[3])[good]
        target = highest if shape is FALLING else np.full(len(first), np.nan)
        lines = self._upper[good], self._lower[good]
        return self._found(shape, good, lines, self._opened[good], target, self._bottoms[3][good], fit[good], until)

    def ranging(self, good: Mask, fit: Floats) -> Found:
        """Return the shapes whose lines are level: through the highest high and the lowest low."""
        first, last = self.turns.bar(3)[good], self.turns.bar(0)[good]
        top = np.maximum(self._tops[1], self._tops[3])[good]
        bottom = np.minimum(self._bottoms[1], self._bottoms[3])[good]
        lines, target = (level(first, top), level(first, bottom)), np.full(len(first), np.nan)
        return self._found(RANGE, good, lines, top - bottom, target, bottom, fit[good], 2 * last - first)

    def _found(
        self,
        shape: Shape,
        good: Mask,
        lines: tuple[Floats, Floats],
        height: Floats,
        target: Floats,
        bottom: Floats,
        fit: Floats,
        until: Ints,
    ) -> Found:
        turns = self.turns.where(good)
        first, last = turns.bar(3), turns.bar(0)
        formations = Formations(
            known=turns.known,
            first=first,
            last=last,
            begin=first + 1,
            until=until,
            unit=turns.unit,
            line=lines[0],
            stop=lines[1],
            height=height,
            target=target,
            invalidation=bottom,
            fit=fit,
            points=turns.points(4),
        )
        return Found(shape, formations, channel=True)
