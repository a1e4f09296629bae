"""Suggestions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from adapters.db.intelligence_tables import suggestions
from adapters.db.types import now_ms
from domain.common.errors import NotFound
from domain.intelligence.suggestions import Resolution, Suggestion, SuggestionFilter

_RESOLVE = (
    update(suggestions)
    .where(suggestions.c.id == bindparam("suggestion_id"), suggestions.c.outcome.is_(None))
    .values(outcome=bindparam("found"), outcome_return=bindparam("gained"), resolved_at=now_ms())
)


class SqlSuggestions:
    """Suggestions in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, suggestion: Suggestion) -> None:
        """Insert a suggestion; it is given the time of the database."""
        values = {name: value for name, value in asdict(suggestion).items() if name != "created_at"}
        self._connection.execute(insert(suggestions).values(created_at=now_ms(), **values))

    def get(self, suggestion_id: str, user_id: str) -> Suggestion:
        """Return a suggestion of a user."""
        same = (suggestions.c.id == suggestion_id, suggestions.c.user_id == user_id)
        row = self._connection.execute(select(suggestions).where(*same)).one_or_none()
        if row is None:
            raise NotFound("there is no such suggestion", code="suggestion_not_found")
        return Suggestion(**row._mapping)

    def page(self, wanted: SuggestionFilter, *, before_id: str | None, limit: int) -> Sequence[Suggestion]:
        """Return suggestions, the newest first."""
        query = select(suggestions).where(*_conditions(wanted)).order_by(suggestions.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(suggestions.c.id < before_id)
        return [Suggestion(**row._mapping) for row in self._connection.execute(query)]

    def unresolved(self, after_id: str | None, limit: int) -> Sequence[Suggestion]:
        """Return suggestions of all users whose outcome is not known, the oldest first."""
        query = select(suggestions).where(suggestions.c.outcome.is_(None)).order_by(suggestions.c.id).limit(limit)
        if after_id is not None:
            query = query.where(suggestions.c.id > after_id)
        return [Suggestion(**row._mapping) for row in self._connection.execute(query)]

    def resolve(self, resolutions: Sequence[Resolution]) -> int:
        """Store outcomes of suggestions that had none."""
        rows = [
            {"suggestion_id": item.suggestion_id, "found": item.outcome, "gained": item.outcome_return}
            for item in resolutions
        ]
        return sum(self._connection.execute(_RESOLVE, row).rowcount for row in rows)

    def resolved(self, model_id: str, user_id: str) -> Sequence[Suggestion]:
        """Return a user's suggestions of a model whose outcome is known, the oldest first."""
        same = (suggestions.c.model_id == model_id, suggestions.c.user_id == user_id)
        query = select(suggestions).where(*same, suggestions.c.outcome.is_not(None)).order_by(suggestions.c.id)
        return [Suggestion(**row._mapping) for row in self._connection.execute(query)]


def _conditions(wanted: SuggestionFilter) -> list[ColumnElement[bool]]:
    equal = {"symbol": wanted.symbol, "model_id": wanted.model_id, "action": wanted.action}
    found = [suggestions.c.user_id == wanted.user_id]
    found += [suggestions.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.since_ms is not None:
        found.append(suggestions.c.as_of >= wanted.since_ms)
    if wanted.resolved is not None:
        known = suggestions.c.outcome.is_not(None)
        found.append(known if wanted.resolved else ~known)
    return found
