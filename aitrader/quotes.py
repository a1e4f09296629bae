"""Last known prices: pushed ones from SQL and the event bus, else the last stored bar's close."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from domain.common.errors import AITraderError, NotFound, Unavailable
from domain.common.events import EVERYONE, EventBus, PublishedEvent
from domain.common.time import Clock
from domain.market.model import Dataset, Timeframe
from domain.market.ports import BarStore
from domain.trading.brokerage import Quote
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

TOPIC = "quotes"
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
        self._known: dict[str, tuple[Quote | None, float]] = {}
        self._stored: dict[str, tuple[Quote | None, float]] = {}
        self._listeners: list[Callable[[Quote], None]] = []
        self._lock = threading.Lock()

    def start(self) -> Callable[[], None]:
        """Hear what other processes take in, until the returned function is called."""
        return self._bus.listen(self._hear)

    def last(self, symbol: str) -> Quote | None:
        """Return the last known price; None when nobody ever said one."""
        known, looked = self._known.get(symbol, (None, 0.0))
        if time.monotonic() - looked > _BELIEVED_S:
            with self._read_work() as work:
                found = list(work.quotes.get([symbol]))
            known = self._newer(found[0] if found else None, symbol)
        return known or self._from_bars(symbol)

    def listen(self, callback: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``callback`` for each new quote until the returned function is called."""

        def listener(quote: Quote) -> None:  # one per call, so that equal callbacks are told apart
            callback(quote)

        with self._lock:
            self._listeners = [*self._listeners, listener]

        def stop() -> None:
            with self._lock:
                self._listeners = [other for other in self._listeners if other is not listener]

        return stop

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
            self._bus.publish([PublishedEvent(TOPIC, EVERYONE, 0, now, quote_view(quote)) for quote in quotes])
        except Unavailable as error:
            log.warning("quotes not announced; other processes read them from SQL", extra={"reason": error.detail})
        for quote in quotes:
            self._take(quote)

    def _hear(self, event: PublishedEvent) -> None:
        if event.topic == TOPIC:
            self._take(_from_view(event.data))

    def _take(self, quote: Quote) -> None:
        with self._lock:
            known = self._known.get(quote.symbol, (None, 0.0))[0]
            if known is not None and known.time_ms >= quote.time_ms:
                return
            self._known[quote.symbol] = (quote, time.monotonic())
            listeners = self._listeners
        for listener in listeners:
            try:
                listener(quote)
            except Exception:
                log.exception("a listener of quotes failed")

    def _newer(self, read: Quote | None, symbol: str) -> Quote | None:
        with self._lock:
            known = self._known.get(symbol, (None, 0.0))[0]
            if known is None or (read is not None and read.time_ms > known.time_ms):
                known = read
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[symbol] = (known, time.monotonic())
        return known

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


def quote_view(quote: Quote) -> dict[str, Any]:
    """Return a quote as JSON types, for other processes."""
    texts = {name: getattr(quote, name) for name in ("price", "bid", "ask", "volume")}
    return {
        "symbol": quote.symbol,
        "time_ms": quote.time_ms,
        "source": quote.source,
        **{name: None if value is None else format(value, "f") for name, value in texts.items()},
    }


def _from_view(data: dict[str, Any]) -> Quote:
    bid, ask, volume = (None if data[name] is None else Decimal(data[name]) for name in ("bid", "ask", "volume"))
    price = Decimal(data["price"])
    return Quote(data["symbol"], price, data["time_ms"], bid, ask, volume, source=data["source"])
