"""Orders with their history, and fills, in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from adapters.db.trading_tables import accounts, fills, order_events, orders
from domain.common.errors import Conflict, NotFound
from domain.trading.model import (
    Approval,
    Fill,
    Mode,
    Order,
    OrderState,
    OrderType,
    Origin,
    Product,
    Side,
    TimeInForce,
)
from domain.trading.records import OrderEvent, OrderFilter

_FIELDS = tuple(item.name for item in fields(Order))
_KINDS: dict[str, type[Enum]] = {
    "mode": Mode,
    "side": Side,
    "type": OrderType,
    "time_in_force": TimeInForce,
    "product": Product,
    "status": OrderState,
    "origin": Origin,
    "approval": Approval,
}
_OPEN = [state.value for state in OrderState if not state.is_terminal]
_CHUNK = 500


def _to_order(row: Row[Any]) -> Order:
    values = dict(row._mapping)
    for name, kind in _KINDS.items():
        if values[name] is not None:
            values[name] = kind(values[name])
    return Order(**values)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _to_row(order: Order) -> dict[str, Any]:
    return {name: _plain(getattr(order, name)) for name in _FIELDS}


def chunks(items: Sequence[str]) -> Iterator[list[str]]:
    """Yield the distinct items in parts that a database takes as parameters of one statement."""
    distinct = list(dict.fromkeys(items))
    for start in range(0, len(distinct), _CHUNK):
        yield distinct[start : start + _CHUNK]


class SqlOrders:
    """Orders in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, order: Order, *, actor: str) -> None:
        """Insert an order and the first line of its history."""
        try:
            self._connection.execute(insert(orders), _to_row(order))
        except IntegrityError as error:
            raise Conflict("the order's tag or idempotency key is taken", code="order_exists") from error
        self._note(order, 1, actor)

    def get(self, order_id: str, user_id: str | None = None) -> Order:
        """Return an order, only if it is the user's."""
        query = select(orders).where(orders.c.id == order_id)
        if user_id is not None:
            query = query.where(orders.c.user_id == user_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("there is no such order", code="order_not_found")
        return _to_order(row)

    def save(self, order: Order, *, actor: str) -> Order:
        """Write an order back, if its version and state allow it."""
        before = self.get(order.id)
        if before.version != order.version:
            raise Conflict("the order changed meanwhile; read it again", code="order_changed")
        if before.status is not order.status:
            before.require_next(order.status)
        if order.filled_quantity < before.filled_quantity:
            raise Conflict("what was filled cannot become less", code="order_state")
        saved = replace(order, version=order.version + 1)
        changed = update(orders).where(orders.c.id == order.id, orders.c.version == order.version)
        if self._connection.execute(changed.values(_to_row(saved))).rowcount != 1:
            raise Conflict("the order changed meanwhile; read it again", code="order_changed")
        if (before.status, before.filled_quantity) != (order.status, order.filled_quantity):
            self._note(saved, self._last_seq(order.id) + 1, actor)
        return saved

    def page(self, wanted: OrderFilter, *, before_id: str | None, limit: int) -> list[Order]:
        """Return orders, newest first."""
        query = select(orders)
        for name in ("user_id", "account", "broker", "symbol", "status", "strategy"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(orders.c[name] == _plain(value))
        if wanted.approval_pending:
            query = query.where(orders.c.status == "new", orders.c.approval == "pending")
        if wanted.open_only:
            query = query.where(orders.c.status.in_(_OPEN))
        if before_id is not None:
            query = query.where(orders.c.id < before_id)
        return [_to_order(row) for row in self._connection.execute(query.order_by(orders.c.id.desc()).limit(limit))]

    def open(self, account: str) -> list[Order]:
        """Return the orders that have not ended, oldest first."""
        query = select(orders).where(orders.c.account == account, orders.c.status.in_(_OPEN)).order_by(orders.c.id)
        return [_to_order(row) for row in self._connection.execute(query)]

    def next_to_send(self, account: str) -> Order | None:
        """Return the oldest order that may be sent."""
        free = (Approval.NOT_NEEDED.value, Approval.APPROVED.value)
        query = (
            select(orders)
            .where(
                orders.c.account == account,
                orders.c.status == OrderState.NEW.value,
                orders.c.approval.in_(free),
                orders.c.cancel_requested_at.is_(None),
            )
            .order_by(orders.c.id)
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _to_order(row)

    def by_tags(self, account: str, tags: Sequence[str]) -> list[Order]:
        """Return the orders with these tags."""
        found: list[Order] = []
        for part in chunks(tags):
            query = select(orders).where(orders.c.account == account, orders.c.tag.in_(part))
            found += [_to_order(row) for row in self._connection.execute(query)]
        return found

    def by_broker_ids(self, account: str, broker_order_ids: Sequence[str]) -> list[Order]:
        """Return the orders with these ids at the broker."""
        found: list[Order] = []
        for part in chunks(broker_order_ids):
            query = select(orders).where(orders.c.account == account, orders.c.broker_order_id.in_(part))
            found += [_to_order(row) for row in self._connection.execute(query)]
        return found

    def submitted_within(
        self, account: str, now_ms: int, windows_ms: Sequence[int], strategy: str | None = None
    ) -> list[int]:
        """Return for each window how many orders were handed to the sender less than so long ago."""
        waiting = orders.c.status == OrderState.NEW.value
        handed = case((orders.c.sent_at.is_not(None), orders.c.sent_at), (waiting, orders.c.created_at))
        counts = [func.count(case((handed > now_ms - window, 1))) for window in windows_ms]
        recent = or_(orders.c.sent_at > now_ms - max(windows_ms), orders.c.created_at > now_ms - max(windows_ms))
        query = select(*counts).where(orders.c.account == account, recent)
        if strategy is not None:
            query = query.where(orders.c.strategy == strategy)
        return [int(count) for count in self._connection.execute(query).one()]

    def last_same(self, order: Order) -> int | None:
        """Return when the last other order like this one was made."""
        same = [orders.c[name] == _plain(getattr(order, name)) for name in ("account", "side", "symbol", "quantity")]
        same += [orders.c[name].is_not_distinct_from(getattr(order, name)) for name in ("price", "trigger_price")]
        query = select(func.max(orders.c.created_at)).where(*same, orders.c.id != order.id)
        query = query.where(orders.c.created_at > order.created_at - _DAY_MS)
        last: int | None = self._connection.execute(query).scalar_one()
        return last

    def late_approvals(self, now_ms: int) -> list[Order]:
        """Return new orders whose approval has expired."""
        query = select(orders).where(
            orders.c.status == OrderState.NEW.value,
            orders.c.approval == Approval.PENDING.value,
            orders.c.approval_expires_at <= now_ms,
        )
        return [_to_order(row) for row in self._connection.execute(query.order_by(orders.c.id))]

    def history(self, order_id: str) -> list[OrderEvent]:
        """Return the changes of an order's state, oldest first."""
        query = select(order_events).where(order_events.c.order_id == order_id).order_by(order_events.c.seq)
        return [
            OrderEvent(**{**row._mapping, "status": OrderState(row.status)})
            for row in self._connection.execute(query)
        ]

    def _last_seq(self, order_id: str) -> int:
        query = select(func.max(order_events.c.seq)).where(order_events.c.order_id == order_id)
        return int(self._connection.execute(query).scalar_one() or 0)

    def _note(self, order: Order, seq: int, actor: str) -> None:
        self._connection.execute(
            insert(order_events),
            {
                "order_id": order.id,
                "seq": seq,
                "status": order.status.value,
                "at": order.updated_at,
                "actor": actor[:160],
                "filled_quantity": order.filled_quantity,
                "reason_code": order.reason_code,
                "reason": order.reason,
            },
        )


_DAY_MS = 86_400_000


def _to_fill(row: Row[Any]) -> Fill:
    return Fill(**{**row._mapping, "side": Side(row.side)})


class SqlFills:
    """Fills in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: Sequence[Fill]) -> list[Fill]:
        """Insert the fills that are not there yet; return those inserted."""
        added = []
        dialect: Any = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        # How many rows an insert touched is not told by every driver; what it returns is.
        statement = dialect.insert(fills).on_conflict_do_nothing().returning(fills.c.id)
        for fill in new:
            row = {item.name: _plain(getattr(fill, item.name)) for item in fields(Fill)}
            if self._connection.execute(statement, row).one_or_none() is not None:
                added.append(fill)
        return added

    def page(
        self, user_id: str, *, account: str | None, order_id: str | None, before_id: str | None, limit: int
    ) -> list[Fill]:
        """Return fills of a user's accounts, newest first."""
        query = select(fills).join(accounts, accounts.c.id == fills.c.account).where(accounts.c.user_id == user_id)
        for column, value in ((fills.c.account, account), (fills.c.order_id, order_id)):
            if value is not None:
                query = query.where(column == value)
        if before_id is not None:
            query = query.where(fills.c.id < before_id)
        return [_to_fill(row) for row in self._connection.execute(query.order_by(fills.c.id.desc()).limit(limit))]

    def of_order(self, order_id: str) -> list[Fill]:
        """Return the fills of an order, as they were executed."""
        return self._in_order(fills.c.order_id == order_id)

    def of_symbol(self, account: str, symbol: str) -> list[Fill]:
        """Return the fills of an account in a symbol, as they were executed."""
        return self._in_order(fills.c.account == account, fills.c.symbol == symbol)

    def of_account(self, account: str, since_ms: int = 0, strategy: str | None = None) -> list[Fill]:
        """Return all fills of an account since then, as they were executed."""
        wanted = [fills.c.account == account, fills.c.filled_at >= since_ms]
        if strategy is not None:
            wanted.append(fills.c.order_id.in_(select(orders.c.id).where(orders.c.strategy == strategy)))
        return self._in_order(*wanted)

    def _in_order(self, *wanted: Any) -> list[Fill]:
        query = select(fills).where(*wanted).order_by(fills.c.filled_at, fills.c.id)
        return [_to_fill(row) for row in self._connection.execute(query)]
