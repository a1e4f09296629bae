"""Who may talk to which broker, what they learnt, and what others ask of them, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.db.trading_tables import broker_states, desk_leases, desk_requests
from adapters.db.types import now_ms
from adapters.db.upsert import upsert
from domain.common.errors import NotFound
from domain.trading.records import BrokerState, DeskLease, DeskRequest

_KEPT_MS = 60_000


@cache
def _states() -> TypeAdapter[BrokerState]:
    return TypeAdapter(BrokerState)


class SqlDesk:
    """Leases, broker states and requests in one transaction. Leases use the database's own clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, account: str, *, token: str, owner: str, ttl_ms: int) -> bool:
        """Take a lease that nobody holds."""
        free = or_(desk_leases.c.until <= now_ms(), desk_leases.c.token == token)
        values = {"token": token, "owner": owner[:255], "seen_epoch": -1}
        changed = update(desk_leases).where(desk_leases.c.account == account, free)
        if self._connection.execute(changed.values(until=now_ms() + ttl_ms, **values)).rowcount == 1:
            return True
        try:
            with self._connection.begin_nested():
                row = insert(desk_leases).values(account=account, until=now_ms() + ttl_ms, **values)
                self._connection.execute(row)
        except IntegrityError:
            return False
        return True

    def renew(self, token: str, accounts: Sequence[str], *, seen_epoch: int, ttl_ms: int) -> Sequence[str]:
        """Renew leases that are still ours."""
        if not accounts:
            return []
        mine = (desk_leases.c.token == token, desk_leases.c.account.in_(accounts), desk_leases.c.until > now_ms())
        changed = update(desk_leases).where(*mine).values(until=now_ms() + ttl_ms, seen_epoch=seen_epoch)
        return [row.account for row in self._connection.execute(changed.returning(desk_leases.c.account))]

    def release(self, token: str) -> None:
        """Give up all leases of a token."""
        self._connection.execute(delete(desk_leases).where(desk_leases.c.token == token))

    def holds(self, account: str, token: str) -> bool:
        """Return whether the lease is ours now; it stays so until this transaction ends."""
        mine = (desk_leases.c.account == account, desk_leases.c.token == token, desk_leases.c.until > now_ms())
        query = select(desk_leases.c.account).where(*mine).with_for_update(read=True)
        return self._connection.execute(query).one_or_none() is not None

    def leases(self) -> Sequence[DeskLease]:
        """Return the leases that have not lapsed."""
        query = select(desk_leases).where(desk_leases.c.until > now_ms()).order_by(desk_leases.c.account)
        return [DeskLease(**row._mapping) for row in self._connection.execute(query)]

    def state(self, account: str) -> BrokerState | None:
        """Return what was last learnt of an account's broker."""
        query = select(broker_states.c.state).where(broker_states.c.account == account)
        found = self._connection.execute(query).scalar_one_or_none()
        return None if found is None else _states().validate_python(found)

    def save_state(self, state: BrokerState) -> None:
        """Insert or replace what was learnt."""
        document: dict[str, Any] = _states().dump_python(state, mode="json")
        upsert(self._connection, broker_states, {"account": state.account, "state": document})

    def ask(self, request: DeskRequest) -> None:
        """Insert a request."""
        row = {"id": request.id, "account": request.account, "kind": request.kind, "created_at": request.created_at}
        self._connection.execute(insert(desk_requests), row)

    def asked(self, accounts: Sequence[str]) -> Sequence[DeskRequest]:
        """Return the requests that are not finished, oldest first."""
        open_ = (desk_requests.c.account.in_(accounts), desk_requests.c.finished_at.is_(None))
        query = select(desk_requests).where(*open_).order_by(desk_requests.c.id)
        return [DeskRequest(**row._mapping) for row in self._connection.execute(query)]

    def request(self, request_id: str) -> DeskRequest:
        """Return a request."""
        row = self._connection.execute(select(desk_requests).where(desk_requests.c.id == request_id)).one_or_none()
        if row is None:
            raise NotFound("there is no such request", code="request_not_found")
        return DeskRequest(**row._mapping)

    def answer(self, request_id: str, *, result: dict[str, Any] | None, error: str | None, now_ms: int) -> None:
        """Finish a request; forget those finished long ago."""
        done = update(desk_requests).where(desk_requests.c.id == request_id)
        self._connection.execute(done.values(result=result, error=error, finished_at=now_ms))
        self._connection.execute(delete(desk_requests).where(desk_requests.c.finished_at < now_ms - _KEPT_MS))

    def forget(self, request_id: str) -> None:
        """Delete a request."""
        self._connection.execute(delete(desk_requests).where(desk_requests.c.id == request_id))
