"""News and scored texts in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from adapters.db.intelligence_tables import news, news_symbols, sentiments
from adapters.db.types import now_ms
from domain.common.errors import NotFound
from domain.common.ids import new_id
from domain.intelligence.news import NewsFilter, NewsItem, ScoredText, SentimentColumns, SentimentFilter

# Written once: making a statement costs more than running it.
_ADD: dict[str, Any] = {
    name: dialect.insert(news).on_conflict_do_nothing().returning(news.c.id)
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}


class SqlNews:
    """News in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, items: Sequence[NewsItem]) -> int:
        """Insert items that are not known; return how many were new."""
        if not items:
            return 0
        rows = [{**asdict(item), "symbols": list(item.symbols)} for item in items]
        new = set(self._connection.execute(_ADD[self._connection.dialect.name], rows).scalars())
        about = [
            {"news_id": item.id, "symbol": symbol}
            for item in items
            if item.id in new
            for symbol in dict.fromkeys(item.symbols)
        ]
        if about:
            self._connection.execute(insert(news_symbols), about)
        return len(new)

    def get(self, item_id: str, user_id: str) -> NewsItem:
        """Return an item of a user."""
        query = select(news).where(news.c.id == item_id, news.c.user_id == user_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("there is no such news", code="news_not_found")
        return _to_item(row)

    def page(self, wanted: NewsFilter, *, before_id: str | None, limit: int) -> Sequence[NewsItem]:
        """Return news, imported last first."""
        query = _wanted_news(wanted).order_by(news.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(news.c.id < before_id)
        return [_to_item(row) for row in self._connection.execute(query)]

    def between(self, wanted: NewsFilter, limit: int) -> Sequence[NewsItem]:
        """Return news by when it was available, the oldest first."""
        query = _wanted_news(wanted).order_by(news.c.available_at, news.c.id).limit(limit)
        return [_to_item(row) for row in self._connection.execute(query)]


def _wanted_news(wanted: NewsFilter) -> Select[Any]:
    query = select(news).where(news.c.user_id == wanted.user_id)
    if wanted.symbol is not None:
        of_symbol = select(news_symbols.c.news_id).where(news_symbols.c.symbol == wanted.symbol)
        query = query.where(news.c.id.in_(of_symbol))
    if wanted.source is not None:
        query = query.where(news.c.source == wanted.source)
    return query.where(*_within(news.c.available_at, wanted.since_ms, wanted.until_ms))


def _to_item(row: Row[Any]) -> NewsItem:
    return NewsItem(**{**row._mapping, "symbols": tuple(row.symbols)})


@cache
def _put(dialect_name: str) -> Any:
    """Return the statement of ``put``; to build it takes ten times as long as to run it."""
    dialect: Any = postgresql if dialect_name == "postgresql" else sqlite
    names = [column.name for column in sentiments.columns]
    values = {name: bindparam(name, type_=sentiments.c[name].type) for name in names}
    statement = dialect.insert(sentiments).values({**values, "created_at": now_ms()})
    keys = ("user_id", "symbol", "key")
    replaced = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


class SqlSentiments:
    """Scored texts in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, row: ScoredText) -> None:
        """Insert a scored text, or put it in the place of an older score of the same text for the same symbol."""
        values = {**asdict(row), "id": new_id()}
        del values["created_at"]
        self._connection.execute(_put(self._connection.dialect.name), values)

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
        query = (
            select(sentiments.c.available_at, sentiments.c.score, sentiments.c.weight, sentiments.c.key)
            .where(sentiments.c.user_id == user_id, sentiments.c.symbol == symbol)
            .where(*_within(sentiments.c.available_at, since_ms, until_ms))
            .order_by(sentiments.c.available_at, sentiments.c.key)
        )
        left_out = frozenset(without)
        rows = [row for row in self._connection.execute(query).all() if row.key not in left_out]
        times, scores, weights, _ = zip(*rows, strict=True) if rows else ((), (), (), ())
        return SentimentColumns(
            np.asarray(times, dtype=np.int64),
            np.asarray(scores, dtype=np.float64),
            np.asarray(weights, dtype=np.float64),
        )

    def newest(self, wanted: SentimentFilter, *, before: tuple[int, str] | None, limit: int) -> Sequence[ScoredText]:
        """Return scored texts by when they were available, the newest first."""
        query = select(sentiments).where(sentiments.c.user_id == wanted.user_id)
        for name in ("symbol", "source"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(sentiments.c[name] == value)
        query = query.where(*_within(sentiments.c.available_at, wanted.since_ms, wanted.until_ms))
        if before is not None:
            time, row_id = before
            same_time = and_(sentiments.c.available_at == time, sentiments.c.id < row_id)
            query = query.where(or_(sentiments.c.available_at < time, same_time))
        query = query.order_by(sentiments.c.available_at.desc(), sentiments.c.id.desc()).limit(limit)
        return [ScoredText(**row._mapping) for row in self._connection.execute(query)]

    def symbols(self, user_id: str) -> Sequence[str]:
        """Return the symbols that there are scored texts of, sorted."""
        query = select(sentiments.c.symbol).where(sentiments.c.user_id == user_id).distinct()
        return sorted(self._connection.execute(query).scalars())


def _within(column: ColumnElement[int], since_ms: int | None, until_ms: int | None) -> list[ColumnElement[bool]]:
    found = [] if since_ms is None else [column >= since_ms]
    return found if until_ms is None else [*found, column < until_ms]
