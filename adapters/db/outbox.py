"""The outbox: events that commit with the change, numbered when published, kept as the resume log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from adapters.db.tables import event_streams, outbox
from adapters.db.types import now_ms
from domain.common.events import Event, PublishedEvent

# Any constant will do; it must only be the same in every process of one installation.
_PUBLISHER_LOCK = 4_150_231

# Built once: building these statements takes longer than running them.
# Multi-row VALUES keeps created_at on the database's clock in one statement.
_ADD = insert(outbox).values(
    topic=bindparam("topic"), audience=bindparam("audience"), data=bindparam("data"), created_at=now_ms()
)
_ADD_NUMBERED = insert(outbox)
_PENDING = (
    select(outbox)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.id)
    .limit(bindparam("most", type_=Integer))
)
_WAITING = exists().where(outbox.c.published_at.is_(None))
_TURN = select(func.pg_try_advisory_xact_lock(_PUBLISHER_LOCK), _WAITING, now_ms())
_LOOK = select(literal(True), _WAITING, now_ms())  # BEGIN IMMEDIATE already let only one writer in
_NUMBER = update(outbox).where(outbox.c.id == bindparam("key")).values(seq=bindparam("number"), published_at=now_ms())
_ADVANCE: dict[str, Any] = {
    name: counted.on_conflict_do_update(
        index_elements=[event_streams.c.topic, event_streams.c.audience],
        set_={"last_seq": event_streams.c.last_seq + counted.excluded.last_seq},
    ).returning(*event_streams.c)
    for name, counted in (("postgresql", postgresql.insert(event_streams)), ("sqlite", sqlite.insert(event_streams)))
}


class SqlOutbox:
    """The outbox of one transaction.

    Args:
        connection: in a transaction.
        deferred: events are stored by ``store_numbered``, at the end of the transaction.
    """

    def __init__(self, connection: Connection, *, deferred: bool = False) -> None:
        self._connection = connection
        self._deferred: list[Event] | None = [] if deferred else None
        self.added = False

    def add(self, events: Sequence[Event]) -> None:
        """Store events as unpublished."""
        if not events:
            return
        self.added = True
        if self._deferred is None:
            self._insert(events)
        else:
            self._deferred += events

    def store_numbered(self, limit: int) -> list[PublishedEvent]:
        """Store the deferred events with their numbers, and return them.

        Where others wait to be numbered these come first, ``limit`` of all at most; where somebody else numbers
        events just now, ours are stored without a number, and nothing is returned.
        """
        events, self._deferred = self._deferred or [], []
        if not events:
            return []
        free, waiting, now = self._turn()
        if free and not waiting:
            return self._insert_numbered(events, now)
        self._insert(events)
        return self._number_pending(limit) if free else []

    def _insert(self, events: Sequence[Event]) -> None:
        self._connection.execute(
            _ADD,
            [{"topic": event.topic, "audience": event.audience, "data": event.data} for event in events],
        )

    def publish_pending(self, limit: int) -> list[PublishedEvent]:
        """Number the oldest unpublished events; one publisher at a time keeps each stream in order."""
        return self._number_pending(limit) if self._lock() else []

    def _number_pending(self, limit: int) -> list[PublishedEvent]:
        rows = self._connection.execute(_PENDING, {"most": limit}).all()
        if not rows:
            return []
        numbers = self._advance([(row.topic, row.audience) for row in rows])
        numbered = list(zip(rows, numbers, strict=True))
        self._connection.execute(_NUMBER, [{"key": row.id, "number": number} for row, number in numbered])
        return [PublishedEvent(row.topic, row.audience, number, row.created_at, row.data) for row, number in numbered]

    def read(self, topic: str, audience: str, after: int, limit: int) -> list[PublishedEvent]:
        """Return published events with seq > after."""
        query = (
            select(outbox)
            .where(outbox.c.topic == topic, outbox.c.audience == audience, outbox.c.seq > after)
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        rows = self._connection.execute(query)
        return [PublishedEvent(row.topic, row.audience, row.seq, row.created_at, row.data) for row in rows]

    def last_seq(self, topic: str, audience: str) -> int:
        """Return the highest sequence number given so far."""
        query = select(event_streams.c.last_seq).where(
            event_streams.c.topic == topic, event_streams.c.audience == audience
        )
        return self._connection.execute(query).scalar() or 0

    def pending(self) -> tuple[int, int | None]:
        """Return how many events wait, and the age of the oldest in milliseconds."""
        query = select(func.count(), now_ms() - func.min(outbox.c.created_at)).where(outbox.c.published_at.is_(None))
        count, age = self._connection.execute(query).one()
        return count, age

    def prune(self, older_than_ms: int) -> int:
        """Delete published events older than that."""
        old = delete(outbox).where(outbox.c.published_at < now_ms() - older_than_ms)
        return self._connection.execute(old).rowcount

    def _lock(self) -> bool:
        if self._connection.dialect.name != "postgresql":
            return True  # BEGIN IMMEDIATE already let only one writer in
        query = text("SELECT pg_try_advisory_xact_lock(:key)")
        return bool(self._connection.execute(query, {"key": _PUBLISHER_LOCK}).scalar())

    def _turn(self) -> tuple[bool, bool, int]:
        """Return whether it is our turn to number events, whether any wait for it, and the time.

        What is said to wait may just have been numbered by somebody else; what is not, does not.
        """
        postgresql = self._connection.dialect.name == "postgresql"
        free, waiting, now = self._connection.execute(_TURN if postgresql else _LOOK).one()
        return bool(free), bool(waiting), now

    def _insert_numbered(self, events: Sequence[Event], now: int) -> list[PublishedEvent]:
        numbers = self._advance([(event.topic, event.audience) for event in events])
        found = [
            PublishedEvent(event.topic, event.audience, number, now, event.data)
            for event, number in zip(events, numbers, strict=True)
        ]
        rows = [
            {
                "topic": event.topic,
                "audience": event.audience,
                "data": event.data,
                "seq": event.seq,
                "created_at": now,
                "published_at": now,
            }
            for event in found
        ]
        self._connection.execute(_ADD_NUMBERED, rows)
        return found

    def _advance(self, streams: Sequence[tuple[str, str]]) -> list[int]:
        """Return the next number of each stream, as often as it is named."""
        counts = Counter(streams)
        rows = [
            {"topic": topic, "audience": audience, "last_seq": count} for (topic, audience), count in counts.items()
        ]
        advanced = self._connection.execute(_ADVANCE[self._connection.dialect.name], rows)
        following = {(row.topic, row.audience): row.last_seq - counts[row.topic, row.audience] for row in advanced}
        numbers = []
        for stream in streams:
            following[stream] += 1
            numbers.append(following[stream])
        return numbers
