"""Small request bodies, read field by field; each thing wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from quart import request

from adapters.http import requests
from adapters.http.json_body import field_path, read_object
from domain.common.errors import FieldError, Invalid, TooLarge
from domain.common.idempotency import Once, request_hash
from domain.identity.model import Principal

T = TypeVar("T")

MAX_SMALL = 1024
_MAX_LIST = 32


class Fields:
    """The fields of a JSON object. ``done`` raises for everything wrong at once."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._read: set[str] = set()
        self._problems: list[FieldError] = []

    def text(self, name: str, most: int, *, least: int = 1) -> str:
        """Return a string."""
        value = self._get(name)
        if isinstance(value, str) and least <= len(value) <= most:
            return value
        return self._wrong(name, f"must be a string of {least} to {most} characters", "")

    def optional_text(self, name: str, most: int) -> str | None:
        """Return a string; None when it is left out or null."""
        if self._body.get(name) is None:
            self._read.add(name)
            return None
        return self.text(name, most)

    def one_of(self, name: str, *words: str) -> str:
        """Return one of some words."""
        value = self._get(name)
        if isinstance(value, str) and value in words:
            return value
        return self._wrong(name, f"must be one of: {', '.join(words)}", words[0])

    def texts(self, name: str) -> list[str]:
        """Return a list of strings."""
        value = self._get(name)
        good = isinstance(value, list) and len(value) <= _MAX_LIST and all(isinstance(item, str) for item in value)
        if good:
            return list(value)
        return self._wrong(name, f"must be a list of at most {_MAX_LIST} strings", [])

    def integer(self, name: str, default: int) -> int:
        """Return an integer of reasonable size."""
        if name not in self._body:
            return default
        value = self._get(name)
        if type(value) is int and abs(value) < 2**31:
            return value
        return self._wrong(name, "must be an integer", default)

    def boolean(self, name: str, default: bool) -> bool:
        """Return true or false."""
        if name not in self._body:
            return default
        value = self._get(name)
        return value if type(value) is bool else self._wrong(name, "must be true or false", default)

    def optional_one_of(self, name: str, *words: str) -> str | None:
        """Return one of some words; None when it is left out or null."""
        if self._body.get(name) is None:
            self._read.add(name)
            return None
        return self.one_of(name, *words)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object; empty when it is left out."""
        value = self._get(name)
        if name not in self._body or isinstance(value, dict):
            return dict(value or {})
        return self._wrong(name, "must be an object", {})

    def done(self) -> None:
        """Finish.

        Raises:
            Invalid: a field was missing, wrong or unknown.
        """
        for name in self._body:
            if name not in self._read:
                self._problems.append(FieldError(field_path((name,)), "is not a known field"))
        if self._problems:
            raise Invalid("the request is not valid", code="invalid_request", errors=self._problems[:20])

    def _get(self, name: str) -> Any:
        self._read.add(name)
        return self._body.get(name)

    def _wrong(self, name: str, message: str, instead: T) -> T:
        self._problems.append(FieldError(name, message if name in self._body else "is required"))
        return instead


async def small_body() -> dict[str, Any]:
    """Return the JSON object of at most 1 KB that the request holds; it takes no query.

    Raises:
        TooLarge: it is larger.
        Malformed, Invalid: it is no JSON object.
    """
    requests.require_json(request.headers)
    requests.no_query(request.args)
    if (request.content_length or 0) > MAX_SMALL:
        raise _too_large()
    body = await request.get_data(cache=False)
    if len(body) > MAX_SMALL:
        raise _too_large()
    return read_object(body)


async def no_body() -> None:
    """Check that the request holds neither body nor query.

    Raises:
        Invalid: it does.
    """
    requests.no_query(request.args)
    if await request.get_data(cache=False):
        raise Invalid("this request takes no body", code="invalid_request")


def once(principal: Principal, body: Mapping[str, Any], *secrets: str) -> Once | None:
    """Return how to do this request at most once, if it has an ``Idempotency-Key``.

    Args:
        secrets: fields that are guessable, so that not even a hash of them is stored.

    Raises:
        Malformed: the key is not allowed.
    """
    key = requests.idempotency_key(request.headers)
    if key is None:
        return None
    public = {name: name in secrets or value for name, value in body.items()}
    return Once(principal.user_id, key, request_hash([request.method, request.path, public]))


def _too_large() -> TooLarge:
    return TooLarge(f"the request body is larger than {MAX_SMALL} bytes")
