"""Taking orders: checked, stored, and handed to the one component that sends them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.common.errors import AITraderError, FieldError, Invalid
from domain.common.failpoints import failpoint
from domain.common.idempotency import Once, request_hash
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.market.model import parse_symbol
from domain.trading.accounts import FindAccount
from domain.trading.brokerage import Capabilities
from domain.trading.gate import RiskGate
from domain.trading.model import Account, Approval, Order, OrderType, Origin, Product, Side, TimeInForce, tag_of
from domain.trading.ports import CapabilityMissing
from domain.trading.risk import RiskRefused, unit_price
from domain.trading.views import money, order_updated
from domain.trading.work import TradingWork

SEND_WITHIN_MS = 5 * 60_000
MAX_DIGITS = 8
_MAX = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request to trade.

    Args:
        account: the account's id; None: the user's account with ``broker``, or the paper account.
        send_within_ms: how long the order may wait for its broker or for approval's yes before it is given up.
        allow_duplicate: the same order again within moments is meant.
    """

    user_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    account: str | None = None
    broker: str | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    product: Product | None = None
    strategy: str | None = None
    decision_id: str | None = None
    origin: Origin = Origin.MANUAL
    send_within_ms: int = SEND_WITHIN_MS
    idempotency_key: str | None = None
    allow_duplicate: bool = False
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether this request made it; else an earlier one with the same key did."""

    order: Order
    created: bool


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Check an order and store it for the sender. It reaches the broker later, or never.

    ``wake`` is called with the account's id after the commit.
    """

    unit_of_work: Callable[[], TradingWork]
    find_account: FindAccount
    gate: RiskGate
    clock: Clock
    wake: Callable[[str], None]

    def __call__(self, new: NewOrder, *, actor: str) -> Placed:
        """Store the order once per idempotency key.

        Raises:
            Invalid: it contradicts itself, or the key was used for another request.
            CapabilityMissing: the account's broker cannot do this.
            NotFound: there is no such account.
            RiskRefused: the risk gate is against it; that is in the audit log, nothing else is changed.
        """
        new = replace(new, symbol=parse_symbol(new.symbol))
        check_shape(new)  # before anything is looked up
        account = self.find_account(new.user_id, new.account, new.broker)
        try:
            return self._store(new, account.id, actor)
        except RiskRefused as refused:
            self._audit_refusal(new, account, actor, refused)
            raise

    def within(self, work: TradingWork, new: NewOrder, account: Account, *, actor: str) -> Placed:
        """Check and store an order in a transaction of the caller's, who has locked the account and commits.

        Raises:
            Invalid: it contradicts itself, or the key was used for another request.
            CapabilityMissing: the account's broker cannot do this.
            RiskRefused: the risk gate is against it; nothing is changed.
        """
        check_shape(new)
        order = self._order(new, account)
        earlier = self._earlier(work, new, order.id)
        if earlier is not None:
            return Placed(earlier, created=False)
        require_capabilities(order, _capabilities(work, account))
        refusal, picture = self.gate.judge(work, account, order, allow_duplicate=new.allow_duplicate)
        if refusal is not None:
            raise RiskRefused(refusal)
        order = replace(order, reference_price=unit_price(order, picture), version=1)
        work.orders.add(order, actor=actor)
        work.outbox.add([order_updated(order)])
        work.audit.append(
            time=order.created_at, actor=actor, action="order.place", subject=order.id, details=summary(order)
        )
        work.after_commit(lambda: self.wake(account.id))
        return Placed(order, created=True)

    def note_refusal(
        self, work: TradingWork, new: NewOrder, account: Account, actor: str, refused: AITraderError
    ) -> None:
        """Say in the audit log, in a transaction of the caller's, that an order was refused."""
        reason = str(refused.refusal) if isinstance(refused, RiskRefused) else refused.detail
        details = {**_asked(new), "account": account.id, "refusal": reason}
        work.audit.append(
            time=self.clock.now_ms(), actor=actor, action="order.refuse", subject=account.id, details=details
        )

    def _store(self, new: NewOrder, account_id: str, actor: str) -> Placed:
        with self.unit_of_work() as work:
            placed = self.within(work, new, work.accounts.lock(account_id), actor=actor)
            if placed.created:
                failpoint("order.storing")
                work.commit()
        failpoint("order.stored")
        return placed

    def _order(self, new: NewOrder, account: Account) -> Order:
        now, order_id = self.clock.now_ms(), new_id()
        asks = account.needs_approval(new.strategy) and new.origin is not Origin.FLATTEN
        expires = now + account.approval_minutes * 60_000
        return Order(
            id=order_id,
            user_id=account.user_id,
            account=account.id,
            broker=account.broker,
            mode=account.mode,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            quantity=new.quantity,
            tag=tag_of(order_id),
            created_at=now,
            updated_at=now,
            send_by=now + new.send_within_ms,
            product=new.product,
            price=new.price,
            trigger_price=new.trigger_price,
            decision_id=new.decision_id,
            strategy=new.strategy,
            idempotency_key=new.idempotency_key,
            origin=Origin.STRATEGY if new.strategy and new.origin is Origin.MANUAL else new.origin,
            approval=Approval.PENDING if asks else Approval.NOT_NEEDED,
            approval_expires_at=expires if asks else None,
            trace=new.trace,
            version=0,
        )

    def _earlier(self, work: TradingWork, new: NewOrder, order_id: str) -> Order | None:
        if new.idempotency_key is None:
            return None
        once = Once(new.user_id, new.idempotency_key, request_hash(_asked(new)))
        resource = work.idempotency_keys.claim(once, f"order:{order_id}", self.clock.now_ms())
        return None if resource is None else work.orders.get(resource.removeprefix("order:"), new.user_id)

    def _audit_refusal(self, new: NewOrder, account: Account, actor: str, refused: RiskRefused) -> None:
        with self.unit_of_work() as work:
            self.note_refusal(work, new, account, actor, refused)
            work.commit()


