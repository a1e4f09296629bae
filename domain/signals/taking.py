"""Taking signals in, once each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.signals.model import Signal, SignalFilter, signal_event
from domain.signals.work import SignalWork


@dataclass(frozen=True, slots=True)
class Taken:
    """A stored signal; ``created`` is False when it was there before."""

    signal: Signal
    created: bool


@dataclass(frozen=True, slots=True)
class TakeSignal:
    """Store a signal and tell who watches, in one transaction.

    ``secret_in`` returns the path of a secret in what a signal tells more, or None: it is stored and shown as it is.
    """

    unit_of_work: Callable[[], SignalWork]
    secret_in: Callable[[Mapping[str, Any]], str | None] = lambda _meta: None

    def __call__(self, signal: Signal) -> Taken:
        """Return the signal as it is stored: the first one, when its producer sends it again.

        Raises:
            Invalid: it holds what looks like a secret.
            Unavailable: the database did not answer; sending it again is harmless.
        """
        self.check(signal)
        with self.unit_of_work() as work:
            if not work.signals.add(signal):
                return Taken(work.signals.known(signal), created=False)
            work.outbox.add([signal_event(signal)])
            work.commit()
        return Taken(signal, created=True)

    def check(self, signal: Signal) -> None:
        """Check that a signal may be stored and shown.

        Raises:
            Invalid: it holds what looks like a secret.
        """
        path = self.secret_in(signal.meta)
        if path is not None:
            errors = [FieldError(f"meta.{path}", "looks like a secret")]
            detail = "the signal holds what looks like a secret; signals are stored and shown"
            raise Invalid(detail, code="secret_in_signal", errors=errors)


@dataclass(frozen=True, slots=True)
class ReadSignals:
    """Look at the signals of a user."""

    read_work: Callable[[], SignalWork]

    def get(self, signal_id: str, user_id: str) -> Signal:
        """Return a signal.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.signals.get(signal_id, user_id)

    def page(self, wanted: SignalFilter, *, before_id: str | None, limit: int) -> tuple[Sequence[Signal], str | None]:
        """Return signals, the newest first, and the id to go on from; None at the end."""
        with self.read_work() as work:
            found = work.signals.page(wanted, before_id=before_id, limit=limit + 1)
        more = len(found) > limit
        return found[:limit], found[limit - 1].id if more else None
