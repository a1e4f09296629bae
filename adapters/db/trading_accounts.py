"""Accounts, their limits, kill switches and armings in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from adapters.db.trading_tables import accounts, armings, risk_limits, switches
from adapters.db.upsert import upsert
from domain.common.errors import Conflict, NotFound, Unavailable
from domain.trading.limits import RiskLimits, parse_limits
from domain.trading.model import Account, Mode
from domain.trading.records import GLOBAL, Arming, Switch

_LOCK = 4_150_233


def _to_account(row: Row[Any]) -> Account:
    return Account(**{**row._mapping, "mode": Mode(row.mode), "approval_strategies": tuple(row.approval_strategies)})


def _to_row(account: Account) -> dict[str, Any]:
    row = {item.name: getattr(account, item.name) for item in fields(Account)}
    return {**row, "mode": account.mode.value, "approval_strategies": list(account.approval_strategies)}


class SqlAccounts:
    """Accounts in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, account: Account) -> None:
        """Insert an account, and its kill switch."""
        try:
            self._connection.execute(insert(accounts), _to_row(account))
            self._connection.execute(insert(switches), _released(account.id))
        except IntegrityError as error:
            raise Conflict(f"there is an account {account.id!r} already", code="account_exists") from error

    def get(self, account_id: str, user_id: str | None = None) -> Account:
        """Return an account, only if it is the user's."""
        return self._one(account_id, user_id, lock=False)

    def lock(self, account_id: str) -> Account:
        """Return an account that no other transaction can lock before this one ends."""
        return self._one(account_id, None, lock=True)

    def list(self, user_id: str | None = None) -> Sequence[Account]:
        """Return accounts that are not closed, by id."""
        query = select(accounts).where(accounts.c.closed_at.is_(None)).order_by(accounts.c.id)
        if user_id is not None:
            query = query.where(accounts.c.user_id == user_id)
        return [_to_account(row) for row in self._connection.execute(query)]

    def save(self, account: Account) -> Account:
        """Write an account back."""
        saved = replace(account, version=account.version + 1)
        changed = update(accounts).where(accounts.c.id == account.id, accounts.c.version == account.version)
        if self._connection.execute(changed.values(_to_row(saved))).rowcount != 1:
            raise Conflict("someone else changed the account; read it again", code="account_changed")
        return saved

    def _one(self, account_id: str, user_id: str | None, *, lock: bool) -> Account:
        query = select(accounts).where(accounts.c.id == account_id)
        if user_id is not None:
            query = query.where(accounts.c.user_id == user_id)
        if lock:  # SQLite has one writer at a time and knows no FOR UPDATE
            query = query.with_for_update()
        row = None if "\x00" in account_id else self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("there is no such account", code="account_not_found")
        return _to_account(row)


class SqlLimits:
    """Risk limits in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, account: str, strategy: str = "") -> RiskLimits | None:
        """Return limits; None when none were set."""
        query = select(risk_limits.c.limits).where(
            risk_limits.c.account == account, risk_limits.c.strategy == strategy
        )
        found = self._connection.execute(query).scalar_one_or_none()
        return None if found is None else parse_limits(found, RiskLimits())

    def list(self, account: str) -> Sequence[tuple[str, RiskLimits]]:
        """Return all limits of an account by strategy."""
        query = select(risk_limits).where(risk_limits.c.account == account).order_by(risk_limits.c.strategy)
        return [(row.strategy, parse_limits(row.limits, RiskLimits())) for row in self._connection.execute(query)]

    def save(self, account: str, strategy: str, limits: RiskLimits) -> None:
        """Insert or replace limits."""
        row = {"account": account, "strategy": strategy, "limits": limits.to_json()}
        upsert(self._connection, risk_limits, row)


class SqlSwitches:
    """Kill switches and armings in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hold(self, account: str) -> Sequence[Switch]:
        """Return the switches over an account; neither can change before this transaction ends."""
        wanted = {GLOBAL, account}
        query = select(switches).where(switches.c.scope.in_(sorted(wanted))).order_by(switches.c.scope)
        found = [Switch(**row._mapping) for row in self._connection.execute(query.with_for_update(read=True))]
        if {switch.scope for switch in found} != wanted:
            raise Unavailable("a kill switch cannot be read; nothing is sent", code="switch_unreadable")
        return found

    def list(self) -> Sequence[Switch]:
        """Return all switches, by scope."""
        return [
            Switch(**row._mapping) for row in self._connection.execute(select(switches).order_by(switches.c.scope))
        ]

    def change(self, scope: str, *, engaged: bool, flatten: bool, actor: str, reason: str, now_ms: int) -> Switch:
        """Set a switch, with an epoch above that of every other."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        epoch = int(self._connection.execute(select(func.max(switches.c.epoch))).scalar_one()) + 1
        switch = Switch(scope, engaged, epoch, flatten, actor[:160], reason, now_ms)
        changed = update(switches).where(switches.c.scope == scope).values(asdict(switch))
        if self._connection.execute(changed).rowcount != 1:
            raise NotFound(f"there is no kill switch {scope[:64]!r}", code="account_not_found")
        return switch

    def arming(self, account: str) -> Arming | None:
        """Return the arming of an account, expired or not."""
        row = self._connection.execute(select(armings).where(armings.c.account == account)).one_or_none()
        return None if row is None else Arming(**row._mapping)

    def arm(self, arming: Arming) -> None:
        """Insert or replace an arming."""
        upsert(self._connection, armings, asdict(arming))

    def disarm(self, account: str) -> bool:
        """Remove an arming; return whether there was one."""
        return self._connection.execute(delete(armings).where(armings.c.account == account)).rowcount == 1


def _released(scope: str) -> dict[str, Any]:
    return asdict(Switch(scope, engaged=False, epoch=0))
