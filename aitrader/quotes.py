"""Last known prices: pushed ones from SQL and the event bus, else the last stored bar's close."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from domain.common.errors import AITraderError, NotFound, Unavailable
from domain.common.events import EVERYONE, EventBus, PublishedEvent
from domain.common.time import Clock
from domain.market.model import Dataset, Timeframe
from domain.market.ports import BarStore
from domain.trading.brokerage import Quote
from domain.trading.shown import ShownQuotes
from domain.trading.views import MARKET_DATA, quote_data, quote_of
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

STORED = "stored bar"
_BELIEVED_S = 1.0
_STORED_BELIEVED_S = 60.0
_DECIMALS = 8
_MOST_KNOWN = 10_000


class QuoteBoard:
    """``Quotes`` of this process.

    A quote that another process took is heard on the bus, or read from SQL within a second. Where nobody ever pushed
    one, the close of the last stored bar stands in, with the time it was true and ``source`` ``stored bar``.
    """

    def __init__(
        self,
        unit_of_work: Callable[[], TradingWork],
        read_work: Callable[[], TradingWork],
        bars: BarStore,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._read_work = read_work
        self._bars = bars
        self._bus = bus
        self._clock = clock
        self._shown = ShownQuotes()
        self._looked: dict[str, float] = {}
        self._stored: dict[str, tuple[Quote | None, float]] = {}
        self._unsaved: dict[str, Quote] = {}
        self._lock = threading.Lock()

    def start(self) -> Callable[[], None]:
        """Hear what other processes take in, until the returned function is called."""
        return self._bus.listen(self._hear)

    def last(self, symbol: str) -> Quote | None:
        """Return the last known price; None when nobody ever said one."""
        if time.monotonic() - self._looked.get(symbol, -_BELIEVED_S) > _BELIEVED_S:
            with self._read_work() as work:
                found = list(work.quotes.get([symbol]))
            if found:
                self._shown.remember(found[0])
            self._believe(symbol)
        return self._shown.last(symbol) or self._from_bars(symbol)

    def newest(self, limit: int) -> Sequence[Quote]:
        """Return so many of the pushed quotes, the newest first."""
        with self._read_work() as work:
            return work.quotes.newest(limit)

    def listen(self, callback: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``callback`` for each new quote until the returned function is called."""
        return self._shown.listen(callback)

    def show(self, quote: Quote) -> None:
        """Make a price known in this process at once, and everywhere with the next ``flush``."""
        if self._shown.show(quote):
            self._believe(quote.symbol)
            with self._lock:
                self._unsaved[quote.symbol] = quote

    def flush(self) -> None:
        """Store the newest of what was shown, and tell every process.

        Raises:
            Unavailable: the database did not answer; the next flush stores them.
        """
        with self._lock:
            waiting, self._unsaved = self._unsaved, {}
        if not waiting:
            return
        try:
            self.save(list(waiting.values()))
        except AITraderError:
            with self._lock:
                self._unsaved = {**waiting, **self._unsaved}
            raise

    def save(self, quotes: Sequence[Quote]) -> None:
        """Store quotes and tell every process.

        Raises:
            Unavailable: the database did not answer.
        """
        with self._unit_of_work() as work:
            work.quotes.save(quotes)
            work.commit()
        now = self._clock.now_ms()
        try:
            self._bus.publish([PublishedEvent(MARKET_DATA, EVERYONE, 0, now, quote_data(quote)) for quote in quotes])
        except Unavailable as error:
            log.warning("quotes not announced; other processes read them from SQL", extra={"reason": error.detail})
        for quote in quotes:
            self._take(quote)

    def _hear(self, event: PublishedEvent) -> None:
        if event.topic == MARKET_DATA:
            self._take(quote_of(event.data))

    def _take(self, quote: Quote) -> None:
        if self._shown.show(quote):
            self._believe(quote.symbol)

    def _believe(self, symbol: str) -> None:
        """Note that a price is as new as can be known now."""
        if len(self._looked) > _MOST_KNOWN:
            self._looked.clear()
        self._looked[symbol] = time.monotonic()

    def _from_bars(self, symbol: str) -> Quote | None:
        known, looked = self._stored.get(symbol, (None, -_STORED_BELIEVED_S))
        if time.monotonic() - looked <= _STORED_BELIEVED_S:
            return known
        if len(self._stored) > _MOST_KNOWN:
            self._stored.clear()
        found = last_close(self._bars, symbol)
        self._stored[symbol] = (found, time.monotonic())
        return found


def last_close(bars: BarStore, symbol: str) -> Quote | None:
    """Return the close of the newest stored bar of a symbol, of whatever timeframe; None when there is none."""
    newest: tuple[int, Timeframe] | None = None
    for timeframe in Timeframe:
        dataset = _described(bars, symbol, timeframe)
        if dataset is not None and (newest is None or dataset.last_ms + timeframe.ms > newest[0]):
            newest = (dataset.last_ms + timeframe.ms, timeframe)
    if newest is None:
        return None
    closed, timeframe = newest
    column = bars.read(symbol, timeframe, start_ms=closed - timeframe.ms).close
    price = Decimal(repr(round(float(column[-1]), _DECIMALS)))
    return Quote(symbol, price, closed, source=STORED)


def _described(bars: BarStore, symbol: str, timeframe: Timeframe) -> Dataset | None:
    try:
        return bars.describe(symbol, timeframe)
    except NotFound:
        return None
    except AITraderError as error:
        log.warning("stored bars cannot be read", extra={"symbol": symbol, "reason": error.detail})
        return None
