"""What the end of a day does to a paper account: once, whatever happens."""

from __future__ import annotations

import pytest

from aitrader.testing.broker_faults import Fault
from domain.common.errors import Unavailable
from domain.trading.brokerage import SessionState
from domain.trading.model import OrderState, Product, TimeInForce
from tests.unit.plugins.paper_desk import INFY, TCS, D, Desk, limit

DAY = 86_400
INTRADAY = {"product": Product.INTRADAY}


def test_only_orders_from_before_the_end_expire() -> None:
    desk = Desk()
    old = desk.buy("1", **limit("90"))
    gtc = desk.buy("1", time_in_force=TimeInForce.GTC, **limit("90"))
    desk.context.clock.advance(DAY)
    new = desk.buy("1", **limit("90"))
    desk.price("100")
    assert [desk.shown(item).status for item in (old, gtc, new)] == [
        OrderState.EXPIRED,
        OrderState.ACCEPTED,
        OrderState.ACCEPTED,
    ]
    with pytest.raises(Exception, match="not working"):
        desk.broker.cancel(old)


def test_an_order_ends_when_the_day_does_not_when_somebody_looks() -> None:
    desk = Desk(day_ends="10:00")
    order = desk.buy("1", **limit("90"))
    now = desk.context.clock.now_ms()
    desk.context.clock.advance(5 * DAY)
    assert desk.shown(order).status is OrderState.EXPIRED
    (ended,) = [entry for entry in desk.journal.entries if entry["kind"] == "ended"]
    assert ended["at"] % (DAY * 1000) == 10 * 3_600_000
    assert now < ended["at"] <= desk.context.clock.now_ms()


def test_a_price_of_the_next_day_finds_no_order_of_this_one() -> None:
    desk = Desk()
    order = desk.buy("1", **limit("90"))
    desk.context.clock.advance(DAY)
    desk.price("80")
    assert (desk.shown(order).status, desk.held()) == (OrderState.EXPIRED, {})
    assert desk.told[-1].orders[0].status is OrderState.EXPIRED


def test_who_listens_is_told_of_expired_orders_whatever_was_asked() -> None:
    desk = Desk()
    order = desk.buy("1", **limit("90"))
    desk.context.clock.advance(DAY)
    assert desk.told == []
    desk.broker.session()
    assert [item.broker_order_id for update in desk.told for item in update.orders] == [order.broker_order_id]
    desk.broker.session()
    assert len(desk.told) == 1


def test_intraday_positions_are_closed_others_are_kept() -> None:
    desk = Desk()
    desk.buy("10", **INTRADAY)
    desk.sell("4", symbol=TCS, **INTRADAY)
    desk.buy("3")
    desk.context.clock.advance(DAY)
    assert desk.held() == {INFY: 3}
    assert {(item.symbol, item.quantity, item.product) for item in desk.own()} == {
        (INFY, 10, Product.INTRADAY),
        (TCS, 4, Product.INTRADAY),
    }
    desk.context.clock.advance(DAY)
    assert desk.held() == {INFY: 3}
    assert len(desk.own()) == 2


def test_what_cannot_be_closed_at_once_is_not_closed_twice() -> None:
    desk = Desk(participation="0.1")
    desk.buy("10", **INTRADAY)
    desk.price("100", volume=D(30))
    desk.context.clock.advance(DAY)
    assert desk.held() == {INFY: 7}
    for _ in range(3):
        desk.broker.session()
        desk.reopen()
    desk.context.clock.advance(2 * DAY)
    assert [item.quantity for item in desk.own()] == [10]
    desk.price("100", volume=D(1000))
    assert desk.held() == {}
    desk.context.clock.advance(DAY)
    desk.price("100")
    assert (desk.held(), len(desk.own())) == ({}, 1)


def test_closing_never_opens_what_was_closed_under_another_product() -> None:
    desk = Desk()
    desk.buy("10", **INTRADAY)
    desk.sell("6")
    desk.context.clock.advance(DAY)
    assert desk.held() == {}
    desk.buy("10", **INTRADAY)
    desk.sell("10")
    desk.context.clock.advance(DAY)
    assert desk.held() == {}
    desk.buy("5")
    desk.context.clock.advance(DAY)
    assert desk.held() == {INFY: 5}


def test_what_was_opened_today_is_kept_until_tonight() -> None:
    desk = Desk()
    desk.context.clock.advance(3 * DAY)
    desk.buy("10", **INTRADAY)
    for _ in range(2):
        desk.price("101")
        desk.reopen()
    assert desk.held() == {INFY: 10}


def test_an_intraday_order_does_not_outlive_the_day() -> None:
    desk = Desk()
    order = desk.buy("1", time_in_force=TimeInForce.GTC, **limit("90"), **INTRADAY)
    desk.context.clock.advance(DAY)
    assert desk.shown(order).status is OrderState.EXPIRED


@pytest.mark.parametrize("fault", Fault)
def test_a_day_ends_once_however_the_journal_fails(fault: Fault) -> None:
    desk = Desk()
    order = desk.buy("1", **limit("90"))
    desk.buy("10", **INTRADAY)
    desk.context.clock.advance(DAY)
    desk.journal.fault = fault
    with pytest.raises(Unavailable):
        desk.broker.orders()
    assert desk.shown(order).status is OrderState.EXPIRED
    assert (desk.held(), len(desk.own())) == ({}, 1)


def test_a_clock_that_is_set_back_ends_nothing_twice() -> None:
    desk = Desk()
    desk.buy("10", **INTRADAY)
    desk.context.clock.advance(DAY)
    assert desk.held() == {}
    desk.context.clock.jump(-DAY)
    desk.buy("1", **limit("90"))
    assert desk.broker.session().state is SessionState.CONNECTED
    desk.context.clock.jump(DAY)
    assert desk.held() == {}
    assert len(desk.own()) == 1
