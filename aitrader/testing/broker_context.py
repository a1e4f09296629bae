"""What a broker is opened with in tests: a clock turned by hand, prices set by hand, and storage in memory."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aitrader.testing.clock import FakeClock
from domain.common.errors import Conflict, NotFound
from domain.market.model import Bars, Dataset, Session, Timeframe
from domain.market.ports import BarStore
from domain.trading.brokerage import Quote
from domain.trading.ports import Journal, Vault


class MemoryJournal:
    """A ``Journal`` that outlives the broker but not the test. Entries go through JSON, as they do in a database."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def read(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the entries after a number."""
        return [(number, entry) for number, entry in enumerate(self.entries, 1) if number > after]

    def append(self, after: int, entries: Sequence[dict[str, Any]]) -> int:
        """Store entries."""
        with self._lock:
            if after != len(self.entries):
                raise Conflict("another process writes this journal", code="journal_taken")
            self.entries += [json.loads(json.dumps(entry, allow_nan=False)) for entry in entries]
            return len(self.entries)


class MemoryVault:
    """A ``Vault`` that outlives the broker but not the test."""

    def __init__(self) -> None:
        self.secret: bytes | None = None

    def load(self) -> bytes | None:
        """Return the secret."""
        return self.secret

    def save(self, secret: bytes | None) -> None:
        """Replace the secret."""
        self.secret = secret


class FakeQuotes:
    """``Quotes`` that tests set; listeners are called in the thread that sets them."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._known: dict[str, Quote] = {}
        self._listeners: list[Callable[[Quote], None]] = []

    def set(self, symbol: str, price: str | Decimal, **more: Any) -> Quote:
        """Make a price known, and tell who listens."""
        quote = Quote(symbol, Decimal(price), self._clock.now_ms(), source="test", **more)
        self._known[symbol] = quote
        for listener in list(self._listeners):
            listener(quote)
        return quote

    def last(self, symbol: str) -> Quote | None:
        """Return the last price."""
        return self._known.get(symbol)

    def listen(self, callback: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``callback`` for each price."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None


class NoBars:
    """A ``BarStore`` that holds nothing and takes nothing."""

    def write(
        self,
        symbol: str,
        timeframe: Timeframe,
        bars: Bars,
        *,
        session: Session = Session.EXCHANGE,
        currency: str = "USD",
        source: str = "",
    ) -> Dataset:
        """Refuse."""
        raise NotFound("nothing is stored in this test")

    def read(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Bars:
        """Find nothing."""
        raise NotFound("nothing is stored in this test")

    def describe(self, symbol: str, timeframe: Timeframe) -> Dataset:
        """Find nothing."""
        raise NotFound("nothing is stored in this test")

    def list(self) -> list[Dataset]:
        """Find nothing."""
        return []


@dataclass
class FakeContext:
    """A ``BrokerContext``; open a broker twice with the same one to see what survives."""

    clock: FakeClock = field(default_factory=FakeClock)
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("aitrader.testing.broker"))
    bars: BarStore = field(default_factory=NoBars)
    journal: Journal = field(default_factory=MemoryJournal)
    vault: Vault = field(default_factory=MemoryVault)
    mcp_url: str | None = None

    def __post_init__(self) -> None:
        self.quotes = FakeQuotes(self.clock)
