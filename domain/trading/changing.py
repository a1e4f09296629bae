"""Canceling, changing, approving and resolving orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from domain.common.errors import Conflict, FieldError, Invalid
from domain.common.time import Clock
from domain.trading.gate import RiskGate
from domain.trading.model import Account, Approval, Order, OrderState, Origin
from domain.trading.placing import number_problems
from domain.trading.ports import CapabilityMissing
from domain.trading.risk import RiskRefused
from domain.trading.views import money, order_updated
from domain.trading.work import TradingWork


def end(work: TradingWork, order: Order, state: OrderState, *, actor: str, at: int, **changes: Any) -> Order:
    """Move an order to a state in an open transaction, with its event; return it as stored."""
    order.require_next(state)
    return record(work, replace(order, status=state, updated_at=at, **changes), actor=actor)


def record(work: TradingWork, order: Order, *, actor: str) -> Order:
    """Store a changed order in an open transaction, with its event; return it as stored."""
    stored = work.orders.save(order, actor=actor)
    work.outbox.add([order_updated(stored)])
    return stored


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an order: at once if it was not sent, else by asking its broker."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    wake: Callable[[str], None]

    def __call__(self, order_id: str, user_id: str | None, *, actor: str) -> Order:
        """Return the order as it is now; one that has ended stays as it is.

        Raises:
            NotFound: there is no such order.
        """
        with self.unit_of_work() as work:
            order = work.orders.get(order_id, user_id)
            work.accounts.lock(order.account)
            order = work.orders.get(order_id, user_id)
            if order.status.is_terminal or order.cancel_requested_at is not None:
                return order
            now = self.clock.now_ms()
            if order.status is OrderState.NEW:
                order = end(work, order, OrderState.CANCELED, actor=actor, at=now, cancel_requested_at=now)
            else:
                order = record(work, replace(order, cancel_requested_at=now, updated_at=now), actor=actor)
            work.audit.append(time=now, actor=actor, action="order.cancel", subject=order.id, details={})
            work.after_commit(lambda: self.wake(order.account))
            work.commit()
        return order


@dataclass(frozen=True, slots=True)
class OrderChange:
    """New values for a working order; None leaves one as it is."""

    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """Change quantity or prices: at once if the order was not sent, else by asking its broker."""

    unit_of_work: Callable[[], TradingWork]
    gate: RiskGate
    clock: Clock
    wake: Callable[[str], None]

    def __call__(
        self, order_id: str, user_id: str | None, change: OrderChange, *, version: int | None, actor: str
    ) -> Order:
        """Return the order; ``change`` holds what its broker has not confirmed yet.

        Raises:
            NotFound: there is no such order.
            Conflict: it has ended, is not proven to be at the broker, ``version`` is not its version any more, or it
                works and a person would have to approve it.
            CapabilityMissing: the broker cannot change orders.
            Invalid: a value the order cannot have.
            RiskRefused: the risk gate is against the changed order; that is in the audit log, nothing else changes.
        """
        try:
            return self._change(order_id, user_id, change, version, actor)
        except RiskRefused as refused:
            details = {"change": str(change), "refusal": str(refused.refusal)}
            with self.unit_of_work() as work:
                work.audit.append(
                    time=self.clock.now_ms(), actor=actor, action="order.refuse", subject=order_id, details=details
                )
                work.commit()
            raise

    def _change(
        self, order_id: str, user_id: str | None, change: OrderChange, version: int | None, actor: str
    ) -> Order:
        with self.unit_of_work() as work:
            order = work.orders.get(order_id, user_id)
            account = work.accounts.lock(order.account)
            order = work.orders.get(order_id, user_id)
            if version is not None and version != order.version:
                raise Conflict("the order changed meanwhile; read it again", code="order_changed")
            _require_changeable(order)
            state = work.desk.state(order.account)
            if order.status.is_working and state and state.capabilities and not state.capabilities.modify:
                raise CapabilityMissing("the broker cannot change orders; cancel it and place another")
            now = self.clock.now_ms()
            wanted = _asked_again(changed(order, change), account, now)
            refusal = self.gate.refusal(work, account, wanted, allow_duplicate=True)
            if refusal is not None:
                raise RiskRefused(refusal)
            order = record(work, self._store(order, wanted, now), actor=actor)
            details = _values(wanted)
            work.audit.append(time=now, actor=actor, action="order.change", subject=order.id, details=details)
            work.after_commit(lambda: self.wake(order.account))
            work.commit()
        return order

    def _store(self, order: Order, wanted: Order, now: int) -> Order:
        if order.status is OrderState.NEW:
            return replace(wanted, updated_at=now)
        return replace(order, change=_values(wanted), change_sent_at=None, updated_at=now)


def _asked_again(order: Order, account: Account, now: int) -> Order:
    """Return a changed order that waits for a person's yes again, if one is needed: the old yes was to another order.

    Raises:
        Conflict: it works at the broker already, where it would not wait.
    """
    if not account.needs_approval(order.strategy) or order.origin is Origin.FLATTEN:
        return order
    if order.status is not OrderState.NEW:
        raise Conflict("a person approved this order as it is; cancel it and place another", code="approval_required")
    expires = now + account.approval_minutes * 60_000
    return replace(order, approval=Approval.PENDING, approval_expires_at=expires)


def _require_changeable(order: Order) -> None:
    if order.status is not OrderState.NEW and not order.status.is_working:
        raise Conflict(f"the order is {order.status} and cannot be changed", code="order_state")
    if order.cancel_requested_at is not None:
        raise Conflict("the order is being canceled", code="order_state")
    if order.change is not None:
        raise Conflict("the broker has not confirmed the last change yet", code="change_pending")


def changed(order: Order, change: OrderChange) -> Order:
    """Return the order with other values.

    Raises:
        Invalid: a value that the order's type does not have, that is not above zero, or that was filled already.
    """
    problems = []
    for name in ("quantity", "price", "trigger_price"):
        value = getattr(change, name)
        if value is None:
            continue
        if getattr(order, name) is None:
            problems.append(FieldError(name, f"has no meaning for a {order.type} order"))
        else:
            problems += number_problems(name, value)
    if change.quantity is not None and change.quantity <= order.filled_quantity:
        problems.append(FieldError("quantity", f"{money(order.filled_quantity)} is filled already; cancel the rest"))
    if not any((change.quantity, change.price, change.trigger_price)):
        problems.append(FieldError("quantity", "give at least one of quantity, price, trigger_price"))
    if problems:
        raise Invalid("the change is not valid", code="invalid_order", errors=problems)
    return replace(
        order,
        quantity=change.quantity or order.quantity,
        price=change.price or order.price,
        trigger_price=change.trigger_price or order.trigger_price,
    )


def _values(order: Order) -> dict[str, str]:
    values = {"quantity": order.quantity, "price": order.price, "trigger_price": order.trigger_price}
    return {name: format(value, "f") for name, value in values.items() if value is not None}


def with_change(order: Order) -> Order:
    """Return a working order with the values that are asked for."""
    asked = {name: Decimal(value) for name, value in (order.change or {}).items()}
    return replace(order, **asked)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class DecideApproval:
    """A person says yes or no to an order that waits for it."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    wake: Callable[[str], None]

    def __call__(self, order_id: str, user_id: str | None, *, approve: bool, actor: str) -> Order:
        """Return the order: free to be sent, or canceled.

        Raises:
            NotFound: there is no such order.
            Conflict: it does not wait for approval, or no longer.
        """
        with self.unit_of_work() as work:
            order = work.orders.get(order_id, user_id)
            work.accounts.lock(order.account)
            order, now = work.orders.get(order_id, user_id), self.clock.now_ms()
            waits = order.status is OrderState.NEW and order.approval is Approval.PENDING
            if not waits or (order.approval_expires_at or 0) <= now:
                raise Conflict(f"the order does not wait for approval; it is {order.status}", code="order_state")
            if approve:
                until = now + (order.send_by - order.created_at)
                approved = replace(order, approval=Approval.APPROVED, send_by=until, updated_at=now)
                order = record(work, approved, actor=actor)
            else:
                refused = {"approval": Approval.REFUSED, "reason_code": "APPROVAL_REFUSED"}
                order = end(work, order, OrderState.CANCELED, actor=actor, at=now, **refused)
            word = "approve" if approve else "refuse"
            work.audit.append(time=now, actor=actor, action=f"order.{word}", subject=order.id, details={})
            work.after_commit(lambda: self.wake(order.account))
            work.commit()
        return order


