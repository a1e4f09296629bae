"""Signals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from adapters.db.signal_tables import signals
from domain.common.errors import NotFound
from domain.signals.model import Signal, SignalFilter


class SqlSignals:
    """Signals in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, signal: Signal) -> bool:
        """Insert a signal; False when it is known."""
        dialect: Any = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(signals).values(asdict(signal)).on_conflict_do_nothing()
        return self._connection.execute(statement.returning(signals.c.id)).one_or_none() is not None

    def get(self, signal_id: str, user_id: str) -> Signal:
        """Return a signal of a user."""
        return self._one(signals.c.id == signal_id, signals.c.user_id == user_id)

    def known(self, signal: Signal) -> Signal:
        """Return the signal that was stored first."""
        same = (signals.c.user_id == signal.user_id, signals.c.source == signal.source)
        return self._one(*same, signals.c.signal_id == signal.signal_id)

    def page(self, wanted: SignalFilter, *, before_id: str | None, limit: int) -> Sequence[Signal]:
        """Return signals, the newest first."""
        query = select(signals).where(*_conditions(wanted)).order_by(signals.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(signals.c.id < before_id)
        return [Signal(**row._mapping) for row in self._connection.execute(query)]

    def _one(self, *conditions: ColumnElement[bool]) -> Signal:
        row = self._connection.execute(select(signals).where(*conditions)).one_or_none()
        if row is None:
            raise NotFound("there is no such signal", code="signal_not_found")
        return Signal(**row._mapping)


def _conditions(wanted: SignalFilter) -> list[ColumnElement[bool]]:
    equal = {"symbol": wanted.symbol, "source": wanted.source, "pattern": wanted.pattern}
    found = [signals.c.user_id == wanted.user_id]
    found += [signals.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.min_score is not None:
        found.append(func.abs(signals.c.score) >= wanted.min_score)
    if wanted.since_ms is not None:
        found.append(signals.c.time_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        found.append(signals.c.time_ms < wanted.until_ms)
    return found
