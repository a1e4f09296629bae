"""A journal that fails when it is told to, for brokers that keep their own books."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from aitrader.testing.broker_context import MemoryJournal
from domain.common.errors import Unavailable


class Fault(Enum):
    """How an ``append`` goes wrong: nothing was stored; all was stored; nothing was, for no reason known to us."""

    LOST = "lost"
    STORED = "stored"
    CRASH = "crash"


class FaultyJournal(MemoryJournal):
    """A ``Journal`` whose next ``append`` fails as ``fault`` says; while ``down``, it cannot be read either."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault | None = None
        self.down = False

    def read(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the entries after a number."""
        if self.down:
            raise Unavailable("the journal does not answer")
        return super().read(after)

    def append(self, after: int, entries: Sequence[dict[str, Any]]) -> int:
        """Store entries, or fail once."""
        if self.down:
            raise Unavailable("the journal does not answer")
        fault, self.fault = self.fault, None
        if fault is Fault.CRASH:
            raise RuntimeError("the journal broke")
        last = len(self.entries) if fault is Fault.LOST else super().append(after, entries)
        if fault is not None:
            raise Unavailable("the journal did not answer")
        return last
