"""News, and what was made of it, each as of when it could be known. Times are milliseconds UTC."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from domain.common.time import rfc3339
from domain.market.model import FloatColumn, TimeColumn

SHOWN_TEXT = 500


@dataclass(frozen=True, slots=True)
class NewsItem:
    """A text of others about symbols.

    Args:
        key: identifies the item among those of its user: the same item imported again is the same one.
        published_at: when it says it was published.
        available_at: from when on it could be known: when it was received, or else when it was published.
    """

    id: str
    user_id: str
    key: str
    source: str
    title: str
    text: str
    url: str
    symbols: tuple[str, ...]
    published_at: int
    available_at: int
    imported_at: int


@dataclass(frozen=True, slots=True)
class NewsFilter:
    """Which news to list. None means any; ``since_ms`` ≤ available < ``until_ms``."""

    user_id: str
    symbol: str | None = None
    source: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredText:
    """What an engine said of one text, for one symbol: a row of the point-in-time table ``sentiments``.

    Args:
        key: identifies the text; scored again for the same symbol, the newer score takes the place of the older.
        available_at: from when on the text could be known.
        weight: what its source counts, 0…1.
    """

    symbol: str
    key: str
    source: str
    available_at: int
    score: float
    label: str
    confidence: float
    weight: float
    engine: str
    model: str
    text: str
    words: list[list[Any]] = field(default_factory=list)
    id: str = ""
    user_id: str = ""
    job_id: str | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class SentimentFilter:
    """Which scored texts to list. None means any; ``since_ms`` ≤ available < ``until_ms``."""

    user_id: str
    symbol: str | None = None
    source: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SentimentColumns:
    """The scored texts of one symbol as columns of equal length, ascending by ``time``, when each could be known."""

    time: TimeColumn
    score: FloatColumn
    weight: FloatColumn

    def __len__(self) -> int:
        return len(self.time)


NO_SENTIMENT = SentimentColumns(np.empty(0, np.int64), np.empty(0), np.empty(0))


class StoredSentiment(Protocol):
    """The scored texts and the news of one user, to be read by jobs."""

    def columns(
        self, symbol: str, *, until_ms: int, since_ms: int | None = None, without: Collection[str] = ()
    ) -> SentimentColumns:
        """Return what was available of a symbol before ``until_ms``, and since then; leave these keys out.

        Raises:
            Unavailable: the database did not answer.
        """
        ...

    def newest(self, symbol: str, *, until_ms: int, limit: int) -> Sequence[ScoredText]:
        """Return the newest texts that were available before ``until_ms``, the newest first.

        Raises:
            Unavailable: the database did not answer.
        """
        ...

    def news(
        self,
        symbol: str | None,
        *,
        since_ms: int | None,
        until_ms: int | None,
        limit: int,
        source: str | None = None,
    ) -> Sequence[NewsItem]:
        """Return news that was available since then and before then, the oldest first; of a symbol, or all.

        Raises:
            Unavailable: the database did not answer.
        """
        ...


def scored_view(row: ScoredText) -> dict[str, Any]:
    """Return a scored text as JSON types."""
    return {
        "id": row.id,
        "symbol": row.symbol,
        "source": row.source,
        "available_at": rfc3339(row.available_at),
        "score": row.score,
        "label": row.label,
        "confidence": row.confidence,
        "weight": row.weight,
        "engine": row.engine,
        "model": row.model,
        "text": row.text,
        "words": row.words,
        "job_id": row.job_id,
        "created_at": rfc3339(row.created_at),
    }


def news_row(item: NewsItem) -> dict[str, Any]:
    """Return a news item as JSON types, for lists: of a long text only the beginning."""
    return {**news_view(item), "text": item.text[:SHOWN_TEXT], "text_length": len(item.text)}


def news_view(item: NewsItem) -> dict[str, Any]:
    """Return a news item as JSON types."""
    return {
        "id": item.id,
        "source": item.source,
        "title": item.title,
        "text": item.text,
        "url": item.url,
        "symbols": list(item.symbols),
        "published_at": rfc3339(item.published_at),
        "available_at": rfc3339(item.available_at),
        "imported_at": rfc3339(item.imported_at),
    }
