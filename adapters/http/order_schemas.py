"""The shapes of orders and fills in the OpenAPI document. Money and quantities are decimal text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from adapters.http.schemas import Model

SideName = Literal["buy", "sell"]
TypeName = Literal["market", "limit", "stop", "stop_limit"]
TimeInForceName = Literal["day", "gtc", "ioc", "fok"]
ProductName = Literal["delivery", "intraday", "margin"]
ModeName = Literal["paper", "live"]
OrderStatus = Literal[
    "new",
    "sending",
    "accepted",
    "partially_filled",
    "filled",
    "canceled",
    "rejected",
    "expired",
    "unknown",
    "not_placed",
]
Money = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["1500.05"])]
AskedMoney = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,8})?$", examples=["1500.05"])]
AskedQuantity = AskedMoney | Annotated[int, Field(ge=1, le=1_000_000_000_000)]

_ORDER_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13"
_TIME = "2026-01-31T09:30:00.000Z"
_CURSOR = "^[A-Za-z0-9_-]{21}[AQgw]$"


class McpOrderRequest(Model):
    """An order for the account with the broker `mcp`."""

    symbol: str = Field(min_length=1, max_length=45, examples=["NSE:INFY"])
    side: SideName
    type: TypeName
    quantity: AskedQuantity
    price: AskedMoney | None = Field(default=None, description="the limit; for limit and stop_limit")
    trigger_price: AskedMoney | None = Field(default=None, description="for stop and stop_limit")
    time_in_force: TimeInForceName = "day"
    product: ProductName | None = Field(default=None, description="null: what the broker has first")
    account: str | None = Field(default=None, max_length=64, description="needed with several accounts of a broker")
    strategy: str | None = Field(default=None, max_length=64)
    allow_duplicate: bool = Field(default=False, description="the same order again within moments is meant")


class OrderRequest(McpOrderRequest):
    """An order to place. Without account and broker it goes to the paper account."""

    broker: str | None = Field(default=None, max_length=64, examples=["paper"])


class OrderChangeRequest(Model):
    """New values of a working order; at least one."""

    quantity: AskedQuantity | None = None
    price: AskedMoney | None = Field(default=None, examples=["1500.05"])
    trigger_price: AskedMoney | None = None


class Order(Model):
    """An order and what became of it."""

    id: UUID = Field(examples=[_ORDER_ID])
    account: str = Field(examples=["paper"])
    broker: str = Field(examples=["paper"])
    mode: ModeName
    symbol: str = Field(examples=["NSE:INFY"])
    side: SideName
    type: TypeName
    product: ProductName | None
    time_in_force: TimeInForceName
    quantity: Money
    price: Money | None
    trigger_price: Money | None
    status: OrderStatus = Field(
        description="unknown: the broker may or may not have it, we read until that is proven. "
        "not_placed: proven that it does not"
    )
    filled_quantity: Money
    average_price: Money | None
    reason_code: str | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])
    tag: str = Field(description="what it is found by at the broker")
    broker_order_id: str | None
    origin: Literal["manual", "strategy", "flatten", "external"]
    strategy: str | None
    decision_id: str | None
    approval: Literal["not_needed", "pending", "approved", "refused"]
    approval_expires_at: datetime | None
    cancel_requested: bool
    pending_change: dict[str, str] | None = Field(description="asked for, and not confirmed by the broker yet")
    version: int
    created_at: datetime = Field(examples=[_TIME])
    sent_at: datetime | None
    updated_at: datetime = Field(examples=[_TIME])


class OrderPage(Model):
    """Orders, newest first. ``next_cursor`` is null on the last page."""

    items: list[Order]
    next_cursor: str | None


class OrderQuery(Model):
    """Filters of GET /orders."""

    account: str | None = Field(default=None, max_length=64)
    broker: str | None = Field(default=None, max_length=64)
    symbol: str | None = Field(default=None, max_length=45)
    status: OrderStatus | None = None
    strategy: str | None = Field(default=None, max_length=64)
    open: bool = Field(default=False, description="only those that have not ended")
    approval: Literal["pending"] | None = Field(default=None, description="only those that wait for a person")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class OrderEvent(Model):
    """One change of an order's state."""

    seq: int
    status: OrderStatus
    at: datetime
    actor: str
    filled_quantity: Money
    reason_code: str | None
    reason: str | None


class OrderHistory(Model):
    """The changes of an order's state, oldest first."""

    items: list[OrderEvent]


class OrderHeaders(Model):
    """Headers of an order."""

    etag: str = Field(description="the order's version, in quotes; for If-Match")


class IfMatchHeaders(Model):
    """The version that a change is meant for."""

    if_match: str | None = Field(default=None, description='the ETag that was read, such as "3"; required')


class PlaceHeaders(Model):
    """Headers of requests that place orders."""

    idempotency_key: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="required: the same key and body give the order that the first request made",
    )


class Fill(Model):
    """A part of an order that was executed."""

    id: UUID
    order_id: UUID
    account: str
    symbol: str
    side: SideName
    quantity: Money
    price: Money
    fees: Money
    liquidity: str | None
    broker_fill_id: str
    filled_at: datetime


class FillPage(Model):
    """Fills, newest first."""

    items: list[Fill]
    next_cursor: str | None


class FillQuery(Model):
    """Filters of GET /fills."""

    account: str | None = Field(default=None, max_length=64)
    order_id: UUID | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)
