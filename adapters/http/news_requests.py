"""News that clients push, read strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.http.trading_requests import TradingFields
from domain.common.errors import FieldError, Invalid
from domain.intelligence.importing import (
    MAX_SOURCE,
    MAX_TEXT,
    MAX_TITLE,
    MAX_URL,
    NewsRules,
    RawNews,
    news_item,
)
from domain.intelligence.news import NewsItem
from domain.intelligence.news_times import NewsTime

MOST_ITEMS = 500

_NAMES = {"published": "published_at", "available": "available_at"}


def read_news(body: Mapping[str, Any], rules: NewsRules) -> list[NewsItem]:
    """Return the news that a body holds.

    Raises:
        Invalid: they are not a list of 1 to 500, or one is not valid; fields start with ``items.``.
    """
    items = body.get("items")
    if set(body) != {"items"} or not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        message = f"must be a list of 1 to {MOST_ITEMS} items, and the only field"
        raise _invalid([FieldError("items", message)])
    return [_item(item, place, rules) for place, item in enumerate(items)]


def _item(item: Any, place: int, rules: NewsRules) -> NewsItem:
    path = f"items.{place}"
    if not isinstance(item, dict):
        raise _invalid([FieldError(path, "must be an object")])
    try:
        return news_item(_raw(item, place, rules.now_ms), rules)
    except Invalid as error:
        problems = [
            FieldError(f"{path}.{_NAMES.get(problem.field, problem.field)}", problem.message)
            for problem in error.errors
        ]
        raise _invalid(problems) from None


def _raw(item: Mapping[str, Any], place: int, now_ms: int) -> RawNews:
    fields = TradingFields(item)
    raw = RawNews(
        row=place,
        title=fields.optional_text("title", MAX_TITLE) or "",
        text=fields.optional_text("text", MAX_TEXT) or "",
        url=fields.optional_text("url", MAX_URL) or "",
        source=fields.optional_text("source", MAX_SOURCE) or "",
        symbols=fields.texts("symbols") if "symbols" in item else [],
        published=_time(fields.optional_moment("published_at")),
        available=_time(fields.optional_moment("available_at")),
    )
    fields.done()
    timed = raw.published is not None or raw.available is not None
    return raw if timed else _received(raw, now_ms)


def _received(raw: RawNews, now_ms: int) -> RawNews:
    return replace(raw, available=NewsTime(now_ms, now_ms))


def _time(ms: int | None) -> NewsTime | None:
    return None if ms is None else NewsTime(ms, ms)


def _invalid(errors: Sequence[FieldError]) -> Invalid:
    return Invalid("the news is not valid", code="invalid_news", errors=errors[:20])
