"""Orders, fills, positions and accounts. Money and quantities are Decimal; times are milliseconds UTC."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.common.errors import Conflict

ZERO = Decimal(0)


class Side(StrEnum):
    """Which way an order or fill goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 for buy, -1 for sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """``stop`` becomes a market order, ``stop_limit`` a limit order, once the trigger price trades."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    @property
    def needs_price(self) -> bool:
        """Whether the order has a limit price."""
        return self in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    @property
    def needs_trigger(self) -> bool:
        """Whether the order has a trigger price."""
        return self in (OrderType.STOP, OrderType.STOP_LIMIT)


class TimeInForce(StrEnum):
    """How long an order works: this session, until canceled, at once or not (in part; or only in full)."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Product(StrEnum):
    """How a position is carried: paid for in full; closed the same session; on margin overnight."""

    DELIVERY = "delivery"
    INTRADAY = "intraday"
    MARGIN = "margin"


class Mode(StrEnum):
    """Whether money is at stake. An account is one or the other for ever."""

    PAPER = "paper"
    LIVE = "live"


class Origin(StrEnum):
    """Where an order came from. ``external``: it was found at the broker, somebody else placed it."""

    MANUAL = "manual"
    STRATEGY = "strategy"
    FLATTEN = "flatten"
    EXTERNAL = "external"


class OrderState(StrEnum):
    """Where an order is.

    ``new``: stored, not sent. ``sending``: a submit call may be on the wire. ``unknown``: the call ended without
    proof; reconciliation reads until there is. ``not_placed``: proven that the broker does not have it.
    """

    NEW = "new"
    SENDING = "sending"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NOT_PLACED = "not_placed"

    @property
    def is_terminal(self) -> bool:
        """Whether the order has ended."""
        return self in _TERMINAL

    @property
    def is_working(self) -> bool:
        """Whether the broker has it and may fill it."""
        return self in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)

    @property
    def is_unproven(self) -> bool:
        """Whether the broker may or may not have it."""
        return self in (OrderState.SENDING, OrderState.UNKNOWN)

    def may_become(self, state: OrderState) -> bool:
        """Return whether an order may go from this state to another. States never go back."""
        return state in _NEXT[self]


_TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.NOT_PLACED}
)
_AT_BROKER = {
    OrderState.ACCEPTED,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.CANCELED,
    OrderState.REJECTED,
    OrderState.EXPIRED,
}
_NEXT: dict[OrderState, set[OrderState]] = {
    OrderState.NEW: {
        OrderState.SENDING,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.NOT_PLACED,
    },
    OrderState.SENDING: {*_AT_BROKER, OrderState.UNKNOWN, OrderState.NOT_PLACED},
    OrderState.UNKNOWN: {*_AT_BROKER, OrderState.NOT_PLACED},
    OrderState.ACCEPTED: _AT_BROKER - {OrderState.ACCEPTED},
    OrderState.PARTIALLY_FILLED: {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED},
    # The last fill may be reported after the end: an order that was filled in full was filled.
    OrderState.CANCELED: {OrderState.FILLED},
    OrderState.EXPIRED: {OrderState.FILLED},
    OrderState.REJECTED: set(),
    OrderState.FILLED: set(),
    # A late match at the broker is adopted, and somebody is told.
    OrderState.NOT_PLACED: set(_AT_BROKER),
}


