"""The shapes of news in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from adapters.http.schemas import Model

_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13"
_CURSOR = "^[A-Za-z0-9_-]{21}[AQgw]$"


class NewsToTake(Model):
    """A text of others. It needs a title or a text."""

    title: str | None = Field(default=None, min_length=1, max_length=1000, examples=["INFY raises its guidance"])
    text: str | None = Field(default=None, min_length=1, max_length=65_536)
    url: str | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        description="http or https; it makes the item the same one, else source, title and time do",
    )
    source: str | None = Field(default=None, min_length=1, max_length=64, description="your name where left out")
    symbols: list[str] = Field(default_factory=list, max_length=32, examples=[["NSE:INFY"]])
    published_at: datetime | None = None
    available_at: datetime | None = Field(
        default=None,
        description="from when on it could be known; `published_at` where left out, and now where both are",
    )


class NewsRequest(Model):
    """News to keep."""

    items: list[NewsToTake] = Field(min_length=1, max_length=500, examples=[[{"title": "INFY wins"}]])


class NewsTaken(Model):
    """What came of it."""

    new: int = Field(description="kept")
    known: int = Field(description="there before; they stay as they were")


class News(Model):
    """A text of others about symbols."""

    id: UUID = Field(examples=[_ID])
    source: str
    title: str
    text: str
    url: str
    symbols: list[str]
    published_at: datetime
    available_at: datetime = Field(description="from when on it could be known")
    imported_at: datetime


class NewsRow(News):
    """A text of others about symbols; of a long one only the beginning."""

    text: str = Field(description="at most 500 characters")
    text_length: int = Field(description="how many there are")


class NewsPage(Model):
    """News, imported last first."""

    items: list[NewsRow]
    next_cursor: str | None


class NewsQuery(Model):
    """Which news."""

    symbol: str | None = Field(default=None, min_length=1, max_length=45)
    source: str | None = Field(default=None, min_length=1, max_length=64)
    since: datetime | None = Field(default=None, description="available from this time on")
    until: datetime | None = Field(default=None, description="available before this time")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)
