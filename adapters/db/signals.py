"""Signals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from adapters.db.signal_tables import signals
from domain.common.errors import NotFound
from domain.signals.model import MOST_TTL_MS, AliveSignal, Signal, SignalFilter

# Written once: making a statement costs more than running it.
_ADD: dict[str, Any] = {
    name: dialect.insert(signals).on_conflict_do_nothing().returning(signals.c.id)
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}
_FIND = select(signals).where(
    signals.c.user_id == bindparam("user_id"),
    signals.c.source == bindparam("source"),
    signals.c.signal_id == bindparam("signal_id"),
)
_ENDS = signals.c.time_ms + signals.c.ttl_ms
_ALIVE = (
    select(signals.c.source, signals.c.pattern, signals.c.score, signals.c.time_ms, signals.c.signal_id, signals.c.id)
    .where(signals.c.user_id == bindparam("user_id"), signals.c.symbol == bindparam("symbol"))
    .where(signals.c.time_ms >= bindparam("oldest"), bindparam("now") <= _ENDS, signals.c.received_at <= _ENDS)
    .order_by(signals.c.id.desc())
    .limit(bindparam("most"))
    .subquery()
)
_PLACE = func.row_number().over(
    partition_by=(_ALIVE.c.source, _ALIVE.c.pattern), order_by=(_ALIVE.c.time_ms.desc(), _ALIVE.c.id.desc())
)
_PLACED = select(_ALIVE, _PLACE.label("place")).subquery()
_NEWEST = (
    select(_PLACED.c.source, _PLACED.c.pattern, _PLACED.c.score, _PLACED.c.time_ms, _PLACED.c.signal_id)
    .where(_PLACED.c.place == 1)
    .order_by(_PLACED.c.id.desc())
)


class SqlSignals:
    """Signals in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, signal: Signal) -> bool:
        """Insert a signal; False when it is known."""
        statement = _ADD[self._connection.dialect.name]
        return self._connection.execute(statement, asdict(signal)).one_or_none() is not None

    def get(self, signal_id: str, user_id: str) -> Signal:
        """Return a signal of a user."""
        return self._one(signals.c.id == signal_id, signals.c.user_id == user_id)

    def find(self, signal: Signal) -> Signal | None:
        """Return the signal that was stored first, if there is one."""
        key = {"user_id": signal.user_id, "source": signal.source, "signal_id": signal.signal_id}
        row = self._connection.execute(_FIND, key).one_or_none()
        return None if row is None else Signal(**row._mapping)

    def known(self, signal: Signal) -> Signal:
        """Return the signal that was stored first."""
        found = self.find(signal)
        if found is None:
            raise NotFound("there is no such signal", code="signal_not_found")
        return found

    def page(self, wanted: SignalFilter, *, before_id: str | None, limit: int) -> Sequence[Signal]:
        """Return signals, the newest first."""
        query = select(signals).where(*_conditions(wanted)).order_by(signals.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(signals.c.id < before_id)
        return [Signal(**row._mapping) for row in self._connection.execute(query)]

    def alive(self, user_id: str, symbol: str, at_ms: int, limit: int) -> Sequence[AliveSignal]:
        """Return the newest of each producer and pattern that came in time and may still be acted on."""
        asked = {"user_id": user_id, "symbol": symbol, "oldest": at_ms - MOST_TTL_MS, "now": at_ms, "most": limit}
        return [AliveSignal(*row) for row in self._connection.execute(_NEWEST, asked).all()]

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
