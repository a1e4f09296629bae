"""Error categories. HTTP status, CLI exit code and job retry are derived from these, never from class lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field. ``field`` is a dotted path such as ``payload.symbols.0``."""

    field: str
    message: str


class AITraderError(Exception):
    """Something went wrong.

    Args:
        detail: what happened and what to do next, for a person. The class docstring when omitted.
        code: a stable machine word; the category's own when omitted.
        errors: the fields at fault.
        context: facts for the log. Never a secret.
    """

    code = "error"
    retryable = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        **context: object,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.context = context
        super().__init__(self.detail)


class Malformed(AITraderError):
    """The request could not be read."""

    code = "malformed"


class Invalid(AITraderError):
    """The request was read but its content is not allowed."""

    code = "invalid"


class NotFound(AITraderError):
    """There is no such thing."""

    code = "not_found"


class Conflict(AITraderError):
    """The current state does not allow this."""

    code = "conflict"


class Denied(AITraderError):
    """You are not allowed to do this."""

    code = "denied"


class TooLarge(AITraderError):
    """The request is larger than the limit."""

    code = "too_large"


class Unavailable(AITraderError):
    """An outside system did not answer."""

    code = "unavailable"
    retryable = True
