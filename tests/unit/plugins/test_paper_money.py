"""What a paper account may have, and when it has to give it back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.trading.model import OrderState, OrderType, Side, TimeInForce
from domain.trading.ports import BrokerRejected
from tests.unit.plugins.paper_desk import INFY, TCS, D, Desk, limit, stop


def rejected(desk: Desk, side: Side, quantity: str, **changes: Any) -> str:
    """Assert that an order is refused and leaves nothing; return why."""
    before, entries = desk.look(), len(desk.journal.entries)
    with pytest.raises(BrokerRejected) as caught:
        desk.place(desk.order(side, quantity, **changes))
    assert (desk.look(), len(desk.journal.entries)) == (before, entries)
    return caught.value.code


def test_all_of_the_cash_may_be_spent_and_not_one_share_more() -> None:
    desk = Desk()
    assert rejected(desk, Side.BUY, "1001") == "insufficient_funds"
    desk.buy("1000")
    assert desk.broker.balance().cash == 0
    assert rejected(desk, Side.BUY, "1") == "insufficient_funds"
    assert rejected(desk, Side.BUY, "1", symbol=TCS) == "insufficient_funds"


def test_what_it_costs_beside_the_price_counts_too() -> None:
    desk = Desk(fees={"model": "flat", "amount": "20"}, slippage_bps="10")
    assert rejected(desk, Side.BUY, "999") == "insufficient_funds"
    desk.buy("400")
    desk.buy("598", **limit("100.1"))
    assert desk.broker.balance().cash == D(100_000) - 998 * D("100.1") - 40
    assert desk.broker.balance().cash >= 0


def test_the_fees_of_orders_that_wait_are_kept_back() -> None:
    desk = Desk(fees={"model": "flat", "amount": "20"})
    desk.buy("500", **limit("99"))
    assert rejected(desk, Side.BUY, "505", **limit("100")) == "insufficient_funds"
    desk.buy("504", **limit("100"))
    desk.price("99")
    assert desk.broker.balance().cash == D(100_000) - 500 * 99 - 504 * 100 - 40 >= 0


def test_a_buyer_pays_the_ask() -> None:
    desk = Desk()
    desk.price("100", bid=D(90), ask=D(125))
    assert rejected(desk, Side.BUY, "801") == "insufficient_funds"
    desk.buy("800")
    assert desk.broker.balance().cash == 0


def test_a_low_limit_does_not_hide_what_a_short_sale_is_worth() -> None:
    desk = Desk()
    assert rejected(desk, Side.SELL, "50000", **limit("1")) == "insufficient_funds"
    desk.sell("1000", **limit("1"))
    assert desk.broker.fills()[0].price == 100


def test_a_trigger_that_is_long_reached_does_not_hide_what_a_stop_costs() -> None:
    desk = Desk()
    assert rejected(desk, Side.BUY, "50000", **stop("1")) == "insufficient_funds"
    desk.buy("1000", **stop("1"))
    assert desk.broker.balance().cash == 0


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.STOP])
def test_without_a_price_nobody_knows_what_it_costs(kind: OrderType) -> None:
    desk = Desk(prices=False)
    trigger = D(5) if kind is OrderType.STOP else None
    assert rejected(desk, Side.BUY, "1", type=kind, trigger_price=trigger) == "no_price"
    bought = desk.buy("1000", **limit("100"))
    desk.price("99.5")
    assert desk.shown(bought).average_price == 100


def test_turning_a_long_position_short_is_going_short() -> None:
    desk = Desk(shorting=False)
    desk.buy("10")
    assert rejected(desk, Side.SELL, "15") == "no_shorting"
    desk.sell("6", **limit("150"))
    assert rejected(desk, Side.SELL, "5", **limit("160")) == "no_shorting"
    desk.sell("4")
    assert desk.held() == {INFY: 6}


def test_what_is_held_can_be_sold_by_whoever_has_nothing_left() -> None:
    desk = Desk(leverage="5")
    desk.buy("4000")
    desk.price("90")
    assert (desk.broker.balance().equity, desk.held()) == (60_000, {INFY: 4000})
    assert desk.broker.balance().margin_available == -12_000
    assert rejected(desk, Side.BUY, "1") == "insufficient_funds"
    desk.sell("4000", **limit("89"))
    assert desk.held() == {}


def test_a_short_position_needs_as_much_as_a_long_one() -> None:
    desk = Desk(leverage="2")
    assert rejected(desk, Side.SELL, "2001") == "insufficient_funds"
    desk.sell("2000")
    balance = desk.broker.balance()
    assert (balance.cash, balance.equity, balance.margin_used) == (300_000, 100_000, 100_000)
    assert balance.margin_available == 0
    desk.buy("2000")
    assert (desk.held(), desk.broker.balance().cash) == ({}, 100_000)


def test_a_margin_call_closes_everything_that_is_left() -> None:
    desk = Desk(leverage="5", maintenance="0.5")
    desk.buy("2000")
    desk.sell("1000", symbol=TCS)
    resting = desk.buy("1", time_in_force=TimeInForce.GTC, **limit("10"))
    desk.price("67")
    assert desk.own() == []
    desk.price("66")
    # Equity is 100000 - 2000 · 34 = 32000; needed is half of (132000 + 200000) / 5, which is 33200.
    assert desk.held() == {}
    assert [(item.symbol, item.side, item.status) for item in desk.own()] == [
        (INFY, Side.SELL, OrderState.FILLED),
        (TCS, Side.BUY, OrderState.FILLED),
    ]
    shown = desk.shown(resting)
    assert (shown.status, "margin call" in (shown.reason or "")) == (OrderState.CANCELED, True)
    assert desk.broker.balance().cash == 32_000
    told = {item.broker_order_id for update in desk.told for item in update.orders}
    assert {shown.broker_order_id, *(item.broker_order_id for item in desk.own())} <= told
    desk.price("20")
    assert len(desk.own()) == 2


def test_a_margin_call_closes_no_more_than_there_is_however_thin_the_market() -> None:
    desk = Desk(leverage="5", participation="0.1")
    desk.buy("4000")
    for volume in ("1000", "0", "5000", "7000", "90000", "90000"):
        desk.price("80", volume=D(volume))
        assert desk.held().get(INFY, 0) >= 0
    assert desk.held() == {}
    assert sum(item.quantity for item in desk.own()) == 4000
    assert len(desk.own()) == 1


def test_nobody_is_called_while_a_price_is_missing() -> None:
    desk = Desk(leverage="5")
    desk.buy("2400")
    desk.buy("1300", symbol=TCS)
    desk.context.quotes._known.pop(TCS)
    desk.price("50")
    assert desk.own() == []
    balance = desk.broker.balance()
    assert (balance.equity, balance.margin_used) == (None, None)
    desk.price("200", TCS)
    assert desk.held() == {}


def test_orders_that_contradict_themselves_are_refused() -> None:
    desk = Desk(tick_size="0.05", lot_size="5")
    codes = [
        rejected(desk, Side.BUY, "7"),
        rejected(desk, Side.BUY, "0"),
        rejected(desk, Side.BUY, "NaN"),
        rejected(desk, Side.BUY, "5", **limit("99.99")),
        rejected(desk, Side.BUY, "5", **stop("99.99")),
    ]
    assert set(codes) == {"off_increment"}
    shapes = [{"price": D(100)}, {"trigger_price": D(100)}, {"type": OrderType.LIMIT}, {"type": OrderType.STOP}]
    assert {rejected(desk, Side.BUY, "5", **shape) for shape in shapes} == {"order_shape"}


def test_a_change_is_checked_like_an_order() -> None:
    desk = Desk(tick_size="0.05", lot_size="5")
    order = desk.buy("500", **limit("90"))
    for change in (
        {"quantity": D(7)},
        {"price": D("90.01")},
        {"price": D(-90)},
        {"quantity": D(1115)},
        {"quantity": D(0)},
        {"trigger_price": D(90)},
    ):
        with pytest.raises(BrokerRejected):
            desk.broker.modify(replace(order, **change))  # type: ignore[arg-type]
    assert (desk.shown(order).quantity, desk.shown(order).price) == (500, 90)
    desk.broker.modify(replace(order, quantity=D(1110)))
    assert desk.shown(order).quantity == 1110


def test_a_change_may_not_go_below_what_is_filled() -> None:
    desk = Desk()
    order = desk.buy("100", **limit("90"))
    desk.price("90", volume=D(400))
    assert desk.shown(order).filled_quantity == 40
    with pytest.raises(BrokerRejected, match="40 is filled"):
        desk.broker.modify(replace(order, quantity=D(40)))
    desk.broker.modify(replace(order, quantity=D(41)))
    desk.price("90")
    assert (desk.shown(order).status, desk.held()) == (OrderState.FILLED, {INFY: 41})


def test_fees_that_know_nothing_of_a_symbol_refuse_its_orders() -> None:
    desk = Desk(fees={"model": "india_equity"})
    desk.context.clock.jump(60_000_000)
    desk.price("100", "NYSE:IBM")
    assert rejected(desk, Side.BUY, "1", symbol="NYSE:IBM") == "unknown_charges"
    desk.price("101")
    desk.buy("1")
    assert len(desk.broker.fills()) == 1


def test_the_average_price_is_the_fold_of_all_fills() -> None:
    desk = Desk(leverage="5", participation="1")
    order = desk.buy("7", **limit("120"), time_in_force=TimeInForce.GTC)
    assert desk.shown(order).filled_quantity == 7
    market = desk.order(Side.BUY, "7")
    desk.price("100.01", volume=D(3))
    market = desk.place(market)
    for price in ("100.02", "100.07", "100.11", "100.13"):
        desk.price(price, volume=D(1))
    fills = [fill for fill in desk.broker.fills() if fill.broker_order_id == market.broker_order_id]
    assert [fill.quantity for fill in fills] == [3, 1, 1, 1, 1]
    total = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
    assert desk.shown(market).average_price == total / 7