class Approval(StrEnum):
    """Whether a person must say yes before an order is sent, and whether they did."""

    NOT_NEEDED = "not_needed"
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to trade, and what became of it.

    Args:
        account: the id of the account.
        quantity: how much; above zero. ``price`` (limit) and ``trigger_price`` are in the account's currency.
        tag: what we find the order by at the broker; at most 20 letters and digits, unique in the account.
        filled_quantity, average_price: the fold of the fills that the broker reported.
        reason_code, reason: why it is rejected, unknown or not placed; for a person.
        send_by: not sent after this time; milliseconds UTC.
        reference_price: what one unit was taken to cost when the order was checked.
        change: new ``quantity``, ``price`` or ``trigger_price`` asked for and not yet confirmed, as decimal text.
    """

    id: str
    user_id: str
    account: str
    broker: str
    mode: Mode
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    tag: str
    created_at: int
    updated_at: int
    send_by: int
    product: Product | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    status: OrderState = OrderState.NEW
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    broker_order_id: str | None = None
    decision_id: str | None = None
    strategy: str | None = None
    idempotency_key: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    origin: Origin = Origin.MANUAL
    approval: Approval = Approval.NOT_NEEDED
    approval_expires_at: int | None = None
    reference_price: Decimal | None = None
    sent_at: int | None = None
    unknown_since: int | None = None
    absent_reads: int = 0
    cancel_requested_at: int | None = None
    change: dict[str, str] | None = None
    change_sent_at: int | None = None
    trace: str | None = None
    version: int = 1

    @property
    def remaining(self) -> Decimal:
        """What is not filled; never below zero."""
        return max(ZERO, self.quantity - self.filled_quantity)

    @property
    def open_quantity(self) -> Decimal:
        """What may still be filled: nothing once the order has ended."""
        return ZERO if self.status.is_terminal else self.remaining

    def require_next(self, state: OrderState) -> None:
        """Check that the order may go to a state.

        Raises:
            Conflict: it may not.
        """
        if not self.status.may_become(state):
            raise Conflict(f"an order that is {self.status} cannot become {state}", code="order_state")


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of an order that was executed. ``fees`` are what it cost beside the price, in the account's currency.

    ``(account, broker_fill_id)`` is unique: the same fill reported twice is one fill.
    """

    id: str
    order_id: str
    account: str
    symbol: str
    side: Side
    broker_fill_id: str
    quantity: Decimal
    price: Decimal
    filled_at: int
    fees: Decimal = ZERO
    liquidity: str | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """A part of a position that was opened at one price. ``quantity`` is signed: below zero is short."""

    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds of a symbol: the fold of its fills, first in first out, over the opening quantity.

    ``quantity`` below zero is short. ``realized_pnl`` is before ``fees``; both in the account's currency.
    """

    account: str
    symbol: str
    quantity: Decimal = ZERO
    lots: tuple[Lot, ...] = ()
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    opening_quantity: Decimal = ZERO
    opening_price: Decimal = ZERO
    updated_at: int = 0

    @property
    def average_price(self) -> Decimal | None:
        """What the open lots cost per unit; None when flat."""
        if not self.quantity:
            return None
        return sum((lot.quantity * lot.price for lot in self.lots), ZERO) / self.quantity

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        """Return what closing at ``price`` would realize, before fees."""
        return sum((lot.quantity * (price - lot.price) for lot in self.lots), ZERO)


@dataclass(frozen=True, slots=True)
class Account:
    """A user's account with a broker.

    Args:
        id: a name such as ``paper`` or ``mcp``; unique in this installation.
        broker: the registered broker type.
        options: the broker's own options, as validated by its ``options_type``; JSON types, no secrets.
        approval_required: a person must approve each order.
        approval_strategies: strategies whose orders a person must approve.
        baseline_at: when positions that were there before us were taken over; None until then.
        halted: why no opening order leaves until a person looked; empty when nothing is wrong.
    """

    id: str
    user_id: str
    broker: str
    mode: Mode
    currency: str
    created_at: int
    options: dict[str, Any] = field(default_factory=dict)
    approval_required: bool = False
    approval_strategies: tuple[str, ...] = ()
    approval_minutes: int = 15
    starting_cash: Decimal = ZERO
    baseline_at: int | None = None
    closed_at: int | None = None
    halted: str = ""
    version: int = 1

    def needs_approval(self, strategy: str | None) -> bool:
        """Return whether a person must approve an order."""
        return self.approval_required or (strategy is not None and strategy in self.approval_strategies)


def tag_of(order_id: str) -> str:
    """Return the tag of an order: 20 letters and digits made of its id, the same every time."""
    digest = hashlib.sha256(order_id.encode()).digest()
    return "A" + base64.b32encode(digest).decode()[:19]
