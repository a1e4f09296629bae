"""Events: what clients may watch. Written to the outbox with the change itself, published after commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

EVERYONE = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, before it has a sequence number.

    Args:
        topic: a WebSocket topic, such as ``job_updates``.
        audience: the user id that may see it, or ``EVERYONE``.
        data: what happened; JSON types only.
    """

    topic: str
    audience: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event with its place in the stream of (topic, audience).

    ``seq`` starts at 1 and has no gaps within one (topic, audience). ``time_ms`` is UTC.
    """

    topic: str
    audience: str
    seq: int
    time_ms: int
    data: dict[str, Any]


class EventBus(Protocol):
    """Carries published events between processes. A hint only: it may lose, double or reorder them."""

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        """Hand events to every listener, in this and other processes.

        Raises:
            Unavailable: nothing was handed over; listeners catch up from SQL.
        """
        ...

    def listen(self, callback: Callable[[PublishedEvent], None]) -> Callable[[], None]:
        """Call ``callback`` from another thread for each event until the returned function is called."""
        ...

    def ping(self) -> None:
        """Prove that the bus answers.

        Raises:
            Unavailable: it does not.
        """
        ...

    def close(self) -> None:
        """Stop all listeners and release connections. Idempotent."""
        ...


class Outbox(Protocol):
    """Events written in the transaction of the change, and the bounded log that clients resume from."""

    def add(self, events: Sequence[Event]) -> None:
        """Store events as unpublished; they exist if and only if the transaction commits."""
        ...

    def publish_pending(self, limit: int) -> list[PublishedEvent]:
        """Give the oldest unpublished events their sequence numbers and return them.

        Returns an empty list when another process is doing so right now.
        """
        ...

    def read(self, topic: str, audience: str, after: int, limit: int) -> list[PublishedEvent]:
        """Return published events with seq > after, in order. A first seq above after+1 means a gap."""
        ...

    def last_seq(self, topic: str, audience: str) -> int:
        """Return the highest sequence number given so far; 0 when none."""
        ...

    def pending(self) -> tuple[int, int | None]:
        """Return how many events wait, and the age in milliseconds of the oldest."""
        ...

    def prune(self, older_than_ms: int) -> int:
        """Delete published events older than that many milliseconds; return how many."""
        ...
