"""What brokers say and can do. Money and quantities are Decimal; times are milliseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.trading.model import OrderState, OrderType, Product, Side, TimeInForce


@dataclass(frozen=True, slots=True)
class Holding:
    """What the broker's depository shows of a symbol, settled or about to be."""

    symbol: str
    quantity: Decimal
    average_price: Decimal | None
    last_price: Decimal | None
    pnl: Decimal | None
    currency: str
    isin: str | None = None


class SessionState(StrEnum):
    """Whether a broker answers to us."""

    CONNECTED = "connected"
    NEEDS_LOGIN = "needs_login"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """How we stand with a broker. ``login_url`` is where a person logs in, with ``warning`` to show beside it."""

    state: SessionState
    detail: str = ""
    login_url: str | None = None
    warning: str | None = None
    user: str | None = None
    expires_at: int | None = None
    checked_at: int = 0


@dataclass(frozen=True, slots=True)
class Instrument:
    """What can be traded of a symbol. Prices are multiples of ``tick_size``, quantities of ``lot_size``."""

    symbol: str
    exchange: str
    tick_size: Decimal
    lot_size: Decimal
    currency: str
    name: str = ""
    isin: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker can do. What it cannot is refused before it is sent.

    ``products[0]`` is the product of an order that names none. ``tag``: an order can be found again by its tag, so
    that an unknown outcome can be resolved. ``settle_ms``: how long an order that was accepted may stay out of the
    book; 0: the book always has it. ``fractional``: quantities below one unit. ``schema_hash`` identifies the remote
    interface; a change disarms live trading. ``notes`` say what is missing and why.
    """

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    products: tuple[Product, ...]
    place: bool = True
    tag: bool = True
    modify: bool = True
    cancel: bool = True
    streaming: bool = False
    market_data: bool = False
    holdings: bool = False
    shorting: bool = True
    fractional: bool = False
    settle_ms: int = 120_000
    schema_hash: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker reports it. ``status`` None: the broker's word is unknown to us; it has not ended."""

    broker_order_id: str
    tag: str | None
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    filled_quantity: Decimal
    status: OrderState | None
    time_in_force: TimeInForce = TimeInForce.DAY
    product: Product | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    reason: str | None = None
    created_at: int | None = None


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """A fill as the broker reports it. ``fees`` None: the broker does not say."""

    broker_fill_id: str
    broker_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    filled_at: int
    fees: Decimal | None = None
    liquidity: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A net position as the broker reports it, holdings included. ``quantity`` below zero is short."""

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None
    last_price: Decimal | None = None
    pnl: Decimal | None = None
    product: Product | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Money at the broker. ``equity`` is cash and positions at market; None where the broker does not say."""

    currency: str
    cash: Decimal
    equity: Decimal | None = None
    margin_used: Decimal | None = None
    margin_available: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BrokerUpdate:
    """News from a broker. A hint: it may be lost, doubled or reordered; the book is the truth."""

    orders: tuple[BrokerOrder, ...] = ()
    fills: tuple[BrokerFill, ...] = ()


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker has the order, under this id; and what it said at once of its state and fills."""

    broker_order_id: str
    update: BrokerUpdate = BrokerUpdate()


@dataclass(frozen=True, slots=True)
class Quote:
    """The last known price of a symbol. ``time_ms`` is when it was true; ``source`` says who said so."""

    symbol: str
    price: Decimal
    time_ms: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    volume: Decimal | None = None
    source: str = ""
