"""What is known of the market when a decision is made: bars that had closed, and the last price."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

import numpy as np

from domain.common.errors import NotFound
from domain.common.time import Clock
from domain.decisions.ports import MarketNow
from domain.market.building import LiveBars, joined
from domain.market.model import Bars, Session, Timeframe
from domain.market.ports import BarStore
from domain.trading.ports import Quotes

BARS = 30
_RANGE_BARS = 14
_DAY_MS = 86_400_000
# A volatility of long ago says nothing about now; holidays are shorter than this.
_STALE_BARS = 10
_KEPT_S = 60.0
_MOST_KEPT = 2_000


class StoredMarket:
    """``MarketView`` over stored bars, those that ticks made since, and the last known prices. Safe for threads.

    Args:
        live: bars of the ticks that this process saw; None where it sees none.
        until_ms: stored bars from then on do not exist yet, as in a replay.
    """

    def __init__(
        self,
        bars: BarStore,
        quotes: Quotes,
        clock: Clock,
        live: LiveBars | None = None,
        until_ms: int | None = None,
    ) -> None:
        self._bars = bars
        self._quotes = quotes
        self._clock = clock
        self._live = live
        self._until_ms = until_ms
        self._kept: OrderedDict[tuple[str, Timeframe, int, int], tuple[float, MarketNow]] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, symbol: str, at_ms: int, timeframe: Timeframe) -> MarketNow:
        """Return what was known of a symbol then."""
        shape = self._shape(symbol, at_ms, timeframe)
        quote = self._quotes.last(symbol)
        if quote is None or quote.time_ms > at_ms:
            return shape
        return MarketNow(
            float(quote.price),
            quote.time_ms,
            timeframe,
            shape.bars,
            shape.average_range,
            shape.volatility,
            shape.daily_volatility,
        )

    def _shape(self, symbol: str, at_ms: int, timeframe: Timeframe) -> MarketNow:
        """Return what the bars tell; looked up again after a minute, because bars are imported meanwhile."""
        live, now = self._seen(symbol, at_ms, timeframe), self._clock.monotonic()
        key = (symbol, timeframe, at_ms // timeframe.ms, 0 if live is None else int(live.time[-1]))
        with self._lock:
            known = self._kept.get(key)
        if known is not None and now - known[0] < _KEPT_S:
            return known[1]
        found = self._read(symbol, at_ms, timeframe, live)
        with self._lock:
            self._kept[key] = (now, found)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def _seen(self, symbol: str, at_ms: int, timeframe: Timeframe) -> Bars | None:
        """Return the bars that ticks made."""
        if self._live is None or self._live.timeframe is not timeframe:
            return None
        return self._live.closed(symbol, at_ms)

    def _read(self, symbol: str, at_ms: int, timeframe: Timeframe, live: Bars | None) -> MarketNow:
        stored, session = self._stored(symbol, at_ms, timeframe)
        bars = live if stored is None else stored if live is None else joined(stored, live)
        if bars is None or not len(bars) or int(bars.time[-1]) < at_ms - (_STALE_BARS + 1) * timeframe.ms:
            return MarketNow(None, None, timeframe)
        return shape_of(bars, timeframe, session)

    def _stored(self, symbol: str, at_ms: int, timeframe: Timeframe) -> tuple[Bars | None, Session]:
        ended = at_ms if self._until_ms is None else min(at_ms, self._until_ms)
        try:
            session = self._bars.describe(symbol, timeframe).session
            # Weekends and nights have no bars: three times as long a stretch holds enough of them.
            start = at_ms - 3 * BARS * timeframe.ms
            return self._bars.read(symbol, timeframe, start_ms=start, end_ms=ended - timeframe.ms + 1), session
        except NotFound:
            return None, Session.EXCHANGE


def shape_of(bars: Bars, timeframe: Timeframe, session: Session) -> MarketNow:
    """Return range and volatility of the last bars; None where there are too few."""
    last = bars.take(slice(max(0, len(bars) - BARS - 1), len(bars)))
    returns = np.diff(np.log(last.close))
    per_bar = float(np.std(returns, ddof=1)) if len(returns) >= _RANGE_BARS else None
    per_year = session.bars_per_year(timeframe)
    per_day = session.bars_per_year(Timeframe.D1)
    return MarketNow(
        None,
        None,
        timeframe,
        last.take(slice(max(0, len(last) - BARS), len(last))),
        _average_range(last),
        None if per_bar is None else per_bar * math.sqrt(per_year),
        None if per_bar is None else per_bar * math.sqrt(per_year / per_day),
    )


def _average_range(bars: Bars) -> float | None:
    """Return the average true range: the mean of the first 14, then smoothed (Wilder 1978)."""
    if len(bars) <= _RANGE_BARS:
        return None
    before = bars.close[:-1]
    ranges = np.maximum(bars.high[1:], before) - np.minimum(bars.low[1:], before)
    average = float(np.mean(ranges[:_RANGE_BARS]))
    for value in ranges[_RANGE_BARS:]:
        average += (float(value) - average) / _RANGE_BARS
    return average
