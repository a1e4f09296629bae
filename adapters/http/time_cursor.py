"""Cursors of lists that are ordered by a time and, where that is the same, by id."""

from __future__ import annotations

import base64
import re
import uuid

from domain.common.errors import Malformed

_CURSOR = re.compile(r"[A-Za-z0-9_-]{32}")


def write(at_ms: int, row_id: str) -> str:
    """Return the opaque cursor that continues before a row."""
    return base64.urlsafe_b64encode(at_ms.to_bytes(8, "big", signed=True) + uuid.UUID(row_id).bytes).decode()


def read(cursor: str) -> tuple[int, str]:
    """Return time and id of the row that a cursor continues before.

    Raises:
        Malformed: it is not one of ours.
    """
    if not _CURSOR.fullmatch(cursor):
        raise Malformed("the cursor is not one of ours; start again without it", code="invalid_cursor")
    found = base64.urlsafe_b64decode(cursor)
    return int.from_bytes(found[:8], "big", signed=True), str(uuid.UUID(bytes=found[8:]))
