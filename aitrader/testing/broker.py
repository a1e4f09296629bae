"""What every `Broker` does. Subclass `BrokerContract` and override its hooks; third parties too.

Subclass `aitrader.testing.broker_prices.BrokerPricesContract` instead if a test can make the price go where it wants.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from aitrader.testing.waiting import until
from domain.common.ids import new_id
from domain.trading.brokerage import BrokerFill, BrokerOrder, SessionState
from domain.trading.model import Mode, Order, OrderState, OrderType, Side, TimeInForce, tag_of
from domain.trading.ports import Broker, BrokerRejected, CapabilityMissing, NotSent

_NUMBERS = itertools.count()

REFUSED = (BrokerRejected, CapabilityMissing)


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

    ``price`` is what ``symbol`` trades at, and enough is offered there; far below it nothing sells. What a broker
    says that it cannot do, it must refuse. Books may lag behind: tests wait for them.
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

    def stop(self, **changes: Any) -> Order:
        """Return an order that waits for a higher price."""
        above = self.price * Decimal("1.1")
        return self.order(type=OrderType.STOP, price=None, trigger_price=above, **changes)

    def in_book(self, broker: Broker, order: Order) -> BrokerOrder:
        """Return what the broker's book says of an order that was placed."""
        (found,) = until(lambda: [item for item in broker.orders() if _is(item, order)])
        return found

    def ended(self, broker: Broker, order: Order) -> BrokerOrder:
        """Wait until an order has ended; return what the book says of it."""

        def look() -> BrokerOrder | None:
            found = self.in_book(broker, order)
            return found if found.status is not None and found.status.is_terminal else None

        found = until(look)
        assert found is not None
        return found

    def placed(self, broker: Broker, order: Order) -> Order:
        """Place an order; return it with its id at the broker."""
        return replace(order, broker_order_id=broker.place(order, Fence()).broker_order_id)

    def fills_of(self, broker: Broker, order: Order) -> list[BrokerFill]:
        """Return the fills of an order."""
        return [fill for fill in broker.fills() if fill.broker_order_id == order.broker_order_id]

    def refused(self, broker: Broker, order: Order) -> None:
        """Assert that an order is not taken: the call says so, or the book says that it was rejected."""
        before = [position for position in broker.positions() if position.symbol == order.symbol]
        try:
            order = self.placed(broker, order)
        except REFUSED:
            assert not [item for item in broker.orders() if item.tag == order.tag and _works(item)]
        else:
            found = self.ended(broker, order)
            assert found.status is OrderState.REJECTED
            assert not found.filled_quantity
            assert found.reason
        assert [position for position in broker.positions() if position.symbol == order.symbol] == before

    def test_it_is_connected_and_says_what_it_can(self, broker: Broker) -> None:
        assert broker.session().state is SessionState.CONNECTED
        assert broker.log_in().state is SessionState.CONNECTED
        able = broker.capabilities()
        assert OrderType.LIMIT in able.order_types
        assert TimeInForce.DAY in able.times_in_force
        assert able.products
        assert able.place
        assert broker.capabilities() == able

    def test_the_fence_is_asked_once(self, broker: Broker) -> None:
        fence = Fence()
        broker.place(self.far(), fence)
        assert fence.asked == 1

    def test_a_shut_fence_leaves_no_trace(self, broker: Broker) -> None:
        fence, order = Fence(), self.order()
        fence.shut = True
        before = (list(broker.orders()), list(broker.fills()), broker.balance())
        with pytest.raises(NotSent):
            broker.place(order, fence)
        assert (list(broker.orders()), list(broker.fills()), broker.balance()) == before
        assert fence.asked == 1

    def test_the_book_shows_an_order_as_it_was_placed(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        found = self.in_book(broker, order)
        assert found.broker_order_id == order.broker_order_id
        assert found.tag == (order.tag if broker.capabilities().tag else None)
        assert (found.symbol, found.side, found.type) == (self.symbol, Side.BUY, OrderType.LIMIT)
        assert (found.quantity, found.price) == (order.quantity, order.price)
        assert not found.filled_quantity
        assert _works(found)

    def test_two_orders_are_two(self, broker: Broker) -> None:
        one, other = self.placed(broker, self.far()), self.placed(broker, self.far())
        assert one.broker_order_id != other.broker_order_id
        assert self.in_book(broker, one).broker_order_id == one.broker_order_id
        assert self.in_book(broker, other).broker_order_id == other.broker_order_id

    def test_a_resting_order_can_be_canceled(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        if not broker.capabilities().cancel:
            with pytest.raises(REFUSED):
                broker.cancel(order)
            assert _works(self.in_book(broker, order))
            return
        broker.cancel(order)
        assert self.ended(broker, order).status is OrderState.CANCELED
        with contextlib.suppress(BrokerRejected):  # some say that there is nothing to cancel; others keep silent
            broker.cancel(order)
        assert self.in_book(broker, order).status is OrderState.CANCELED
        assert self.fills_of(broker, order) == []

    def test_a_filled_order_cannot_be_canceled(self, broker: Broker) -> None:
        order = self.placed(broker, self.order())
        before = self.ended(broker, order)
        with pytest.raises(REFUSED):
            broker.cancel(order)
        assert self.in_book(broker, order) == before

    def test_a_change_sets_quantity_and_price_together(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        wanted = replace(order, quantity=self.quantity + 2, price=self.price * Decimal("0.91"))
        if not broker.capabilities().modify:
            with pytest.raises(REFUSED):
                broker.modify(wanted)
            wanted = order
        else:
            broker.modify(wanted)
            until(lambda: self.in_book(broker, order).quantity == wanted.quantity)
        found = self.in_book(broker, order)
        assert (found.quantity, found.price) == (wanted.quantity, wanted.price)
        assert _works(found)

    def test_an_order_that_is_not_there_can_be_neither_changed_nor_canceled(self, broker: Broker) -> None:
        unknown = replace(self.far(), broker_order_id="no-such-order")
        with pytest.raises(REFUSED):
            broker.cancel(unknown)
        with pytest.raises(REFUSED):
            broker.modify(unknown)

    def test_a_marketable_order_fills(self, broker: Broker) -> None:
        order = self.placed(broker, self.order())
        found, fills = self.ended(broker, order), self.fills_of(broker, order)
        assert found.status is OrderState.FILLED
        assert sum(fill.quantity for fill in fills) == found.filled_quantity == self.quantity
        assert all(fill.price <= self.price and fill.side is Side.BUY for fill in fills)
        assert all((fill.symbol, type(fill.filled_at)) == (self.symbol, int) for fill in fills)
        cost = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
        assert found.average_price == cost / self.quantity

    def test_a_market_order_fills(self, broker: Broker) -> None:
        order = self.order(type=OrderType.MARKET, price=None)
        if OrderType.MARKET not in broker.capabilities().order_types:
            self.refused(broker, order)
            return
        order = self.placed(broker, order)
        assert self.ended(broker, order).status is OrderState.FILLED
        assert sum(fill.quantity for fill in self.fills_of(broker, order)) == self.quantity

    def test_a_stop_order_waits(self, broker: Broker) -> None:
        order = self.stop()
        if OrderType.STOP not in broker.capabilities().order_types:
            self.refused(broker, order)
            return
        order = self.placed(broker, order)
        found = self.in_book(broker, order)
        assert (found.type, found.trigger_price) == (OrderType.STOP, order.trigger_price)
        assert _works(found)
        assert self.fills_of(broker, order) == []

    @pytest.mark.parametrize("at_once", [TimeInForce.IOC, TimeInForce.FOK])
    def test_what_cannot_trade_at_once_ends_if_it_was_asked_to(self, broker: Broker, at_once: TimeInForce) -> None:
        order = self.far(time_in_force=at_once)
        if at_once not in broker.capabilities().times_in_force:
            self.refused(broker, order)
            return
        order = self.placed(broker, order)
        assert self.ended(broker, order).status in (OrderState.CANCELED, OrderState.EXPIRED)
        assert self.fills_of(broker, order) == []

    def test_selling_what_one_does_not_have(self, broker: Broker) -> None:
        order = self.order(side=Side.SELL, price=self.price * Decimal("0.99"))
        if not broker.capabilities().shorting:
            self.refused(broker, order)
            return
        order = self.placed(broker, order)
        assert self.ended(broker, order).status is OrderState.FILLED
        assert sum(item.quantity for item in broker.positions() if item.symbol == self.symbol) == -self.quantity

    def test_fills_have_ids_of_their_own(self, broker: Broker) -> None:
        for _ in range(3):
            self.ended(broker, self.placed(broker, self.order(quantity=Decimal(1))))
        ids = [fill.broker_fill_id for fill in broker.fills()]
        assert len(ids) == len(set(ids)) >= 3

    def test_positions_are_the_fold_of_the_fills(self, broker: Broker) -> None:
        self.ended(broker, self.placed(broker, self.order()))
        sold = self.order(side=Side.SELL, quantity=Decimal(4), price=self.price * Decimal("0.99"))
        self.ended(broker, self.placed(broker, sold))
        held = sum(fill.side.sign * fill.quantity for fill in broker.fills() if fill.symbol == self.symbol)
        shown = sum(item.quantity for item in broker.positions() if item.symbol == self.symbol)
        assert shown == held == self.quantity - 4

    def test_money_follows_the_fills(self, broker: Broker) -> None:
        before = broker.balance()
        order = self.placed(broker, self.order())
        self.ended(broker, order)
        fills = self.fills_of(broker, order)
        spent = sum((fill.quantity * fill.price + (fill.fees or 0) for fill in fills), Decimal(0))
        after = broker.balance()
        assert (after.currency, after.cash) == (before.currency, before.cash - spent)

    def test_an_order_far_beyond_the_money_does_not_work(self, broker: Broker) -> None:
        self.refused(broker, self.order(quantity=Decimal(10_000_000)))

    def test_numbers_are_exact_and_quantities_not_below_zero(self, broker: Broker) -> None:
        self.ended(broker, self.placed(broker, self.order()))
        self.in_book(broker, self.placed(broker, self.far()))
        shown: list[Any] = [*broker.orders(), *broker.fills(), *broker.positions(), broker.balance()]
        numbers = [getattr(item, field.name) for item in shown for field in fields(item) if "Decimal" in field.type]
        assert {type(number) for number in numbers} <= {Decimal, type(None)}
        assert all(item.quantity > 0 and item.filled_quantity >= 0 for item in broker.orders())
        assert all(fill.quantity > 0 and fill.price > 0 for fill in broker.fills())

    def test_reading_changes_nothing(self, broker: Broker) -> None:
        self.ended(broker, self.placed(broker, self.order()))
        self.in_book(broker, self.placed(broker, self.far()))
        assert self.look(broker) == self.look(broker)

    def look(self, broker: Broker) -> tuple[Any, ...]:
        """Return everything that a broker shows."""
        books = (broker.orders(), broker.fills(), broker.positions(), broker.holdings())
        return (*(list(book) for book in books), broker.balance())

    def test_what_was_accepted_survives_a_crash(self, broker: Broker) -> None:
        filled, resting = self.placed(broker, self.order()), self.placed(broker, self.far())
        self.ended(broker, filled)
        self.in_book(broker, resting)
        before = self.look(broker)
        again = self.reopened(broker)
        try:
            assert again.session().state is SessionState.CONNECTED
            assert self.look(again) == before
            if again.capabilities().cancel:
                again.cancel(resting)
                assert self.ended(again, resting).status is OrderState.CANCELED
        finally:
            again.close()

    def test_closing_cancels_nothing(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        broker.close()
        broker.close()
        again = self.reopened(broker)
        try:
            again.session()
            assert _works(self.in_book(again, order))
        finally:
            again.close()


def _is(item: BrokerOrder, order: Order) -> bool:
    if order.broker_order_id is not None:
        return item.broker_order_id == order.broker_order_id
    return item.tag == order.tag


def _works(item: BrokerOrder) -> bool:
    return item.status is None or item.status.is_working
