"""What signals need stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.common.unit_of_work import UnitOfWork
from domain.signals.model import AliveSignal, Signal, SignalFilter


class SignalRepository(Protocol):
    """Signals in SQL."""

    def add(self, signal: Signal) -> bool:
        """Insert a signal; False when this producer's id is known of this user, and nothing changes."""
        ...

    def get(self, signal_id: str, user_id: str) -> Signal:
        """Return a signal of a user by our id.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def find(self, signal: Signal) -> Signal | None:
        """Return the signal that was stored first under the user, source and id of another; None if there is none."""
        ...

    def known(self, signal: Signal) -> Signal:
        """Return the signal that was stored first under the user, source and id of another.

        Raises:
            NotFound: there is none.
        """
        ...

    def page(self, wanted: SignalFilter, *, before_id: str | None, limit: int) -> Sequence[Signal]:
        """Return signals, the newest first, that came before ``before_id``."""
        ...

    def alive(self, user_id: str, symbol: str, at_ms: int, limit: int) -> Sequence[AliveSignal]:
        """Return the newest of each producer and pattern that came in time and may still be acted on.

        Args:
            limit: how many are looked at, those that were stored last.
        """
        ...


class SignalWork(UnitOfWork, Protocol):
    """One transaction over signals."""

    @property
    def signals(self) -> SignalRepository:
        """Signals."""
        ...
