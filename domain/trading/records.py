"""What trading keeps besides orders, fills and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from domain.trading.brokerage import Balance, BrokerPosition, BrokerSession, Capabilities, Holding, Quote
from domain.trading.model import OrderState
from domain.trading.ports import Quotes

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list. None means any; ``open_only`` leaves out those that have ended."""

    user_id: str | None = None
    account: str | None = None
    broker: str | None = None
    symbol: str | None = None
    status: OrderState | None = None
    strategy: str | None = None
    approval_pending: bool = False
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One change of an order's state. ``seq`` counts from 1 within the order; ``actor`` is who or what did it."""

    order_id: str
    seq: int
    status: OrderState
    at: int
    actor: str
    filled_quantity: Decimal
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """A kill switch. ``scope`` is ``global`` or an account's id. ``epoch`` grows with every change.

    ``flatten``: orders that close positions may pass while it is engaged.
    """

    scope: str
    engaged: bool
    epoch: int
    flatten: bool = False
    actor: str = ""
    reason: str = ""
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Arming:
    """Permission to trade live. It ends by itself, and when ``fingerprint`` is not the configuration's any more."""

    account: str
    fingerprint: str
    armed_by: str
    armed_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class DeskLease:
    """Who may talk to an account's broker. ``seen_epoch``: the switch epoch that its sender obeys already."""

    account: str
    token: str
    owner: str
    until: int
    seen_epoch: int


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What the process that has the broker open last learnt of it, for those that do not.

    ``mismatches`` are symbols whose position at the broker is not ours, with both quantities. Times are
    milliseconds UTC; ``reconciled_at`` None: not since the account was last opened.
    """

    account: str
    session: BrokerSession
    capabilities: Capabilities | None = None
    balance: Balance | None = None
    positions: tuple[BrokerPosition, ...] = ()
    holdings: tuple[Holding, ...] = ()
    mismatches: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    positions_at: int | None = None
    holdings_at: int | None = None
    reconciled_at: int | None = None
    reconcile_error: str = ""

    def quote(self, symbol: str) -> Quote | None:
        """Return the last price that the broker showed with a position; None when it showed none."""
        if self.positions_at is None:
            return None
        prices = (item.last_price for item in self.positions if item.symbol == symbol)
        price = next((price for price in prices if price is not None), None)
        return None if price is None else Quote(symbol, price, self.positions_at, source="broker")


def last_quote(quotes: Quotes, state: BrokerState | None, symbol: str) -> Quote | None:
    """Return the newer of the last known price and the one that the account's own broker showed.

    A broker's price is for its own account alone: a practice broker's says nothing about the market.
    """
    known = quotes.last(symbol)
    shown = None if state is None else state.quote(symbol)
    if known is None or (shown is not None and shown.time_ms > known.time_ms):
        return shown
    return known


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """Something that only the process with the broker open can do, asked by another: ``login`` or ``refresh``.

    ``result`` or ``error`` is set once ``finished_at`` is.
    """

    id: str
    account: str
    kind: str
    created_at: int
    result: dict[str, Any] | None = None
    error: str | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """An account's worth at one moment: cash, positions at market, and the P&L since it was opened.

    ``equity`` and ``unrealized_pnl`` are None where a held symbol has no known price.
    """

    account: str
    at: int
    cash: Decimal
    equity: Decimal | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    fees: Decimal
