"""Symbols, timeframes and bars. Bars are columns, never lists of objects."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import FieldError, Invalid

FloatColumn = NDArray[np.float64]
TimeColumn = NDArray[np.int64]
Selection = slice | NDArray[np.bool_] | NDArray[np.int64]

_SYMBOL = re.compile(r"(?:[A-Z0-9]{1,12}:)?[A-Z0-9^][A-Z0-9._&^-]{0,31}")


class Timeframe(StrEnum):
    """The length of a bar."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return _TIMEFRAME_MS[self]


_MINUTE = 60_000
_TIMEFRAME_MS = {
    Timeframe.M1: _MINUTE,
    Timeframe.M5: 5 * _MINUTE,
    Timeframe.M15: 15 * _MINUTE,
    Timeframe.M30: 30 * _MINUTE,
    Timeframe.H1: 60 * _MINUTE,
    Timeframe.H4: 240 * _MINUTE,
    Timeframe.D1: 1440 * _MINUTE,
    Timeframe.W1: 7 * 1440 * _MINUTE,
}


class Session(StrEnum):
    """When an instrument trades; decides how many bars make a year.

    ``exchange``: 252 sessions of 6.5 hours a year. ``forex``: 252 sessions of 24 hours.
    ``always``: 365 days of 24 hours (crypto).
    """

    EXCHANGE = "exchange"
    FOREX = "forex"
    ALWAYS = "always"

    def bars_per_year(self, timeframe: Timeframe) -> float:
        """Return N, the number of bars of ``timeframe`` in a year, used to annualise metrics."""
        if timeframe is Timeframe.W1:
            return 52.0
        days, hours = _SESSION_SHAPE[self]
        if timeframe is Timeframe.D1:
            return days
        return days * max(1.0, hours * 3_600_000 / timeframe.ms)


_SESSION_SHAPE = {
    Session.EXCHANGE: (252.0, 6.5),
    Session.FOREX: (252.0, 24.0),
    Session.ALWAYS: (365.0, 24.0),
}


def parse_symbol(text: str) -> str:
    """Return ``EXCHANGE:SYMBOL`` or a bare symbol in upper case.

    Raises:
        Invalid: it has characters that no symbol has.
    """
    symbol = text.strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise Invalid(
            f"{text[:40]!r} is not a symbol; expected EXCHANGE:SYMBOL or SYMBOL, such as NASDAQ:AAPL",
            code="invalid_symbol",
            errors=[FieldError("symbol", "expected EXCHANGE:SYMBOL or SYMBOL")],
        )
    return symbol


@dataclass(frozen=True, slots=True)
class Bars:
    """OHLCV columns of equal length n, ascending by time.

    ``time`` is int64 milliseconds UTC of each bar's *open*; a bar is known only at its close.
    ``open high low close`` are float64 prices in the instrument's currency, ``volume`` float64 units.
    """

    time: TimeColumn
    open: FloatColumn
    high: FloatColumn
    low: FloatColumn
    close: FloatColumn
    volume: FloatColumn

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, start_ms: int | None = None, end_ms: int | None = None) -> Bars:
        """Return the bars with start_ms ≤ time < end_ms. Columns are views, not copies."""
        first = 0 if start_ms is None else int(np.searchsorted(self.time, start_ms, side="left"))
        last = len(self) if end_ms is None else int(np.searchsorted(self.time, end_ms, side="left"))
        return self.take(slice(first, last))

    def take(self, which: Selection) -> Bars:
        """Return the bars of a slice (as views), of a mask or at positions (as copies), in that order."""
        values = (self.open, self.high, self.low, self.close, self.volume)
        return Bars(self.time[which], *(column[which] for column in values))

    def columns(self) -> tuple[TimeColumn, FloatColumn, FloatColumn, FloatColumn, FloatColumn, FloatColumn]:
        """Return the columns in the order time, open, high, low, close, volume."""
        return self.time, self.open, self.high, self.low, self.close, self.volume

    def data_hash(self) -> str:
        """Return a SHA-256 hex digest over all columns; equal data gives an equal hash on any machine."""
        digest = hashlib.sha256()
        for column in self.columns():
            digest.update(np.ascontiguousarray(column).astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is stored about one symbol and timeframe.

    ``first_ms`` and ``last_ms`` are the opens of the first and last bar, in milliseconds UTC.
    """

    symbol: str
    timeframe: Timeframe
    session: Session
    currency: str
    rows: int
    first_ms: int
    last_ms: int
    source: str
    imported_ms: int
    data_hash: str
