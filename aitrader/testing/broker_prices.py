"""What every `Broker` does when prices move. Subclass `BrokerPricesContract` if a test can make them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aitrader.testing.broker import REFUSED, BrokerContract
from aitrader.testing.waiting import until
from domain.trading.brokerage import BrokerUpdate
from domain.trading.model import OrderState, OrderType
from domain.trading.ports import Broker


class BrokerPricesContract(BrokerContract):
    """`BrokerContract`, and tests that move the price of ``symbol``."""

    def move(self, price: Decimal) -> None:
        """Let ``symbol`` trade at a price from now on, with enough offered there."""
        raise NotImplementedError("override move")

    def test_a_resting_order_fills_when_the_price_comes_to_it(self, broker: Broker) -> None:
        broker.listen(lambda update: None)
        order = self.placed(broker, self.far())
        self.in_book(broker, order)
        self.move(self.price * Decimal("0.89"))
        assert self.ended(broker, order).status is OrderState.FILLED
        fills = self.fills_of(broker, order)
        assert sum(fill.quantity for fill in fills) == self.quantity
        assert all(order.price is not None and fill.price <= order.price for fill in fills)

    def test_a_price_that_does_not_reach_an_order_leaves_it_alone(self, broker: Broker) -> None:
        broker.listen(lambda update: None)
        far, near = self.placed(broker, self.far()), self.placed(broker, replace(self.far(), price=self.price - 15))
        self.move(self.price - 20)
        assert self.ended(broker, near).status is OrderState.FILLED
        assert not self.in_book(broker, far).filled_quantity

    def test_a_canceled_order_never_fills(self, broker: Broker) -> None:
        broker.listen(lambda update: None)
        canceled, witness = self.placed(broker, self.far()), self.placed(broker, self.far())
        if not broker.capabilities().cancel:
            with pytest.raises(REFUSED):
                broker.cancel(canceled)
            return
        broker.cancel(canceled)
        self.ended(broker, canceled)
        self.move(self.price * Decimal("0.89"))
        assert self.ended(broker, witness).status is OrderState.FILLED
        assert self.ended(broker, canceled).status is OrderState.CANCELED
        assert self.fills_of(broker, canceled) == []

    def test_a_changed_order_fills_as_it_is_now(self, broker: Broker) -> None:
        broker.listen(lambda update: None)
        order = self.placed(broker, self.far())
        wanted = replace(order, quantity=self.quantity - 3, price=self.price * Decimal("0.95"))
        if not broker.capabilities().modify:
            wanted = order
        else:
            broker.modify(wanted)
            until(lambda: self.in_book(broker, order).price == wanted.price)
        assert wanted.price is not None
        self.move(wanted.price)
        assert self.ended(broker, order).filled_quantity == wanted.quantity

    def test_a_stop_order_trades_once_its_trigger_does(self, broker: Broker) -> None:
        broker.listen(lambda update: None)
        if OrderType.STOP not in broker.capabilities().order_types:
            self.refused(broker, self.stop())
            return
        order = self.placed(broker, self.stop())
        self.move(self.price * Decimal("1.05"))
        assert not self.in_book(broker, order).filled_quantity
        self.move(self.price * Decimal("1.1"))
        assert self.ended(broker, order).status is OrderState.FILLED
        assert all(fill.price >= self.price * Decimal("1.1") for fill in self.fills_of(broker, order))

    def test_who_listens_is_told_what_the_book_says(self, broker: Broker) -> None:
        told: list[BrokerUpdate] = []
        broker.listen(told.append)
        order = self.placed(broker, self.far())
        self.move(self.price * Decimal("0.89"))
        in_book = self.ended(broker, order)
        if not broker.capabilities().streaming:
            assert told == []
            return
        until(lambda: in_book in [item for update in told for item in update.orders])
        until(lambda: {*self.fills_of(broker, order)} <= {fill for update in told for fill in update.fills})

    def test_nothing_is_told_after_closing(self, broker: Broker) -> None:
        told: list[BrokerUpdate] = []
        broker.listen(told.append)
        order = self.placed(broker, self.far())
        broker.close()
        heard = len(told)
        self.move(self.price * Decimal("0.89"))
        again = self.reopened(broker)
        try:
            again.session()
            assert self.in_book(again, order).quantity == order.quantity
        finally:
            again.close()
        assert len(told) == heard

    def test_what_is_held_is_valued_at_the_last_price(self, broker: Broker) -> None:
        self.ended(broker, self.placed(broker, self.order()))
        price = self.price * Decimal("1.02")
        self.move(price)

        def worth_it() -> bool:
            balance = broker.balance()
            return balance.equity is None or balance.equity == balance.cash + self.quantity * price

        until(worth_it)
