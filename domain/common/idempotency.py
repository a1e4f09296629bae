"""Idempotency keys: a client that repeats a creating request gets what the first one made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from domain.common.errors import FieldError, Invalid

HEADER = "Idempotency-Key"
KEPT_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be done at most once: whose it is, its key, and the hash of all that it asks for."""

    user_id: str
    key: str
    request_hash: str


class IdempotencyKeys(Protocol):
    """Keys in SQL, written in the transaction of what they stand for."""

    def claim(self, once: Once, resource: str, now_ms: int) -> str | None:
        """Give the key to ``resource`` and return None; or return the resource that has it already.

        Raises:
            Invalid: the key was used for another request.
        """
        ...


def request_hash(request: Any) -> str:
    """Return the SHA-256 of a request in canonical JSON."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def key_reused() -> Invalid:
    """Return the refusal of a key that came with another request before."""
    return Invalid(
        f"this {HEADER} was used for another request",
        code="idempotency_key_reused",
        errors=[FieldError(HEADER, "was used for a request with another body")],
    )