@dataclass(frozen=True, slots=True)
class ExpireApprovals:
    """End the orders that nobody said yes to in time."""

    unit_of_work: Callable[[], TradingWork]
    read_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self) -> int:
        """Return how many ended."""
        now = self.clock.now_ms()
        with self.read_work() as work:
            if not work.orders.late_approvals(now):
                return 0
        with self.unit_of_work() as work:
            late = work.orders.late_approvals(now)
            for order in late:
                end(work, order, OrderState.EXPIRED, actor="sender", at=now, reason_code="APPROVAL_EXPIRED")
            work.commit()
        return len(late)


@dataclass(frozen=True, slots=True)
class ResolveOrder:
    """A person who looked at the broker says that an unknown order is not there."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self, order_id: str, user_id: str | None, *, actor: str) -> Order:
        """Return the order, not placed. Should the broker show it later after all, it is adopted.

        Raises:
            NotFound: there is no such order.
            Conflict: its outcome is not unknown.
        """
        with self.unit_of_work() as work:
            order = work.orders.get(order_id, user_id)
            work.accounts.lock(order.account)
            order, now = work.orders.get(order_id, user_id), self.clock.now_ms()
            if order.status is not OrderState.UNKNOWN:
                raise Conflict(f"the order is {order.status}, not unknown", code="order_state")
            order = end(work, order, OrderState.NOT_PLACED, actor=actor, at=now, reason_code="RESOLVED_BY_PERSON")
            work.audit.append(time=now, actor=actor, action="order.resolve", subject=order.id, details={})
            work.commit()
        return order
