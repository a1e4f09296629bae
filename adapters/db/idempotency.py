"""Idempotency keys in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, text

from adapters.db.tables import idempotency_keys
from domain.common.idempotency import KEPT_MS, Once, key_reused

# A concurrent request with the same key waits here for the first one's end, then finds its row.
_CLAIM = text(
    "INSERT INTO idempotency_keys (user_id, key, request_hash, resource, created_at) "
    "VALUES (:user_id, :key, :request_hash, :resource, :created_at) ON CONFLICT DO NOTHING"
)


class SqlIdempotencyKeys:
    """Idempotency keys in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, once: Once, resource: str, now_ms: int) -> str | None:
        """Give the key to a resource, or return the one that has it."""
        old = (idempotency_keys.c.user_id == once.user_id, idempotency_keys.c.created_at < now_ms - KEPT_MS)
        self._connection.execute(delete(idempotency_keys).where(*old))
        row = {"user_id": once.user_id, "key": once.key, "request_hash": once.request_hash}
        if self._connection.execute(_CLAIM, {**row, "resource": resource, "created_at": now_ms}).rowcount == 1:
            return None
        mine = (idempotency_keys.c.user_id == once.user_id, idempotency_keys.c.key == once.key)
        found = self._connection.execute(select(idempotency_keys).where(*mine)).one()
        if found.request_hash != once.request_hash:
            raise key_reused()
        return str(found.resource)
