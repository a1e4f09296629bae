"""Which column of a file is which: the spellings people have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.common.errors import FieldError, Invalid

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "title": ("title", "headline", "newstitle", "subject"),
    "text": ("text", "body", "content", "article", "summary", "description", "snippet", "abstract", "tweet"),
    "url": ("url", "link", "newsurl", "articleurl"),
    "source": ("source", "publisher", "provider", "sourcename", "site"),
    "symbols": ("symbols", "symbol", "tickers", "ticker", "stocks", "stock"),
    "published": (
        *("publishedat", "published", "publishedutc", "publishdate", "publicationdate", "pubdate"),
        *("datetime", "timestamp", "date", "time"),
    ),
    "available": ("availableat", "available", "receivedat", "received", "fetchedat", "crawledat"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns to read, by role; ``clock`` is the time of day where ``published`` is only a date."""

    by_role: dict[str, str]
    clock: str | None


def find_columns(names: Sequence[str]) -> Columns:
    """Return which column is which; the first spelling of a role that is there counts."""
    plain = {_plain(name): name for name in reversed(names)}
    found = {}
    for role, spellings in _SPELLINGS.items():
        name = next((plain[spelling] for spelling in spellings if spelling in plain), None)
        if name is not None:
            found[role] = name
    day = _plain(found.get("published", "")) == "date"
    return Columns(found, plain.get("time") if day else None)


def require_columns(columns: Columns, names: Iterable[str], *, timed: bool) -> None:
    """Check that a file has what every item needs.

    Args:
        columns: what was found.
        names: all names, to tell.
        timed: whether the items' time is known without a column.

    Raises:
        Invalid: code ``missing_columns``.
    """
    missing = []
    if not {"title", "text"} & columns.by_role.keys():
        missing.append("title")
    if not timed and not {"published", "available"} & columns.by_role.keys():
        missing.append("published")
    if not missing:
        return
    seen = ", ".join(repr(name[:40]) for name in list(names)[:30]) or "none"
    raise Invalid(
        f"no column for {', '.join(missing)}; the file has the columns {seen}",
        code="missing_columns",
        errors=[FieldError(role, f"name the column one of: {', '.join(_SPELLINGS[role])}") for role in missing],
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
