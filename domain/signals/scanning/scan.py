"""Finding the patterns. The result at a bar depends on that bar and those before it only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import unwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.market.model import Bars, FloatColumn
from domain.signals.candlesticks import CANDLESTICKS, NEUTRAL_CANDLESTICKS
from domain.signals.chart_patterns.finding import find_chart_patterns
from domain.signals.chart_patterns.model import CHART_PATTERNS, ChartHits

IntColumn = NDArray[np.int64]

_NONE = np.empty(0, np.int64)
_CHARTED = frozenset(CHART_PATTERNS)


@dataclass(frozen=True, slots=True)
class PatternHits:
    """PatternHits ordered by bar, then by pattern name; columns of shape (h,).

    ``bar``: index of the bar that completes the pattern. ``pattern``: index into ``names``.
    ``strength``: TA-Lib's value for a candlestick, the fit of the shape for a chart pattern; never 0.
    ``chart``: which of ``shapes`` a chart pattern is, -1 for a candlestick.
    """

    names: tuple[str, ...]
    bar: NDArray[np.int64]
    pattern: NDArray[np.int64]
    strength: NDArray[np.int64]
    chart: NDArray[np.int64]
    shapes: ChartHits

    def __len__(self) -> int:
        return len(self.bar)

    def since(self, first_bar: int) -> PatternHits:
        """Return the hits at ``first_bar`` or later."""
        rows = slice(int(np.searchsorted(self.bar, first_bar)), None)
        columns = (self.bar[rows], self.pattern[rows], self.strength[rows], self.chart[rows])
        return PatternHits(self.names, *columns, self.shapes)

    def counts(self) -> dict[str, int]:
        """Return how many hits each pattern has."""
        return dict(zip(self.names, np.bincount(self.pattern, minlength=len(self.names)).tolist(), strict=True))

    def direction(self, hit: int) -> str:
        """Return ``bullish``, ``bearish`` or ``neutral``."""
        if self.names[self.pattern[hit]] in NEUTRAL_CANDLESTICKS:
            return "neutral"
        return "bullish" if self.strength[hit] > 0 else "bearish"

    def signs(self) -> NDArray[np.int64]:
        """Return 1 for each bullish hit, -1 for each bearish and 0 for each neutral one."""
        neutral = np.array([name in NEUTRAL_CANDLESTICKS for name in self.names])
        return np.where(neutral[self.pattern], 0, np.sign(self.strength))

    def price(self, column: FloatColumn) -> FloatColumn:
        """Return a column of ``shapes`` for each hit; NaN for candlesticks."""
        if not len(self.shapes):
            return np.full(len(self), np.nan)
        return np.where(self.chart >= 0, column[self.chart], np.nan)


def scan_patterns(
    bars: Bars, patterns: Sequence[str], each: Callable[[int], None] = lambda done: None
) -> PatternHits:
    """Return every hit of ``patterns``, candlesticks by TA-Lib with its default candle settings and parameters.

    Args:
        bars: n bars, ascending.
        patterns: names of `CANDLESTICKS` and `CHART_PATTERNS`.
        each: called with the number of patterns done before each pattern; may raise to stop.
    """
    names = tuple(sorted(patterns))
    columns = (bars.open, bars.high, bars.low, bars.close)
    found: list[tuple[int, IntColumn, NDArray[np.int32]]] = []
    for number, name in enumerate(names):
        if name in CANDLESTICKS:
            each(len(found))
            values = _function(name)(*columns)
            where = values.astype(np.bool_).nonzero()[0]
            found.append((number, where, values[where]))
    shapes, named = _shapes(bars, names, lambda: each(len(found)))
    return _hits(names, _candlestick_keys(found, len(bars)), _keys(shapes.bar, named, shapes.strength), shapes)


@cache
def _function(name: str) -> Callable[..., NDArray[np.int32]]:
    """Return TA-Lib's function itself: around it, TA-Lib looks for columns of pandas and polars."""
    import talib  # costly to import

    function: Callable[..., NDArray[np.int32]] = unwrap(getattr(talib, CANDLESTICKS[name]))
    return function


def _keys(bar: IntColumn, pattern: IntColumn | int, strength: NDArray[Any]) -> IntColumn:
    """Return hits as one number each: bar, pattern (8 bits), strength + 2048 (12 bits)."""
    keys = bar << 20
    keys |= np.left_shift(pattern, 12) + 2048
    keys += strength
    return keys


def _candlestick_keys(found: Sequence[tuple[int, IntColumn, NDArray[np.int32]]], bars: int) -> IntColumn:
    """Return the keys of hits that come pattern by pattern, in order: each goes where its bar's next one belongs."""
    if not found:
        return _NONE
    following = np.bincount(np.concatenate([where for _, where, _ in found]), minlength=bars)
    total = int(following.sum())
    following = np.cumsum(following) - following
    keys = np.empty(total, np.int64)
    for number, where, strength in found:
        places = following[where]
        keys[places] = _keys(where, number, strength)
        following[where] = places + 1
    return keys


def _hits(names: tuple[str, ...], candlesticks: IntColumn, charts: IntColumn, shapes: ChartHits) -> PatternHits:
    keys = candlesticks
    if len(charts):
        keys = np.concatenate((candlesticks, charts))
        keys.sort(kind="stable")  # of what is in order already it takes the stretches
    pattern = keys >> 12
    pattern &= 255
    strength = keys & 4095
    strength -= 2048
    keys >>= 20
    chart = np.broadcast_to(np.int64(-1), keys.shape)
    if len(shapes):  # they are in the same order
        chart = chart.copy()
        chart[np.array([name in _CHARTED for name in names])[pattern]] = np.arange(len(shapes))
    return PatternHits(names, keys, pattern, strength, chart, shapes)


def _shapes(bars: Bars, names: tuple[str, ...], start: Callable[[], None]) -> tuple[ChartHits, IntColumn]:
    """Return the chart patterns of these names, and their places among the names."""
    if _CHARTED.isdisjoint(names):
        return ChartHits.none(), _NONE
    start()
    numbers = np.array([names.index(name) if name in names else -1 for name in CHART_PATTERNS])
    found = find_chart_patterns(bars)
    found = found.take(numbers[found.pattern] >= 0)
    return found, numbers[found.pattern]
