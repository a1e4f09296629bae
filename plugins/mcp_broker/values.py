"""Reading single values of foreign answers. Nothing is guessed: what cannot be read makes the whole unreadable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from aitrader.api import Unavailable, to_ms

E = TypeVar("E", bound=StrEnum)

_BEFORE = datetime(1971, 1, 1, tzinfo=UTC)


def unreadable(what: str, value: object) -> Unavailable:
    """Return the error for an answer that is not what the server promises."""
    return Unavailable(f"the broker's answer cannot be read: {what} is {value!r:.80}", code="broker_unreadable")


def entry(value: object, what: str) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        Unavailable: it is none.
    """
    if not isinstance(value, dict):
        raise unreadable(what, value)
    return value


def entries(value: object, what: str) -> Sequence[Mapping[str, Any]]:
    """Return a JSON array of objects; null is an empty one, as servers written in Go say it.

    Raises:
        Unavailable: it is none.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise unreadable(what, value)
    return [entry(item, what) for item in value]


def number(item: Mapping[str, Any], field: str) -> Decimal:
    """Return a finite number, given as a JSON number or as text.

    Raises:
        Unavailable: it is none.
    """
    value = item.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise unreadable(field, value)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise unreadable(field, value) from None
    if not found.is_finite():
        raise unreadable(field, value)
    whole = found.to_integral_value()
    return whole if whole == found else found


def quantity(item: Mapping[str, Any], field: str) -> Decimal:
    """Return a number that is not below zero.

    Raises:
        Unavailable: it is none.
    """
    found = number(item, field)
    if found < 0:
        raise unreadable(field, found)
    return found


def price(item: Mapping[str, Any], field: str) -> Decimal | None:
    """Return a price; None where the broker has none, which it says by leaving it out, null or zero.

    Raises:
        Unavailable: it is no number.
    """
    if item.get(field) in (None, ""):
        return None
    return number(item, field) or None


def text(item: Mapping[str, Any], field: str) -> str:
    """Return text that is not empty.

    Raises:
        Unavailable: it is none.
    """
    value = item.get(field)
    if not isinstance(value, str) or not value:
        raise unreadable(field, value)
    return value


def moment(item: Mapping[str, Any], field: str) -> int | None:
    """Return an ISO 8601 time as milliseconds UTC; None for none, which some servers write as the year 1.

    Raises:
        Unavailable: it is no time with a zone.
    """
    value = item.get(field)
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise unreadable(field, value) from None
    if found.tzinfo is None:
        raise unreadable(field, value)
    return None if found < _BEFORE else to_ms(found)


def known(item: Mapping[str, Any], field: str, words: Mapping[str, E]) -> E:
    """Return what a broker's word means.

    Raises:
        Unavailable: the word is not known.
    """
    value = item.get(field)
    if not isinstance(value, str) or value not in words:
        raise unreadable(field, value)
    return words[value]
