"""What can be made to go wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aitrader.api import StrictModel

# Before anything is done: the connection breaks; HTTP errors; the session is unknown; the generic error.
# After it is done: the connection breaks; the session ends, and so does the call; the generic error; no answer for
# some seconds; an answer that is no JSON.
Kind = Literal[
    "drop",
    "http_429",
    "http_500",
    "session_expired",
    "error",
    "accept_then_drop",
    "accept_then_end_session",
    "error_after_accept",
    "hang",
    "garbage",
]

BEFORE = ("drop", "http_429", "http_500", "session_expired", "error")


class Fault(StrictModel):
    """How the next calls of a tool go wrong. ``*`` is every tool."""

    kind: Kind
    tool: str = "place_order"
    times: int = Field(1, ge=1, le=10**6)
    seconds: float = Field(1.0, ge=0, le=60, description="how long hang hangs")


class Bookkeeping(StrictModel):
    """How the books lie. What is left out is as it was."""

    duplicates: bool | None = Field(None, description="every order and trade is listed twice, newest first")
    hidden_seconds: float | None = Field(None, ge=0, le=3600, description="how long new orders stay out of the books")
    page_limit: int | None = Field(None, ge=0, le=1000, description="the most entries of one answer")
    lose_pages: bool | None = Field(None, description="pages after the first are empty")


class Faults:
    """What is set to go wrong. Not safe for threads."""

    def __init__(self, page_limit: int) -> None:
        self._waiting: list[Fault] = []
        self.books = Bookkeeping(duplicates=False, hidden_seconds=0.0, page_limit=page_limit, lose_pages=False)

    def add(self, fault: Fault) -> None:
        """Let the next calls go wrong, after those that were added before."""
        self._waiting.append(fault)

    def set(self, books: Bookkeeping) -> None:
        """Let the books lie from now on."""
        self.books = self.books.model_copy(update=books.model_dump(exclude_none=True))

    def clear(self) -> None:
        """Let everything go well."""
        self._waiting.clear()

    def take(self, tool: str) -> Fault | None:
        """Return how this call goes wrong, and count it."""
        for place, fault in enumerate(self._waiting):
            if fault.tool in (tool, "*"):
                left = fault.model_copy(update={"times": fault.times - 1})
                self._waiting[place : place + 1] = [left] if left.times else []
                return fault
        return None
