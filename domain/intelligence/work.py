"""What intelligence needs stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from domain.common.unit_of_work import UnitOfWork
from domain.identity.ports import AuditLog
from domain.intelligence.models import Model, ModelFilter
from domain.intelligence.news import NewsFilter, NewsItem, ScoredText, SentimentColumns, SentimentFilter
from domain.intelligence.suggestions import Resolution, Suggestion, SuggestionFilter


class ModelRepository(Protocol):
    """Models in SQL. They are the installation's: whoever may read signals may read them."""

    def add(self, model: Model) -> None:
        """Insert a model."""
        ...

    def get(self, name_or_id: str) -> Model:
        """Return a model by id, or by name: the active one, else the newest.

        Raises:
            NotFound: there is none.
        """
        ...

    def page(self, wanted: ModelFilter, *, before_id: str | None, limit: int) -> Sequence[Model]:
        """Return models, the newest first, older than ``before_id``."""
        ...

    def active(self, timeframe: str) -> Sequence[Model]:
        """Return the active models of a timeframe, the one that was activated last first."""
        ...

    def save(self, model: Model) -> Model:
        """Write status and time of activation back if nobody else changed them; return it with its new version.

        Raises:
            Conflict: someone else changed it.
        """
        ...


class SuggestionRepository(Protocol):
    """Suggestions in SQL."""

    def add(self, suggestion: Suggestion) -> None:
        """Insert a suggestion; it is given the time of the database."""
        ...

    def get(self, suggestion_id: str, user_id: str) -> Suggestion:
        """Return a suggestion of a user.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def page(self, wanted: SuggestionFilter, *, before_id: str | None, limit: int) -> Sequence[Suggestion]:
        """Return suggestions, the newest first, older than ``before_id``."""
        ...

    def unresolved(self, after_id: str | None, limit: int) -> Sequence[Suggestion]:
        """Return suggestions of all users whose outcome is not known, the oldest first, newer than ``after_id``."""
        ...

    def resolve(self, resolutions: Sequence[Resolution]) -> int:
        """Store outcomes of suggestions that had none; return how many."""
        ...

    def resolved(self, model_id: str, user_id: str) -> Sequence[Suggestion]:
        """Return a user's suggestions of a model whose outcome is known, the oldest first."""
        ...


class NewsRepository(Protocol):
    """News in SQL."""

    def add(self, items: Sequence[NewsItem]) -> int:
        """Insert items that are not known; return how many were new."""
        ...

    def get(self, item_id: str, user_id: str) -> NewsItem:
        """Return an item of a user.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def page(self, wanted: NewsFilter, *, before_id: str | None, limit: int) -> Sequence[NewsItem]:
        """Return news, imported last first, older than ``before_id``."""
        ...

    def between(self, wanted: NewsFilter, limit: int) -> Sequence[NewsItem]:
        """Return news by when it was available, the oldest first."""
        ...


class SentimentRepository(Protocol):
    """Scored texts in SQL: what was known when."""

    def put(self, row: ScoredText) -> None:
        """Insert a scored text, or put it in the place of an older score of the same text for the same symbol.

        It is given an id and the time of the database.
        """
        ...

    def columns(
        self,
        user_id: str,
        symbol: str,
        until_ms: int,
        *,
        since_ms: int | None = None,
        without: Collection[str] = (),
    ) -> SentimentColumns:
        """Return what was available of a symbol before ``until_ms``, and since then; leave these keys out."""
        ...

    def newest(self, wanted: SentimentFilter, *, before: tuple[int, str] | None, limit: int) -> Sequence[ScoredText]:
        """Return scored texts by when they were available, the newest first, before (available_at, id)."""
        ...

    def symbols(self, user_id: str) -> Sequence[str]:
        """Return the symbols that there are scored texts of, sorted."""
        ...


class IntelligenceWork(UnitOfWork, Protocol):
    """One transaction over models, suggestions, news and sentiment."""

    @property
    def models(self) -> ModelRepository:
        """Models."""
        ...

    @property
    def suggestions(self) -> SuggestionRepository:
        """Suggestions."""
        ...

    @property
    def news(self) -> NewsRepository:
        """News."""
        ...

    @property
    def sentiments(self) -> SentimentRepository:
        """Scored texts."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...
