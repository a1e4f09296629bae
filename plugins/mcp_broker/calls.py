"""What a call to a server's tool comes to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


class CallFailed(Exception):
    """A call has no answer from the tool.

    Args:
        detail: what happened, for a person.
        sent: False: proven that nothing reached the server.
        http: the status with which the server refused the request itself, if it did.
        no_session: the server does not know our session.
        refused: and it says so in words that mean that no tool ran.
    """

    def __init__(
        self,
        detail: str,
        *,
        sent: bool = True,
        http: int | None = None,
        no_session: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.sent = sent
        self.http = http
        self.no_session = no_session
        self.refused = refused

    @property
    def ran_nothing(self) -> bool:
        """Whether it is proven that no tool ran."""
        return not self.sent or self.refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered: text for a person, ``data`` where it is JSON. Numbers with a point are Decimal."""

    is_error: bool
    text: str
    data: Any


def as_answer(is_error: bool, texts: list[str], structured: Any) -> Answer:
    """Return an answer; its text is read as JSON, exactly, before the structured content that was made of it."""
    text = "\n".join(texts)
    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except ValueError:
        data = structured
    return Answer(is_error, text, data)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")
