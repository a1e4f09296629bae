"""The paper broker and its journal: what is stored happened, what is not did not."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aitrader.testing.broker_faults import Fault, FaultyJournal
from domain.common.errors import Unavailable
from domain.trading.brokerage import BrokerUpdate, SessionState
from domain.trading.model import OrderState, Side, TimeInForce
from domain.trading.ports import BrokerRejected, NotSent, OutcomeUnknown
from tests.unit.plugins.paper_desk import INFY, TCS, D, Desk, limit

UNKNOWN = {Fault.LOST: OutcomeUnknown, Fault.STORED: OutcomeUnknown, Fault.CRASH: RuntimeError}


@pytest.mark.parametrize("fault", Fault)
def test_an_order_is_there_if_and_only_if_it_was_stored(fault: Fault) -> None:
    desk = Desk()
    order = desk.order(Side.BUY, "10")
    desk.journal.fault = fault
    with pytest.raises(UNKNOWN[fault]):
        desk.place(order)
    there = 1 if fault is Fault.STORED else 0
    assert [item.tag for item in desk.broker.orders()] == [order.tag] * there
    assert len(desk.broker.fills()) == there
    desk.buy("5")
    assert desk.held() == {INFY: 10 * there + 5}
    tags = [item.tag for update in desk.told for item in update.orders]
    assert tags == [order.tag] * there


@pytest.mark.parametrize("fault", Fault)
def test_a_cancel_happened_if_and_only_if_it_was_stored(fault: Fault) -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    desk.journal.fault = fault
    with pytest.raises(UNKNOWN[fault]):
        desk.broker.cancel(order)
    expected = OrderState.CANCELED if fault is Fault.STORED else OrderState.ACCEPTED
    assert desk.shown(order).status is expected
    desk.price("90")
    assert bool(desk.held()) is (fault is not Fault.STORED)


@pytest.mark.parametrize("fault", Fault)
def test_a_change_happened_if_and_only_if_it_was_stored(fault: Fault) -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    desk.journal.fault = fault
    with pytest.raises(UNKNOWN[fault]):
        desk.broker.modify(replace(order, quantity=D(7), price=D(95)))
    changed = fault is Fault.STORED
    assert (desk.shown(order).quantity, desk.shown(order).price) == ((7, 95) if changed else (10, 90))
    desk.price("93")
    assert desk.held() == ({INFY: 7} if changed else {})


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.STORED])
def test_a_price_traded_once_however_the_journal_fails(fault: Fault) -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    desk.journal.fault = fault
    desk.price("90")
    assert bool(desk.held()) is (fault is Fault.STORED)
    desk.price("89")
    assert desk.held() == {INFY: 10}
    fills = [fill for update in desk.told for fill in update.fills]
    assert fills == list(desk.broker.fills())
    assert desk.told[-1].orders == (desk.shown(order),)


def test_while_the_journal_is_away_nothing_is_shown_or_sent() -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    desk.reopen()
    desk.journal.down = True
    assert desk.broker.session().state is SessionState.DOWN
    for read in (desk.broker.orders, desk.broker.fills, desk.broker.positions, desk.broker.balance):
        with pytest.raises(Unavailable):
            read()
    with pytest.raises(NotSent):
        desk.buy("1")
    with pytest.raises(NotSent):
        desk.broker.modify(order)
    with pytest.raises(Unavailable):
        desk.broker.cancel(order)
    desk.price("80")
    desk.journal.down = False
    assert desk.broker.session().state is SessionState.CONNECTED
    assert (desk.shown(order).status, desk.held()) == (OrderState.ACCEPTED, {})


def test_an_entry_that_nobody_understands_stops_the_account() -> None:
    desk = Desk()
    desk.journal.append(0, [{"kind": "from_the_future"}])
    session = desk.broker.session()
    assert session.state is SessionState.DOWN
    assert "journal" in session.detail
    with pytest.raises(Unavailable) as caught:
        desk.broker.orders()
    assert caught.value.code == "journal_damaged"
    with pytest.raises(NotSent):
        desk.buy("1")


def test_who_lost_the_account_does_nothing_any_more() -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    old, desk.broker = desk.broker, desk.open()
    desk.buy("1")
    lost = desk.order(Side.BUY, "1")
    with pytest.raises(NotSent):
        old.place(lost, lambda: None)
    with pytest.raises(Unavailable):
        old.cancel(order)
    with pytest.raises(NotSent):
        old.modify(order)
    assert old.session().state is SessionState.DOWN
    assert [item.tag for item in desk.broker.orders()] != [lost.tag]
    desk.price("80")
    assert desk.held() == {INFY: 11}


def test_a_cancel_by_who_lost_the_account_was_not_sent() -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    old, desk.broker = desk.broker, desk.open()
    desk.buy("1")
    with pytest.raises(Unavailable):
        old.cancel(order)
    assert desk.shown(order).status is OrderState.ACCEPTED


def test_a_closed_broker_touches_nothing() -> None:
    desk = Desk()
    order = desk.buy("10", **limit("90"))
    desk.broker.close()
    before = list(desk.journal.entries)
    desk.context.clock.advance(86_400)
    desk.price("90")
    with pytest.raises(NotSent):
        desk.buy("1")
    with pytest.raises(Unavailable):
        desk.broker.orders()
    assert (desk.journal.entries, desk.told) == (before, [])
    desk.broker = desk.open()
    assert desk.shown(order).status is OrderState.EXPIRED


def test_what_the_fence_refuses_leaves_nothing_whatever_it_raises() -> None:
    desk = Desk()
    errors: list[BaseException] = [NotSent("no"), KeyboardInterrupt(), ValueError("odd")]
    for error in errors:

        def fence(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            desk.place(desk.order(Side.BUY, "1"), fence)
    assert (desk.journal.entries, desk.broker.orders(), desk.held()) == ([], [], {})


def test_prices_that_cannot_be_read_prove_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    order = desk.buy("1", **limit("90"))

    def away(symbol: str) -> None:
        raise Unavailable("no prices")

    monkeypatch.setattr(desk.context.quotes, "last", away)
    with pytest.raises(NotSent, match="no prices"):
        desk.buy("1")
    with pytest.raises(NotSent, match="no prices"):
        desk.broker.modify(replace(order, quantity=D(2)))
    monkeypatch.undo()
    assert desk.shown(order).quantity == 1


def test_the_same_journal_gives_the_same_books_and_the_same_future() -> None:
    one, other = (Desk(slippage_jitter_bps="50", seed=7, fees={"model": "bps", "bps": "3"}) for _ in range(2))
    ids = []
    for desk in (one, other):
        for number in range(20):
            if desk is other:
                desk.reopen()
            desk.buy(str(1 + number), time_in_force=TimeInForce.GTC)
            desk.price(str(100 + number % 7))
        ids.append([fill.broker_fill_id for fill in desk.broker.fills()])
    assert list(one.broker.fills()) == list(other.broker.fills())
    assert ids[0] == ids[1]
    assert len({fill.price for fill in one.broker.fills()}) > 10
    assert one.broker.balance() == other.broker.balance()


def test_orders_against_one_tick_share_its_volume_even_over_a_restart() -> None:
    desk = Desk(participation="0.1")
    desk.price("100", volume=D(1000))
    first = desk.buy("80")
    second = desk.buy("80")
    desk.reopen()
    third = desk.buy("80", time_in_force=TimeInForce.IOC)
    assert [desk.shown(item).filled_quantity for item in (first, second, third)] == [80, 20, 0]
    desk.price("200", TCS, volume=D(50))
    assert desk.held() == {INFY: 100}
    desk.price("100", volume=D(300))
    assert desk.held() == {INFY: 130}


def test_fills_are_made_when_the_price_arrives_not_when_it_was_true() -> None:
    desk = Desk()
    desk.buy("1", **limit("90"))
    late = replace(desk.context.quotes.set(INFY, "91"), price=D(90), time_ms=5)
    for listener in desk.context.quotes._listeners:
        listener(late)
    assert desk.broker.fills()[0].filled_at == desk.context.clock.now_ms()


def test_a_listener_that_fails_harms_nobody() -> None:
    desk = Desk()

    def fails(update: BrokerUpdate) -> None:
        raise RuntimeError("the listener broke")

    desk.broker.listen(fails)
    order = desk.buy("10", **limit("90"))
    desk.broker.cancel(order)
    assert desk.shown(order).status is OrderState.CANCELED


def test_a_listener_may_call_the_broker_from_another_thread() -> None:
    desk = Desk()
    seen: list[Any] = []

    def look(update: BrokerUpdate) -> None:
        reader = threading.Thread(target=lambda: seen.append(desk.broker.orders()))
        reader.start()
        reader.join(30)
        assert not reader.is_alive()

    desk.broker.listen(look)
    order = desk.buy("10", **limit("90"))
    desk.price("90")
    assert seen[0][0].broker_order_id == order.broker_order_id


def test_listening_again_replaces_who_listened() -> None:
    desk = Desk()
    told: list[BrokerUpdate] = []
    desk.broker.listen(told.append)
    desk.buy("10", **limit("90"))
    desk.price("90")
    assert (len(told), desk.told) == (1, [])
    assert len(desk.broker.fills()) == 1


def test_a_closed_bar_trades_what_was_there_when_it_opened() -> None:
    desk = Desk(participation="0.5")
    early = desk.buy("10", **limit("95"))
    opened_at = desk.context.clock.now_ms()
    desk.context.clock.advance(30)
    late = desk.buy("10", **limit("99"))
    desk.context.clock.advance(30)
    update = desk.broker.on_bar(
        INFY,
        open=D(98),
        high=D(99),
        low=D(94),
        close=D(96),
        volume=D(12),
        opened_at=opened_at,
        closed_at=opened_at + 60_000,
    )
    assert [(fill.quantity, fill.price) for fill in update.fills] == [(6, 95)]
    assert update.orders == (desk.shown(early),)
    assert not desk.shown(late).filled_quantity
    assert desk.told == []


def test_prices_and_orders_from_many_threads_keep_the_books_true() -> None:
    desk = Desk(1_000_000, participation="1")
    start = threading.Barrier(4)

    def trade(side: Side) -> None:
        start.wait(30)
        for number in range(25):
            order = desk.place(desk.order(side, "3", **limit(str(95 + number % 10))))
            if number % 3 == 0:
                try:
                    desk.broker.cancel(order)
                except BrokerRejected:
                    continue

    def quote() -> None:
        start.wait(30)
        for number in range(50):
            desk.context.quotes.set(INFY, str(95 + number % 11), volume=D(4))

    threads = [threading.Thread(target=trade, args=(side,)) for side in Side]
    threads += [threading.Thread(target=quote) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    orders, fills = desk.broker.orders(), desk.broker.fills()
    assert len(orders) == 50
    for item in orders:
        mine = [fill.quantity for fill in fills if fill.broker_order_id == item.broker_order_id]
        assert sum(mine) == item.filled_quantity <= item.quantity
    cash = Decimal(1_000_000) - sum(fill.side.sign * fill.quantity * fill.price for fill in fills)
    assert desk.broker.balance().cash == cash
    before = desk.look()
    desk.reopen()
    assert desk.look() == before


def test_the_journal_of_a_desk_is_a_faulty_one() -> None:
    journal = FaultyJournal()
    journal.fault = Fault.LOST
    with pytest.raises(Unavailable):
        journal.append(0, [{"n": 1}])
    assert journal.append(0, [{"n": 1}]) == 1
    journal.fault = Fault.STORED
    with pytest.raises(Unavailable):
        journal.append(1, [{"n": 2}])
    assert list(journal.read()) == [(1, {"n": 1}), (2, {"n": 2})]
