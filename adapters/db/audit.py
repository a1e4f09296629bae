"""The audit log in SQL: each line holds the hash of the line before, so that no change goes unnoticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, text

from adapters.db.tables import audit_events
from domain.identity.model import AuditEvent, ChainCheck

CLEAN = "aitrader_audit_clean"  # execution option of an engine: what takes secrets out of a line

_LOCK = 4_150_232
_PAGE = 1000
GENESIS = "0" * 64


class SqlAuditLog:
    """The audit log of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        clean: Callable[[Any], Any] | None = connection.engine.get_execution_options().get(CLEAN)
        self._clean = clean or (lambda value: value)

    def append(self, *, time: int, actor: str, action: str, subject: str, details: dict[str, Any]) -> None:
        """Add a line after the last one."""
        self._lock()
        newest = select(audit_events.c.id, audit_events.c.hash).order_by(audit_events.c.id.desc()).limit(1)
        last = self._connection.execute(newest).one_or_none()
        number, previous = (1, GENESIS) if last is None else (last.id + 1, last.hash)
        line = {
            "id": number,
            "time": time,
            "actor": self._clean(actor)[:160],
            "action": action,
            "subject": self._clean(subject)[:160],
            "details": self._clean(details),
            "previous_hash": previous,
        }
        self._connection.execute(insert(audit_events).values(**line, hash=line_hash(line)))

    def read(self, after_id: int = 0) -> Iterator[AuditEvent]:
        """Yield lines in order."""
        while True:
            query = select(audit_events).where(audit_events.c.id > after_id).order_by(audit_events.c.id).limit(_PAGE)
            rows = self._connection.execute(query).all()
            for row in rows:
                yield AuditEvent(**row._mapping)
            if len(rows) < _PAGE:
                return
            after_id = rows[-1].id

    def newest(self, limit: int) -> list[AuditEvent]:
        """Return the last lines, newest first."""
        query = select(audit_events).order_by(audit_events.c.id.desc()).limit(limit)
        return [AuditEvent(**row._mapping) for row in self._connection.execute(query)]

    def verify(self, after_id: int = 0) -> ChainCheck:
        """Check numbers and hashes of the lines after a number."""
        number, previous, lines = after_id, self._hash_of(after_id), 0
        for event in self.read(after_id):
            reason = _fault(event, number + 1, previous)
            if reason:
                return ChainCheck(lines, previous, event.id, reason)
            number, previous, lines = event.id, event.hash, lines + 1
        return ChainCheck(lines, previous)

    def _hash_of(self, number: int) -> str:
        found = self._connection.execute(select(audit_events.c.hash).where(audit_events.c.id == number)).one_or_none()
        return GENESIS if found is None else str(found.hash)

    def _lock(self) -> None:
        # SQLite has one writer at a time; PostgreSQL must be told.
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _fault(event: AuditEvent, number: int, previous: str) -> str:
    if event.id != number:
        return f"line {number} is missing"
    if event.previous_hash != previous:
        return "it does not follow the line before"
    line = asdict(event)
    return "" if line.pop("hash") == line_hash(line) else "its content does not fit its hash"


def line_hash(line: dict[str, Any]) -> str:
    """Return the SHA-256 over a line and the hash before it."""
    canonical = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
