"""The shapes of accounts, books and controls in the OpenAPI document. Money and quantities are decimal text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from adapters.http.order_schemas import AskedMoney, ModeName, Money, ProductName
from adapters.http.schemas import LocationHeaders, Model

StrategyName = Annotated[str, Field(min_length=1, max_length=64)]
Volume = AskedMoney | Annotated[int, Field(ge=0, le=1_000_000_000_000)]


class AccountQuery(Model):
    """Which account; needed with several."""

    account: str | None = Field(default=None, max_length=64)


class BookQuery(AccountQuery):
    """Filters of positions and holdings."""

    broker: str | None = Field(default=None, max_length=64)


class PositionQuery(BookQuery):
    """Filters of GET /positions."""

    flat: bool = Field(default=False, description="also those that were closed")


class Position(Model):
    """A net position, first in first out. ``unrealized_pnl`` is null where no price is known."""

    account: str
    broker: str
    mode: ModeName
    symbol: str
    side: Literal["long", "short", "flat"]
    quantity: Money
    average_price: Money | None
    last_price: Money | None
    price_at: datetime | None = Field(description="when the last price was true")
    price_source: str | None = Field(description="`stored bar`: nobody pushed a price")
    realized_pnl: Money = Field(description="before fees")
    unrealized_pnl: Money | None
    fees: Money
    currency: str


class Positions(Model):
    """Positions by account and symbol."""

    items: list[Position]


class Holding(Model):
    """What a depository shows."""

    account: str
    broker: str
    mode: ModeName
    symbol: str
    isin: str | None
    quantity: Money
    average_price: Money | None
    last_price: Money | None
    pnl: Money | None
    currency: str


class Holdings(Model):
    """Holdings, and when the oldest of them was read; null: never."""

    as_of: datetime | None
    items: list[Holding]


class BrokerPosition(Model):
    """A net position as the broker shows it."""

    symbol: str
    product: ProductName | None
    side: Literal["long", "short", "flat"]
    quantity: Money
    average_price: Money | None
    last_price: Money | None
    pnl: Money | None
    currency: str


class McpPositions(Model):
    """What the broker showed when it was last read."""

    as_of: datetime | None
    broker: str
    account: str
    items: list[BrokerPosition]


class McpHoldings(Model):
    """What the broker's depository showed when it was last read."""

    as_of: datetime | None
    broker: str
    account: str
    items: list[Holding]


class Session(Model):
    """How we stand with a broker."""

    state: Literal["connected", "needs_login", "down"]
    detail: str
    login_url: str | None
    warning: str | None
    user: str | None
    expires_at: datetime | None
    checked_at: datetime | None


class BrokerLogin(Model):
    """Whether somebody must log in, and where."""

    account: str
    status: Literal["logged_in", "login_required"]
    login_url: str | None
    warning: str | None = Field(description="show it beside the link")
    user: str | None
    expires_at: datetime | None


class Balance(Model):
    """Money at the broker; null where it does not say."""

    currency: str
    cash: Money
    equity: Money | None
    margin_used: Money | None
    margin_available: Money | None


class Account(Model):
    """An account with a broker."""

    id: str = Field(examples=["paper"])
    user_id: str
    broker: str
    mode: ModeName
    currency: str
    options: dict[str, Any]
    approval_required: bool
    approval_strategies: list[str]
    approval_minutes: int
    halted: str | None
    armed_until: datetime | None
    session: Session | None
    balance: Balance | None
    notes: list[str] = Field(description="what the broker cannot do")
    reconciled_at: datetime | None
    version: int
    created_at: datetime


class AccountHeaders(Model):
    """Headers of an account."""

    etag: str = Field(description="the account's version, in quotes; for If-Match")


class NewAccountHeaders(LocationHeaders, AccountHeaders):
    """Headers of an account that was made."""


class Accounts(Model):
    """Accounts by id."""

    items: list[Account]


class NewAccountRequest(Model):
    """An account to make."""

    id: str = Field(pattern="^[a-z][a-z0-9_.-]{0,63}$", examples=["paper-inr"])
    user_id: UUID | None = Field(default=None, description="whose it is; null: yours")
    broker: str = Field(min_length=1, max_length=64, examples=["paper"])
    mode: ModeName | None = None
    currency: str = Field(default="USD", pattern="^[A-Z]{3,5}$")
    starting_cash: AskedMoney | None = Field(
        default=None, description="null: 100000 with the broker `paper`, else 0: what the broker says counts"
    )
    options: dict[str, Any] = Field(default={})
    approval_required: bool = False


