"""When exchanges trade: the sessions of exchange-calendars, and what our symbols mean by an exchange."""

from __future__ import annotations

import threading
import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.marketdata.special_sessions import special_sessions
from domain.market.building import FOREVER

# Our exchange prefixes by the ISO code that exchange-calendars knows; XBOM is the calendar of both Indian exchanges.
CALENDARS = {
    "NSE": "XBOM",
    "BSE": "XBOM",
    "NASDAQ": "XNYS",
    "NYSE": "XNYS",
    "ARCA": "XNYS",
    "AMEX": "XNYS",
    "US": "XNYS",
    "LSE": "XLON",
    "TSE": "XTKS",
    "HKEX": "XHKG",
}
ALWAYS = frozenset({"BINANCE", "COINBASE", "KRAKEN", "CRYPTO"})
FOREX = frozenset({"FX"})

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
# 1970-01-01 was a Thursday; the forex week runs from Sunday 22:00 to Friday 22:00 UTC.
_SUNDAY_MS = 3 * _DAY_MS + 22 * _HOUR_MS
_WEEK_MS = 7 * _DAY_MS
_FOREX_MS = 5 * _DAY_MS


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Openings and closings in milliseconds UTC, ascending; nothing is known outside ``first`` to ``last``."""

    opens: list[int]
    closes: list[int]
    first: int
    last: int

    def is_open(self, at: int) -> bool | None:
        if not self.first <= at < self.last:
            return None
        return self.around(at)[1] > at

    def around(self, at: int) -> tuple[int, int]:
        """Return the session that holds a moment, or an empty one."""
        place = bisect_right(self.opens, at) - 1
        if place < 0 or at >= self.closes[place]:
            return at, at
        return self.opens[place], self.closes[place]


class MarketHours:
    """Tells whether a symbol's exchange is open. Calendars are loaded when first needed; safe for threads.

    Args:
        extra: more sessions by calendar, as (open, close) in milliseconds UTC; by default the special ones that the
            library lacks.
    """

    def __init__(self, extra: Mapping[str, Sequence[tuple[int, int]]] | None = None) -> None:
        self._extra = special_sessions() if extra is None else extra
        self._loaded: dict[str, _Sessions] = {}
        self._lock = threading.Lock()

    def is_open(self, symbol: str, at_ms: int) -> bool | None:
        """Return whether a symbol trades at a time; None when its exchange or that time is not known."""
        exchange, colon, _ = symbol.partition(":")
        if not colon:
            return None
        if exchange in ALWAYS:
            return True
        if exchange in FOREX:
            return (at_ms - _SUNDAY_MS) % _WEEK_MS < _FOREX_MS
        calendar = CALENDARS.get(exchange)
        return None if calendar is None else self._sessions(calendar).is_open(at_ms)

    def session(self, symbol: str, at_ms: int) -> tuple[int, int]:
        """Return the open and close of the session that holds a moment; an empty one where the exchange is closed.

        A symbol that trades around the clock, and one whose hours nobody knows, has one session without an end.
        """
        opened = self.is_open(symbol, at_ms)
        calendar = CALENDARS.get(symbol.partition(":")[0]) if ":" in symbol else None
        if opened is False:
            return at_ms, at_ms
        if opened is None or calendar is None:
            return FOREVER
        return self._sessions(calendar).around(at_ms)

    def _sessions(self, calendar: str) -> _Sessions:
        with self._lock:
            if calendar not in self._loaded:
                self._loaded[calendar] = _load(calendar, self._extra.get(calendar, ()))
            return self._loaded[calendar]


def _load(calendar: str, extra: Sequence[tuple[int, int]]) -> _Sessions:
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own use of pandas is not ours to mend
        found = exchange_calendars.get_calendar(calendar)
        columns = (found.opens_nanos, found.break_starts_nanos, found.break_ends_nanos, found.closes_nanos)
    rows = zip(*((column // 1_000_000).tolist() for column in columns), strict=True)
    pairs = _without_overlaps([*extra, *(pair for row in rows for pair in _parts(*row))])
    return _Sessions(
        [opened for opened, _ in pairs], [closed for _, closed in pairs], pairs[0][0] - _DAY_MS, pairs[-1][1]
    )


def _parts(opened: int, lunch_from: int, lunch_to: int, closed: int) -> list[tuple[int, int]]:
    """Return a session, in two parts where there is a lunch break; a missing time is far below zero."""
    return [(opened, closed)] if lunch_from < 0 else [(opened, lunch_from), (lunch_to, closed)]


def _without_overlaps(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sessions in order; of two that overlap, as once the library knows a special one, the first counts."""
    kept: list[tuple[int, int]] = []
    for pair in sorted(set(pairs)):
        if not kept or pair[0] >= kept[-1][1]:
            kept.append(pair)
    return kept
