"""Orders and accounts the way other parts of the program make them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from domain.common.ids import new_id
from domain.trading.brokerage import BrokerSession, Capabilities, Quote, SessionState
from domain.trading.model import Order, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.placing import NewOrder
from domain.trading.records import BrokerState
from tests.integration.http.world import LOCAL, World

PRICE = Decimal("1500.50")
ABLE = Capabilities(frozenset(OrderType), frozenset(TimeInForce), tuple(Product))


def place(world: World, user_id: str = LOCAL, **changes: Any) -> Order:
    """Store an order for the sender, in the user's paper account."""
    quote(world)
    asked: dict[str, Any] = {
        "user_id": user_id,
        "symbol": "NSE:INFY",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal(10),
        "price": Decimal(1500),
        "allow_duplicate": True,
    }
    return world.services.trading.place(NewOrder(**{**asked, **changes}), actor="test").order


def quote(world: World, symbol: str = "NSE:INFY", price: Decimal = PRICE) -> None:
    world.quotes.save([Quote(symbol, price, world.clock.now_ms())])


def move(world: World, order: Order, *states: OrderState, **changes: Any) -> Order:
    """Move an order as the sender and the broker would."""
    from dataclasses import replace

    with world.work() as work:
        for state in states:
            order = work.orders.save(replace(order, status=state, **changes), actor="test")
        work.commit()
    return order


def connect(world: World, account: str, state: SessionState = SessionState.CONNECTED, **known: Any) -> None:
    """Keep a state of the account's broker, as the desk does."""
    now = world.clock.now_ms()
    session = BrokerSession(state, checked_at=now)
    with world.work() as work:
        work.desk.save_state(
            BrokerState(account, session, ABLE, positions_at=now, holdings_at=now, reconciled_at=now, **known)
        )
        work.desk.take(account, token=new_id(), owner="test", ttl_ms=60_000)
        work.commit()
