"""Ticks made of bars, for replays and practice: they keep a bar's prices, and invent the way between them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

import numpy as np

from domain.market.model import Bars, Timeframe
from domain.market.ticks import Tick

TICKS_PER_BAR = 4


def ticks_of_bars(symbol: str, bars: Bars, timeframe: Timeframe, per_bar: int = TICKS_PER_BAR) -> Iterator[Tick]:
    """Yield the ticks of bars: open, the extreme nearer to the open, the other one, close, a quarter of a bar apart.

    The last tick comes a millisecond before the bar's end; with more than four, those between lie on straight lines.
    Each tick has its share of the volume. Nothing is drawn at random, and nothing of a later bar is used.

    Args:
        per_bar: how many ticks a bar becomes; at least 4.
    """
    knots = np.linspace(0, 3, per_bar)
    offsets = np.round(np.linspace(0, timeframe.ms, per_bar + 1)).astype(np.int64)[:-1]
    offsets[-1] = timeframe.ms - 1
    for row in zip(*bars.columns(), strict=True):
        start, opened, high, low, close, volume = row
        first, second = (low, high) if opened - low < high - opened else (high, low)
        path = np.interp(knots, [0, 1, 2, 3], [opened, first, second, close])
        share = float(volume) / per_bar
        for offset, price in zip(offsets.tolist(), path.tolist(), strict=True):
            yield Tick(symbol, price, share, int(start) + offset)


def merged(by_symbol: Mapping[str, Iterator[Tick]]) -> Iterator[Tick]:
    """Yield the ticks of many symbols by time; where times are equal, by symbol."""
    return heapq.merge(*(by_symbol[name] for name in sorted(by_symbol)), key=lambda tick: (tick.time_ms, tick.symbol))
