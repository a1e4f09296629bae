"""Accounts, orders and fills for the tests of trading."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from domain.common.ids import new_id
from domain.trading.model import Account, Fill, Mode, Order, OrderType, Side, TimeInForce, tag_of

NOW = 1_764_000_000_000


def account(name: str = "a", **changes: Any) -> Account:
    """Return a paper account of user ``u``."""
    made = Account(name, "u", "paper", Mode.PAPER, "INR", NOW, starting_cash=Decimal("1000.50"))
    return replace(made, **changes)


def order(**changes: Any) -> Order:
    """Return a new limit order in account ``a``."""
    order_id = new_id()
    made = Order(
        id=order_id,
        user_id="u",
        account="a",
        broker="paper",
        mode=Mode.PAPER,
        symbol="NSE:INFY",
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(10),
        tag=tag_of(order_id),
        created_at=NOW,
        updated_at=NOW,
        send_by=NOW + 60_000,
        price=Decimal(100),
    )
    return replace(made, **changes)


def fill(of: Order, **changes: Any) -> Fill:
    """Return a fill of one unit of an order."""
    made = Fill(
        id=new_id(),
        order_id=of.id,
        account=of.account,
        symbol=of.symbol,
        side=of.side,
        broker_fill_id=new_id(),
        quantity=Decimal(1),
        price=Decimal("100.05"),
        filled_at=NOW,
        fees=Decimal("0.01"),
        liquidity="maker",
    )
    return replace(made, **changes)
