"""The newest price of each symbol, in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from domain.trading.brokerage import Quote

log = logging.getLogger(__name__)

_MOST_KNOWN = 10_000


class ShownQuotes:
    """``Quotes`` of what was shown here. Only a newer price replaces an older one. Safe for threads."""

    def __init__(self) -> None:
        self._known: dict[str, Quote] = {}
        self._listeners: list[Callable[[Quote], None]] = []
        self._lock = threading.Lock()

    def last(self, symbol: str) -> Quote | None:
        """Return the newest price; None when none was shown."""
        return self._known.get(symbol)

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

    def remember(self, quote: Quote) -> bool:
        """Keep a price without telling anyone; return whether it was newer."""
        with self._lock:
            known = self._known.get(quote.symbol)
            if known is not None and known.time_ms >= quote.time_ms:
                return False
            if known is None and len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[quote.symbol] = quote
        return True

    def show(self, quote: Quote) -> bool:
        """Keep a price and tell who listens, in this thread; return whether it was newer."""
        if not self.remember(quote):
            return False
        for listener in self._listeners:
            try:
                listener(quote)
            except Exception:
                log.exception("a listener of quotes failed")
        return True
