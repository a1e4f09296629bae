"""Entries of the streams that pattern engines write, in either of the two ways that are in use.

One field ``data`` with JSON text, or a field for each value, as text. What is not known is left out: producers are
free to tell more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.signals.model import Signal
from domain.signals.parsing import Sender, parse_signal

_TEXT = ("id", "symbol", "exchange", "pattern", "source")
_NUMBERS = ("score", "timestamp", "ttl_ms")


def signal_of_entry(fields: Mapping[str, str], sender: Sender) -> Signal:
    """Return the signal of a stream entry.

    Raises:
        Invalid: it is none; the message says why.
    """
    data = _data(fields["data"]) if "data" in fields else _flat(fields)
    found = {name: data[name] for name in (*_TEXT, *_NUMBERS) if data.get(name) is not None}
    meta = data.get("meta")
    more = dict(meta) if isinstance(meta, dict) else {}
    if isinstance(data.get("pattern_meta"), dict):
        more["pattern_meta"] = data["pattern_meta"]
    return parse_signal({**found, "meta": more}, sender)


def _data(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("data", "is not JSON") from None
    if not isinstance(data, dict):
        raise _invalid("data", "is not a JSON object")
    return data


def _flat(fields: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: fields[name] for name in _TEXT if name in fields}
    for name in _NUMBERS:
        if name in fields:
            found[name] = _number(name, fields[name])
    if fields.get("meta"):
        found["meta"] = _data(fields["meta"])
    return found


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _invalid(name, "is not a number") from None


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(
        f"this is no signal: {field} {message}", code="invalid_signal", errors=[FieldError(field, message)]
    )