class AccountChangeRequest(Model):
    """How an account's orders are approved; at least one."""

    approval_required: bool | None = None
    approval_strategies: list[StrategyName] | None = Field(default=None, max_length=32)
    approval_minutes: int | None = Field(default=None, ge=1, le=1440)


class EquityQuery(Model):
    """Which part of an equity history."""

    since: datetime | None = None
    until: datetime | None = None
    limit: int = Field(default=50, ge=1, le=200)


class EquityPoint(Model):
    """An account's worth at one moment; null where a held symbol has no price."""

    at: datetime
    cash: Money
    equity: Money | None
    realized_pnl: Money
    unrealized_pnl: Money | None
    fees: Money


class Equity(Model):
    """The newest points of an equity history, oldest first, and the account's worth now."""

    now: EquityPoint
    items: list[EquityPoint]


class Limits(Model):
    """Risk limits by strategy; `""` is the account's own. Null: no limit."""

    account: str
    limits: dict[str, dict[str, Any]]


class LimitsRequest(Model):
    """Limits to set; null lifts one. With the password of whoever asks."""

    strategy: str = Field(default="", max_length=64)
    limits: dict[str, Any] = Field(examples=[{"max_notional": "25000"}])
    password: str = Field(min_length=1, max_length=128, examples=["correct horse battery"])


class PasswordAgain(Model):
    """The password of whoever asks."""

    password: str = Field(min_length=1, max_length=128, examples=["correct horse battery"])


class ArmRequest(PasswordAgain):
    """How long live trading is allowed."""

    hours: int = Field(default=8, ge=1, le=8)


class Arming(Model):
    """Live trading is allowed until then, as long as the configuration stays as it is."""

    account: str
    expires_at: datetime


class Disarmed(Model):
    """Live trading is not allowed any more."""

    account: str
    was_armed: bool


class KillRequest(Model):
    """Stop trading."""

    scope: str = Field(default="global", max_length=64, description="`global`, or an account's id")
    reason: str = Field(min_length=1, max_length=200)
    flatten: bool = Field(default=False, description="also cancel all orders and close all positions")


class ReleaseRequest(PasswordAgain):
    """Let trading go on."""

    scope: str = Field(default="global", max_length=64)
    reason: str = Field(min_length=1, max_length=200)


class Switch(Model):
    """A kill switch."""

    scope: str
    engaged: bool
    flatten: bool
    epoch: int
    actor: str
    reason: str
    changed_at: datetime | None


class Switches(Model):
    """Kill switches by scope."""

    items: list[Switch]


class Killed(Model):
    """What engaging a kill switch came to. ``effective``: no submit call starts any more."""

    switch: Switch
    effective: bool
    in_flight: list[UUID] = Field(description="orders whose submit call had begun")
    flattening: list[UUID]
    problems: list[str]


class QuoteItem(Model):
    """A price."""

    symbol: str = Field(min_length=1, max_length=45, examples=["NSE:INFY"])
    price: AskedMoney
    time: datetime | None = Field(default=None, description="when it was true; null: now")
    bid: AskedMoney | None = None
    ask: AskedMoney | None = None
    volume: Volume | None = Field(default=None, description="of this tick")


class QuotesRequest(Model):
    """Prices to take in."""

    items: list[QuoteItem] = Field(min_length=1, max_length=500)


class QuotesTaken(Model):
    """How many prices were taken in."""

    accepted: int


class QuoteQuery(Model):
    """Which prices."""

    symbols: str | None = Field(
        default=None,
        min_length=1,
        max_length=4600,
        description="1 to 100, separated by commas; left out: what you hold",
        examples=["NSE:INFY,NSE:TCS"],
    )


class Quote(Model):
    """The last known price of a symbol."""

    symbol: str
    price: Money
    time: datetime = Field(description="when it was true")
    bid: Money | None
    ask: Money | None
    volume: Money | None
    source: str | None = Field(description="who said so; `stored bar`: nobody pushed a price")


class Quotes(Model):
    """Last known prices, in the order they were asked for."""

    items: list[Quote]


class TradingAccountHealth(Model):
    """Whether an account may open positions, and why not."""

    account: str
    mode: ModeName
    status: Literal["ready", "blocked"]
    reasons: list[str]
    details: list[str]


class TradingHealth(Model):
    """``blocked`` when any account is; ``off`` without accounts. Strangers see the status only, owners their own."""

    status: Literal["ready", "blocked", "off"]
    accounts: list[TradingAccountHealth] = Field(default=[])
