"""Finding the patterns. The result at a bar depends on that bar and those before it only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import talib
from numpy.typing import NDArray

from aitrader.api import Bars
from plugins.pattern_scan.patterns import NEUTRAL, TALIB_FUNCTIONS


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits ordered by bar, then by pattern name; columns of shape (h,).

    ``bar``: index of the bar that completes the pattern. ``pattern``: index into ``names``.
    ``strength``: TA-Lib's value, never 0.
    """

    names: tuple[str, ...]
    bar: NDArray[np.int64]
    pattern: NDArray[np.int64]
    strength: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bar)

    def since(self, first_bar: int) -> Hits:
        """Return the hits at ``first_bar`` or later."""
        start = int(np.searchsorted(self.bar, first_bar))
        return Hits(self.names, self.bar[start:], self.pattern[start:], self.strength[start:])

    def counts(self) -> dict[str, int]:
        """Return how many hits each pattern has."""
        return dict(zip(self.names, np.bincount(self.pattern, minlength=len(self.names)).tolist(), strict=True))

    def direction(self, hit: int) -> str:
        """Return ``bullish``, ``bearish`` or ``neutral``."""
        if self.names[self.pattern[hit]] in NEUTRAL:
            return "neutral"
        return "bullish" if self.strength[hit] > 0 else "bearish"


def scan(bars: Bars, patterns: Sequence[str], each: Callable[[int], None] = lambda done: None) -> Hits:
    """Return every hit of ``patterns``, by TA-Lib with its default candle settings and parameters.

    Args:
        bars: n bars, ascending.
        patterns: names of `TALIB_FUNCTIONS`.
        each: called with the number of patterns done before each pattern; may raise to stop.
    """
    names = tuple(sorted(patterns))
    bar, pattern, strength = [_NONE], [_NONE], [_NONE]
    for index, name in enumerate(names):
        each(index)
        values = getattr(talib, TALIB_FUNCTIONS[name])(bars.open, bars.high, bars.low, bars.close)
        found = np.flatnonzero(values)
        bar.append(found)
        pattern.append(np.full(len(found), index, dtype=np.int64))
        strength.append(values[found].astype(np.int64))
    where = np.concatenate(bar)
    order = np.argsort(where, kind="stable")
    return Hits(names, where[order], np.concatenate(pattern)[order], np.concatenate(strength)[order])


_NONE = np.empty(0, dtype=np.int64)
