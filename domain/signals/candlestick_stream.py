"""The candlesticks of one symbol, bar by bar: TA-Lib keeps what it needs of the bars before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from domain.common.errors import Invalid
from domain.market.model import Bars, FloatColumn
from domain.signals.candlesticks import CANDLESTICKS, LOOK_BACK, Columns, completed

if TYPE_CHECKING:
    from talib.stream import CDLDOJI as Handle  # noqa: N811 - those of all candlesticks look like this one


class CandlestickStream:
    """Finds what each bar completes, with the same work for each. Not safe for threads.

    The values are those of TA-Lib over all bars at once. They depend on the last `LOOK_BACK` bars alone, so a stream
    that goes on from these is as good as one that has seen everything; it cannot be stored itself.

    Args:
        names: keys of `CANDLESTICKS`.
        before: closed bars that come before the first update.
    """

    def __init__(self, names: Iterable[str], before: Bars | None = None) -> None:
        self._names = tuple(names)
        self._handles: list[Handle] = []
        self._first = np.empty((0, 4))
        if before is not None:
            self._keep(np.stack((before.open, before.high, before.low, before.close), axis=1)[-LOOK_BACK:])

    def update(self, open: float, high: float, low: float, close: float) -> list[tuple[str, int]]:
        """Take a closed bar in and return the patterns that it completes, with TA-Lib's value: above zero is bullish.

        Raises:
            Invalid: a price is not finite; nothing has changed.
        """
        _check(open, high, low, close)
        if self._handles:
            return self._named([handle.update(open, high, low, close) for handle in self._handles])
        rows = np.vstack((self._first, (open, high, low, close)))
        found = completed(_columns(rows), self._names)
        self._keep(rows)
        return found

    def peek(self, open: float, high: float, low: float, close: float) -> list[tuple[str, int]]:
        """Return what `update` would return if a bar closed like this; nothing changes.

        Raises:
            Invalid: a price is not finite.
        """
        _check(open, high, low, close)
        if self._handles:
            return self._named([handle.peek(open, high, low, close) for handle in self._handles])
        return completed(_columns(np.vstack((self._first, (open, high, low, close)))), self._names)

    def _named(self, values: list[int]) -> list[tuple[str, int]]:
        return [(name, value) for name, value in zip(self._names, values, strict=True) if value]

    def _keep(self, rows: FloatColumn) -> None:
        """Keep the first bars until there are enough for TA-Lib's handles, which want a history."""
        self._first = rows
        if len(rows) >= LOOK_BACK:
            from talib import stream  # costly to import

            columns = _columns(rows)
            self._handles = [getattr(stream, CANDLESTICKS[name])(*columns) for name in self._names]


def _check(open: float, high: float, low: float, close: float) -> None:
    # Handles would refuse it one by one, with some of them already a bar further.
    if not math.isfinite(open + high + low + close):
        raise Invalid(f"a bar has finite prices, not {(open, high, low, close)}", code="invalid_bar")


def _columns(rows: FloatColumn) -> Columns:
    open_, high, low, close = np.ascontiguousarray(rows.T)
    return open_, high, low, close
