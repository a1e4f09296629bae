"""Random orders, changes, prices, days, restarts and journal faults: the books stay the fold of the journal."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.testing.broker_faults import Fault
from domain.common.errors import AITraderError
from domain.trading.model import Order, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.ports import BrokerRejected
from tests.unit.plugins.paper_desk import INFY, TCS, D, Desk

OPTIONS: dict[str, Any] = {
    "fees": {"model": "per_share", "amount": "0.01", "minimum": "1"},
    "slippage_bps": "3",
    "slippage_jitter_bps": "5",
    "tick_size": "0.05",
    "leverage": "4",
    "participation": "0.5",
    "day_ends": "10:00",
}

symbols = st.sampled_from([INFY, TCS])
levels = st.integers(90, 110)
places = st.tuples(
    st.just("place"),
    symbols,
    st.sampled_from(Side),
    st.sampled_from(OrderType),
    st.sampled_from(TimeInForce),
    st.sampled_from([None, *Product]),
    st.integers(1, 60),
    levels,
    levels,
)
prices = st.tuples(st.just("price"), symbols, levels, st.one_of(st.none(), st.integers(0, 120)))
changes = st.tuples(st.just("modify"), st.integers(0, 9), st.integers(1, 60), levels)
cancels = st.tuples(st.just("cancel"), st.integers(0, 9))
waits = st.tuples(st.just("wait"), st.integers(1, 90_000))
faults = st.tuples(st.just("fault"), st.sampled_from(Fault))
quiet = st.one_of(places, places, prices, prices, changes, cancels, waits)


def act(desk: Desk, made: list[Order], action: tuple[Any, ...]) -> None:
    """Do one thing; what is refused is refused."""
    match action:
        case ("place", symbol, side, kind, force, product, quantity, price, trigger):
            values = {
                "price": D(price) if kind.needs_price else None,
                "trigger_price": D(trigger) if kind.needs_trigger else None,
            }
            more = {"type": kind, "time_in_force": force, "product": product, **values}
            order = desk.order(side, str(quantity), symbol=symbol, **more)
            made.append(order)
            desk.place(order)
        case ("price", symbol, price, volume):
            desk.price(str(price), symbol, volume=None if volume is None else D(volume))
        case ("wait", seconds):
            desk.context.clock.advance(seconds)
        case ("cancel", number) if made:
            desk.broker.cancel(made[number % len(made)])
        case ("modify", number, quantity, price) if made:
            order = made[number % len(made)]
            desk.broker.modify(
                replace(
                    order,
                    quantity=D(quantity),
                    price=D(price) if order.type.needs_price else None,
                    trigger_price=D(price) if order.type.needs_trigger else None,
                )
            )
        case ("fault", fault):
            desk.journal.fault = fault


def desk() -> Desk:
    """Return a desk with little money, so that margin is called now and then."""
    opened = Desk(2_000, **OPTIONS)
    opened.price("100", TCS)
    return opened


def check(desk: Desk) -> None:
    """The books agree with their own fills and with the journal."""
    orders, fills, positions, balance = desk.look()
    cash, held = D(2_000), {INFY: D(0), TCS: D(0)}
    for fill in fills:
        cash -= fill.side.sign * fill.quantity * fill.price + fill.fees
        held[fill.symbol] += fill.side.sign * fill.quantity
    assert balance.cash == cash
    assert {item.symbol: item.quantity for item in positions} == {name: qty for name, qty in held.items() if qty}
    assert len({fill.broker_fill_id for fill in fills}) == len(fills)
    assert len({item.broker_order_id for item in orders}) == len(orders)
    for item in orders:
        mine = [fill for fill in fills if fill.broker_order_id == item.broker_order_id]
        assert sum(fill.quantity for fill in mine) == item.filled_quantity <= item.quantity
        assert (item.status is OrderState.FILLED) is (item.filled_quantity == item.quantity)
    fresh = Desk(2_000, **OPTIONS)
    fresh.broker.close()
    fresh.context = desk.context
    fresh.broker = fresh.open()
    assert fresh.look() == (orders, fills, positions, balance)
    fresh.broker.close()


@given(st.lists(st.one_of(quiet, quiet, faults), max_size=25))
@settings(max_examples=150)
def test_the_books_are_the_fold_of_the_journal_whatever_fails(actions: list[Any]) -> None:
    one, made = desk(), list[Order]()
    for action in actions:
        with contextlib.suppress(AITraderError, RuntimeError):
            act(one, made, action)
    one.journal.fault = None
    check(one)


def play(actions: list[Any], restarts: set[int]) -> tuple[Any, ...]:
    """Return what is left after the actions, with the broker opened anew before some of them."""
    one, made = desk(), list[Order]()
    for number, action in enumerate(actions):
        if number in restarts:
            one.reopen()
        with contextlib.suppress(BrokerRejected):
            act(one, made, action)
    orders, *rest = one.look()
    return [replace(item, tag=item.tag and "ours") for item in orders], rest


@given(st.lists(quiet, max_size=25), st.sets(st.integers(0, 24)))
@settings(max_examples=150)
def test_restarts_at_any_moment_change_nothing(actions: list[Any], restarts: set[int]) -> None:
    assert play(actions, restarts) == play(actions, set())