def _asked(new: NewOrder) -> dict[str, object]:
    return {
        "order": "place",
        "account": new.account,
        "broker": new.broker,
        "symbol": new.symbol,
        "side": new.side.value,
        "type": new.type.value,
        "quantity": money(new.quantity),
        "price": money(new.price),
        "trigger_price": money(new.trigger_price),
        "time_in_force": new.time_in_force.value,
        "product": None if new.product is None else new.product.value,
        "strategy": new.strategy,
        "decision_id": new.decision_id,
    }


def summary(order: Order) -> dict[str, object]:
    """Return what the audit log says of an order."""
    return {
        "account": order.account,
        "mode": order.mode.value,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": money(order.quantity),
        "price": money(order.price),
        "trigger_price": money(order.trigger_price),
        "strategy": order.strategy,
        "tag": order.tag,
        "approval": order.approval.value,
    }


def check_shape(new: NewOrder) -> None:
    """Check that an order does not contradict itself.

    Raises:
        Invalid: it does; each field at fault is named.
    """
    numbers = {name: getattr(new, name) for name in ("quantity", "price", "trigger_price")}
    problems = [problem for name, value in numbers.items() for problem in number_problems(name, value)]
    problems += _needed("price", new.price, new.type.needs_price, new.type)
    problems += _needed("trigger_price", new.trigger_price, new.type.needs_trigger, new.type)
    if problems:
        raise Invalid("the order is not valid", code="invalid_order", errors=problems)


def number_problems(name: str, value: Decimal | None) -> list[FieldError]:
    """Return what is wrong with a quantity or price of an order; None is nothing wrong."""
    if value is None:
        return []
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or value <= 0 or value > _MAX:
        return [FieldError(name, "must be above 0 and at most 1000000000000")]
    if -exponent > MAX_DIGITS and value != round(value, MAX_DIGITS):
        return [FieldError(name, f"must have at most {MAX_DIGITS} decimal places")]
    return []


def _needed(name: str, value: Decimal | None, needed: bool, kind: OrderType) -> list[FieldError]:
    if needed and value is None:
        return [FieldError(name, f"is required for a {kind} order")]
    if not needed and value is not None:
        return [FieldError(name, f"has no meaning for a {kind} order")]
    return []


def _capabilities(work: TradingWork, account: Account) -> Capabilities | None:
    state = work.desk.state(account.id)
    return None if state is None else state.capabilities


def require_capabilities(order: Order, able: Capabilities | None) -> None:
    """Check that a broker can do what an order asks; what is not known yet is checked when it is sent.

    Raises:
        CapabilityMissing: it cannot; the message says what it can.
    """
    if able is None:
        return
    if not able.place:
        raise CapabilityMissing(
            f"the broker takes no orders here: {'; '.join(able.notes) or 'it offers no such tool'}"
        )
    _require("order type", order.type, able.order_types, able)
    _require("time in force", order.time_in_force, able.times_in_force, able)
    if order.product is not None:
        _require("product", order.product, frozenset(able.products), able)
    if not able.fractional and order.quantity != order.quantity.to_integral_value():
        raise CapabilityMissing("the broker takes whole quantities only")


def _require(what: str, wanted: str, known: frozenset[str], able: Capabilities) -> None:
    if wanted not in known:
        why = f" ({'; '.join(able.notes)})" if able.notes else ""
        raise CapabilityMissing(f"the broker has no {what} {wanted}; it has: {', '.join(sorted(known))}{why}")
