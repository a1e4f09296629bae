"""Identifiers: UUIDv7, so that ids sort by creation time."""

from __future__ import annotations

import uuid

from uuid_utils.compat import uuid7

from domain.common.errors import Malformed


def new_id() -> str:
    """Return a new UUIDv7 in its canonical 36-character text form."""
    return str(uuid7())


def parse_id(text: str) -> str:
    """Return ``text`` as a canonical UUID.

    Raises:
        Malformed: it is not a UUID.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Malformed("the id is not a UUID", code="invalid_id") from None
