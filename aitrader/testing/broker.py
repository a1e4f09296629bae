"""What every `Broker` does. Subclass `BrokerContract` and override its hooks; third parties too."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.common.ids import new_id
from domain.trading.brokerage import BrokerFill, BrokerOrder, SessionState
from domain.trading.model import Mode, Order, OrderState, OrderType, Side, TimeInForce, tag_of
from domain.trading.ports import Broker, BrokerRejected, NotSent

_NUMBERS = itertools.count()


class Fence:
    """Counts how often it is asked; raises ``NotSent`` once it is shut."""

    def __init__(self) -> None:
        self.asked = 0
        self.shut = False

    def __call__(self) -> None:
        """Be asked."""
        self.asked += 1
        if self.shut:
            raise NotSent("the fence is shut")


class BrokerContract:
    """Tests for any `Broker` that is connected to an account with money and without orders.

    ``price`` is what ``symbol`` trades at; far below it nothing sells.
    """

    symbol = "NSE:INFY"
    price = Decimal(1500)
    quantity = Decimal(10)

    @pytest.fixture
    def broker(self) -> Iterator[Broker]:
        """Yield an open, connected broker; close it after the test."""
        raise NotImplementedError("override the broker fixture")

    def reopened(self, broker: Broker) -> Broker:
        """Return another broker over the same account, as after a crash: the first one is not closed."""
        raise NotImplementedError("override reopened")

    def order(self, **changes: Any) -> Order:
        """Return a limit order that trades at once."""
        order_id = new_id()
        order = Order(
            id=order_id,
            user_id="user",
            account="account",
            broker="any",
            mode=Mode.PAPER,
            symbol=self.symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=self.quantity,
            tag=tag_of(order_id),
            created_at=next(_NUMBERS),
            updated_at=0,
            send_by=2**62,
            price=self.price,
        )
        return replace(order, **changes)

    def far(self, **changes: Any) -> Order:
        """Return a limit order that rests."""
        return self.order(price=self.price * Decimal("0.9"), **changes)

    def in_book(self, broker: Broker, order: Order) -> BrokerOrder:
        """Return what the broker's book says of an order."""
        (found,) = [item for item in broker.orders() if item.tag == order.tag]
        return found

    def placed(self, broker: Broker, order: Order) -> Order:
        """Place an order; return it with its id at the broker."""
        return replace(order, broker_order_id=broker.place(order, Fence()).broker_order_id)

    def fills_of(self, broker: Broker, order: Order) -> list[BrokerFill]:
        """Return the fills of an order."""
        return [fill for fill in broker.fills() if fill.broker_order_id == order.broker_order_id]

    def test_it_is_connected_and_says_what_it_can(self, broker: Broker) -> None:
        assert broker.session().state is SessionState.CONNECTED
        assert broker.log_in().state is SessionState.CONNECTED
        able = broker.capabilities()
        assert OrderType.LIMIT in able.order_types
        assert able.products
        assert able.place

    def test_the_fence_is_asked_once(self, broker: Broker) -> None:
        fence = Fence()
        broker.place(self.far(), fence)
        assert fence.asked == 1

    def test_a_shut_fence_leaves_no_trace(self, broker: Broker) -> None:
        fence, order = Fence(), self.order()
        fence.shut = True
        before = (broker.orders(), broker.fills(), broker.balance())
        with pytest.raises(NotSent):
            broker.place(order, fence)
        assert (broker.orders(), broker.fills(), broker.balance()) == before

    def test_the_book_shows_an_order_as_it_was_placed(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        found = self.in_book(broker, order)
        assert found.broker_order_id == order.broker_order_id
        assert (found.symbol, found.side, found.type) == (self.symbol, Side.BUY, OrderType.LIMIT)
        assert (found.quantity, found.price) == (order.quantity, order.price)
        assert not found.filled_quantity
        assert found.status is None or found.status.is_working

    def test_a_resting_order_can_be_canceled(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        broker.cancel(order)
        assert self.in_book(broker, order).status is OrderState.CANCELED
        with pytest.raises(BrokerRejected):
            broker.cancel(order)
        assert self.fills_of(broker, order) == []

    def test_a_change_sets_quantity_and_price_together(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        price = self.price * Decimal("0.91")
        broker.modify(replace(order, quantity=self.quantity + 2, price=price))
        found = self.in_book(broker, order)
        assert (found.quantity, found.price) == (self.quantity + 2, price)

    def test_an_order_that_is_not_there_can_be_neither_changed_nor_canceled(self, broker: Broker) -> None:
        unknown = replace(self.far(), broker_order_id="no-such-order")
        with pytest.raises(BrokerRejected):
            broker.cancel(unknown)
        with pytest.raises(BrokerRejected):
            broker.modify(unknown)

    def test_a_marketable_order_fills(self, broker: Broker) -> None:
        order = self.placed(broker, self.order())
        found, fills = self.in_book(broker, order), self.fills_of(broker, order)
        assert found.status is OrderState.FILLED
        assert sum(fill.quantity for fill in fills) == found.filled_quantity == self.quantity
        assert all(fill.price <= self.price and fill.side is Side.BUY for fill in fills)
        cost = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
        assert found.average_price == cost / self.quantity

    def test_fills_have_ids_of_their_own(self, broker: Broker) -> None:
        for _ in range(3):
            self.placed(broker, self.order(quantity=Decimal(1)))
        ids = [fill.broker_fill_id for fill in broker.fills()]
        assert len(ids) == len(set(ids)) >= 3

    def test_positions_are_the_fold_of_the_fills(self, broker: Broker) -> None:
        self.placed(broker, self.order())
        self.placed(broker, self.order(side=Side.SELL, quantity=Decimal(4), price=self.price * Decimal("0.99")))
        held = sum(fill.side.sign * fill.quantity for fill in broker.fills() if fill.symbol == self.symbol)
        shown = sum(item.quantity for item in broker.positions() if item.symbol == self.symbol)
        assert shown == held == self.quantity - 4

    def test_money_follows_the_fills(self, broker: Broker) -> None:
        before = broker.balance()
        order = self.placed(broker, self.order())
        fills = self.fills_of(broker, order)
        spent = sum((fill.quantity * fill.price + (fill.fees or 0) for fill in fills), Decimal(0))
        after = broker.balance()
        assert (after.currency, after.cash) == (before.currency, before.cash - spent)

    def test_an_order_far_beyond_the_money_does_not_work(self, broker: Broker) -> None:
        order = self.order(quantity=Decimal(10_000_000))
        try:
            broker.place(order, Fence())
        except BrokerRejected:
            return
        found = self.in_book(broker, order)
        assert found.status is OrderState.REJECTED
        assert not found.filled_quantity
        assert found.reason

    def test_reading_changes_nothing(self, broker: Broker) -> None:
        self.placed(broker, self.order())
        self.placed(broker, self.far())

        def look() -> tuple[Any, ...]:
            books = (broker.orders(), broker.fills(), broker.positions(), broker.holdings())
            return (*(list(book) for book in books), broker.balance())

        assert look() == look()

    def test_what_was_accepted_survives_a_crash(self, broker: Broker) -> None:
        filled, resting = self.placed(broker, self.order()), self.placed(broker, self.far())
        again = self.reopened(broker)
        try:
            assert again.session().state is SessionState.CONNECTED
            assert self.in_book(again, filled) == self.in_book(broker, filled)
            assert list(again.fills()) == list(broker.fills())
            assert list(again.positions()) == list(broker.positions())
            assert again.balance() == broker.balance()
            again.cancel(resting)
            assert self.in_book(again, resting).status is OrderState.CANCELED
        finally:
            again.close()

    def test_closing_cancels_nothing(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        broker.close()
        broker.close()
        again = self.reopened(broker)
        try:
            again.session()
            found = self.in_book(again, order)
            assert found.status is None or found.status.is_working
        finally:
            again.close()
