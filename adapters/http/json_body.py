"""JSON in and out. Reading is strict: what two parsers might read differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from domain.common.errors import FieldError, Invalid, Malformed

MAX_DEPTH = 32
_MAX_INT = 2**63 - 1

Path = tuple[Any, ...]


def read_json(body: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        Malformed: not UTF-8, not JSON, a key twice in an object, NaN or Infinity, or nested too deeply.
        Invalid: a number out of range, or text with NUL or lone surrogates.
    """
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        value = _decoder.decode(text)
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8", code="malformed_json") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}"[:300], code="malformed_json") from None
    _check(value, ())
    return value


def read_object(body: bytes | str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        Malformed: as ``read_json``.
        Invalid: as ``read_json``, or the value is not an object.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise Invalid("the body must be a JSON object", code="not_an_object")
    return value


def dump_json(value: Any) -> bytes:
    """Return ``value`` as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits or lone surrogates in what a plugin stored: rare, slower, still JSON.
        return json.dumps(value, separators=(",", ":"), default=str).encode("ascii")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has the same key twice")
    return result


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _too_deep() -> Malformed:
    return Malformed(f"the body is nested more than {MAX_DEPTH} levels deep", code="too_deep")


def _check(value: Any, path: Path) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii() or "\0" in value:
            _check_text(value, path)
    elif kind is dict:
        if len(path) >= MAX_DEPTH:
            raise _too_deep()
        for key, item in value.items():
            if not key.isascii() or "\0" in key:
                _check_text(key, (*path, key))
            _check(item, (*path, key))
    elif kind is list:
        if len(path) >= MAX_DEPTH:
            raise _too_deep()
        for place, item in enumerate(value):
            _check(item, (*path, place))
    elif kind is float and not math.isfinite(value):
        raise _bad_value(path, "must be a finite number", "number_out_of_range")
    elif kind is int and abs(value) > _MAX_INT:
        raise _bad_value(path, "must fit in 64 bits", "number_out_of_range")


def _check_text(text: str, path: Path) -> None:
    if "\0" in text:
        raise _bad_value(path, "must not contain NUL", "invalid_text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _bad_value(path, "must not contain lone surrogates", "invalid_text") from None


def field_path(path: Path) -> str:
    """Return a dotted path that is safe to show."""
    text = ".".join(str(part) for part in path)[:200]
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _bad_value(path: Path, message: str, code: str) -> Invalid:
    field = field_path(path)
    return Invalid(f"{field or 'the body'} {message}", code=code, errors=[FieldError(field, message)])
