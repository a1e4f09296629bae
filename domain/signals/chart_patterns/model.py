"""What chart patterns are called, when they count, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHART_PATTERNS = (
    "ascending_triangle",
    "bear_flag",
    "bull_flag",
    "descending_triangle",
    "double_bottom",
    "double_top",
    "falling_wedge",
    "head_and_shoulders",
    "inverse_head_and_shoulders",
    "rectangle",
    "resistance_break",
    "resistance_rejection",
    "rising_wedge",
    "support_bounce",
    "support_break",
    "symmetrical_triangle",
    "triple_bottom",
    "triple_top",
)

MOST_POINTS = 6
"""How many turning points a hit keeps."""


@dataclass(frozen=True, slots=True)
class ChartRules:
    """When a shape counts. Prices are compared in units of the average true range (ATR), so that one set of rules
    holds for every instrument and timeframe; docs/patterns.md tells what each rule does.

    Args:
        atr: bars of the average true range (simple mean).
        reversal: how far a close must come back from an extreme for that to be a turning point, in ATR.
        same: two extremes are level with each other, and a boundary is flat, when they differ by no more, in ATR.
        shoulders: the same for the shoulders and for the ends of the neckline of a head and shoulders, in ATR.
        depth: the least height of a double or triple top or bottom, in ATR.
        apart: the fewest bars between the first and the last extreme of one.
        head: how far a head stands out beyond both shoulders at least, in ATR.
        narrowing: the most that a triangle or wedge may have left of its first height at its last turning point.
        beyond: how far a close must be beyond a boundary to break it, in ATR.
        touch: extremes within this distance touch the same level, in ATR.
        touches: how many make a level of support or resistance.
        memory: for how many bars a level is remembered after its last touch, and how long it may have taken to form.
        pole: the least height of a flag's pole, in ATR at its foot.
        pole_bars: the most bars of a pole.
        flag_bars: the fewest and the most bars of a flag.
        retrace: the most of its pole that a flag may give back, and the most that its channel may be high.
    """

    atr: int = 14
    reversal: float = 2.0
    same: float = 1.0
    shoulders: float = 2.0
    depth: float = 2.5
    apart: int = 8
    head: float = 1.0
    narrowing: float = 0.75
    beyond: float = 0.25
    touch: float = 0.5
    touches: int = 3
    memory: int = 250
    pole: float = 5.0
    pole_bars: int = 12
    flag_bars: tuple[int, int] = (4, 20)
    retrace: float = 0.5


@dataclass(frozen=True, slots=True)
class Swings:
    """The turning points of prices, high and low by turns; columns of shape (k,), ascending.

    ``bar``: where the extreme is. ``known``: the bar whose close proved it; nothing before may use it.
    ``price``: the high or low. ``kind``: 1 for a high, -1 for a low.
    """

    bar: Ints
    known: Ints
    price: Floats
    kind: Ints

    def __len__(self) -> int:
        return len(self.bar)

    def mirrored(self) -> Swings:
        """Return what they are when prices hang upside down."""
        return Swings(self.bar, self.known, -self.price, -self.kind)


@dataclass(frozen=True, slots=True)
class ChartHits:
    """Completed chart patterns, ordered by bar, then by name; columns with h entries.

    ``bar``: the bar whose close completes the pattern. ``pattern``: index into `CHART_PATTERNS`.
    ``strength``: 1…100 for bullish, -100…-1 for bearish: how well the shape fits its rule (100 is the ideal), which
    is no probability. ``target``: the classical measured move. ``invalidation``: beyond it the pattern has failed.
    ``points``: turning points (bar, price), shape (h, 6, 2), NaN where there are fewer. ``known``: the bars that
    proved them, shape (h, 6), -1 where there are fewer. ``lines``: (bar, price, bar, price) of the boundary that
    was broken and of the other one, shape (h, 2, 4), NaN where there is none.
    """

    bar: Ints
    pattern: Ints
    strength: Ints
    target: Floats
    invalidation: Floats
    points: Floats
    known: Ints
    lines: Floats

    def __len__(self) -> int:
        return len(self.bar)

    @classmethod
    def none(cls) -> ChartHits:
        """Return no hits."""
        whole, price = np.empty(0, np.int64), np.empty(0)
        points, known = np.empty((0, MOST_POINTS, 2)), np.empty((0, MOST_POINTS), np.int64)
        return cls(whole, whole, whole, price, price, points, known, np.empty((0, 2, 4)))

    def take(self, which: slice | Ints | NDArray[np.bool_]) -> ChartHits:
        """Return some of the hits, in that order."""
        return ChartHits(*(getattr(self, field.name)[which] for field in fields(self)))

    def name(self, hit: int) -> str:
        """Return what a hit is called."""
        return CHART_PATTERNS[self.pattern[hit]]
