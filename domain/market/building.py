"""Bars of ticks, as they close: constant work for each tick, and the last bars of each symbol in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from domain.market.model import Bars, Timeframe

KEPT = 64
FOREVER = (0, 2**62)

SessionOf = Callable[[str, int], tuple[int, int]]
"""Returns the session (open, close) of a symbol that holds a moment; ``FOREVER`` where it always trades or where
nobody knows; an empty one where the exchange is closed. Milliseconds UTC."""

Row = tuple[int, float, float, float, float, float]


def always(symbol: str, at_ms: int) -> tuple[int, int]:
    """Return that a symbol trades at all times."""
    return FOREVER


class _Forming:
    __slots__ = ("close", "closed", "end", "high", "low", "open", "start", "volume")

    def __init__(self) -> None:
        self.start = self.end = 0
        self.open = self.high = self.low = self.close = self.volume = 0.0
        self.closed: deque[Row] = deque(maxlen=KEPT)


class LiveBars:
    """The bars of many symbols. Bars begin at the open of the session and end with it. Not safe for threads.

    A bar is closed by the first tick after its end: until then nobody knows that no other trade belongs to it. Ticks
    outside of sessions, such as those of an auction before the open, belong to no bar.

    Args:
        timeframe: the length of a bar.
        session_of: when symbols trade.
    """

    def __init__(self, timeframe: Timeframe = Timeframe.M1, session_of: SessionOf = always) -> None:
        self.timeframe = timeframe
        self._session_of = session_of
        self._symbols: dict[str, _Forming] = {}

    def update(self, symbol: str, price: float, volume: float, time_ms: int) -> bool:
        """Take a tick in; return whether a bar closed before it. Ticks of closed bars change nothing."""
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = _Forming()
        if time_ms < known.start:
            return False
        if time_ms >= known.end:
            return self._turn(known, symbol, price, volume, time_ms)
        known.close = price
        known.volume += volume
        if price > known.high:
            known.high = price
        elif price < known.low:
            known.low = price
        return False

    def _turn(self, known: _Forming, symbol: str, price: float, volume: float, time_ms: int) -> bool:
        closing = known.end > known.start
        if closing:
            row = (known.start, known.open, known.high, known.low, known.close, known.volume)
            known.closed.append(row)
        opened, closed = self._session_of(symbol, time_ms)
        if not opened <= time_ms < closed:
            known.start = known.end = time_ms
            return closing
        step = self.timeframe.ms
        known.start = time_ms - (time_ms - opened) % step
        known.end = min(known.start + step, closed)
        known.open = known.high = known.low = known.close = price
        known.volume = volume
        return closing

    def closed(self, symbol: str, at_ms: int | None = None) -> Bars | None:
        """Return the last bars of a symbol that had closed; None without any.

        Args:
            at_ms: leave out what had not ended then.
        """
        known = self._symbols.get(symbol)
        rows = [] if known is None else list(known.closed)
        if at_ms is not None:
            rows = [row for row in rows if row[0] + self.timeframe.ms <= at_ms]
        return bars_of(rows) if rows else None

    def last(self, symbol: str) -> Row:
        """Return the last bar of a symbol that had closed; there must be one."""
        return self._symbols[symbol].closed[-1]

    def before_last(self, symbol: str) -> Bars | None:
        """Return the bars of a symbol that had closed before that one; None without any."""
        rows = list(self._symbols[symbol].closed)[:-1]
        return bars_of(rows) if rows else None

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON types, exact."""
        return {
            symbol: {
                "forming": [known.start, known.end, known.open, known.high, known.low, known.close, known.volume],
                "closed": list(known.closed),
            }
            for symbol, known in self._symbols.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what was dumped, under the same timeframe."""
        for symbol, kept in state.items():
            known = self._symbols[symbol] = _Forming()
            start, end, known.open, known.high, known.low, known.close, known.volume = kept["forming"]
            known.start, known.end = int(start), int(end)
            known.closed.extend(tuple(row) for row in kept["closed"])


def bars_of(rows: list[Row]) -> Bars:
    """Return rows of (time, open, high, low, close, volume) as columns."""
    time, *prices = zip(*rows, strict=True)
    return Bars(np.array(time, np.int64), *(np.array(column, np.float64) for column in prices))


def joined(older: Bars, newer: Bars) -> Bars:
    """Return bars with those of ``newer`` in place of what ``older`` has from its first on."""
    before = older.take(slice(0, int(np.searchsorted(older.time, newer.time[0]))))
    columns = zip(before.columns(), newer.columns(), strict=True)
    return Bars(*(np.concatenate(pair) for pair in columns))
