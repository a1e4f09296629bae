"""A broker whose truth a test can see and bend: what was submitted, what works there, and how a call goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from aitrader.testing.clock import FakeClock
from domain.common.errors import Unavailable
from domain.trading.brokerage import (
    Ack,
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Holding,
    Instrument,
    SessionState,
)
from domain.trading.model import Order, OrderState, OrderType, Product, TimeInForce
from domain.trading.ports import BrokerRejected, NotSent, OutcomeUnknown

FAULTS = ("ok", "reject", "not_sent", "drop", "accept_then_drop", "late", "odd_error")


class Venue:
    """What is true at the broker. ``submits`` are the tags of all submit calls that left us."""

    def __init__(self, clock: FakeClock, cash: Decimal) -> None:
        self.clock = clock
        self.cash = cash
        self.submits: list[str] = []
        self.orders: dict[str, BrokerOrder] = {}
        self.fills: list[BrokerFill] = []
        self.hidden_until: dict[str, int] = {}

    def accept(self, order: Order, tag: str | None = None) -> str:
        broker_id = f"B{len(self.orders) + 1}"
        self.orders[broker_id] = BrokerOrder(
            broker_id,
            tag or order.tag,
            order.symbol,
            order.side,
            order.type,
            order.quantity,
            Decimal(0),
            OrderState.ACCEPTED,
            order.time_in_force,
            price=order.price,
        )
        return broker_id

    def fill(self, broker_id: str, quantity: Decimal) -> None:
        order = self.orders[broker_id]
        quantity = min(quantity, order.quantity - order.filled_quantity)
        if quantity <= 0 or not self.works(broker_id):
            return
        price = order.price or Decimal(100)
        number = f"F{len(self.fills) + 1}"
        now = self.clock.now_ms()
        self.fills.append(
            BrokerFill(number, broker_id, order.symbol, order.side, quantity, price, now, Decimal(1), "taker")
        )
        filled = order.filled_quantity + quantity
        status = OrderState.FILLED if filled == order.quantity else OrderState.PARTIALLY_FILLED
        self.orders[broker_id] = replace(order, filled_quantity=filled, status=status)
        self.cash -= order.side.sign * quantity * price + 1

    def end(self, broker_id: str, status: OrderState) -> None:
        if self.works(broker_id):
            self.orders[broker_id] = replace(self.orders[broker_id], status=status)

    def works(self, broker_id: str) -> bool:
        status = self.orders[broker_id].status
        return status is not None and status.is_working

    def visible(self) -> list[BrokerOrder]:
        now = self.clock.now_ms()
        return [order for name, order in self.orders.items() if self.hidden_until.get(name, 0) <= now]

    def held(self) -> dict[str, Decimal]:
        net: dict[str, Decimal] = {}
        shown = {order.broker_order_id for order in self.visible()}
        for fill in self.fills:
            if fill.broker_order_id in shown:
                net[fill.symbol] = net.get(fill.symbol, Decimal(0)) + fill.side.sign * fill.quantity
        return {symbol: quantity for symbol, quantity in net.items() if quantity}


class VenueBroker:
    """``Broker`` over a `Venue`. ``fault`` says how the next submit call goes; ``down`` fails every read."""

    def __init__(self, venue: Venue, *, settle_ms: int = 120_000) -> None:
        self.venue = venue
        self.fault = "ok"
        self.down = False
        self.settle_ms = settle_ms
        self.before_place: Callable[[], None] = lambda: None
        self.before_instrument: Callable[[], None] = lambda: None

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset(OrderType), frozenset(TimeInForce), (Product.MARGIN,), settle_ms=self.settle_ms)

    def session(self) -> BrokerSession:
        state = SessionState.DOWN if self.down else SessionState.CONNECTED
        return BrokerSession(state, checked_at=self.venue.clock.now_ms())

    def log_in(self) -> BrokerSession:
        return self.session()

    def instrument(self, symbol: str) -> Instrument | None:
        self.before_instrument()
        return None

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        if self.fault == "not_sent":
            raise NotSent("the connection was refused")
        self.before_place()
        fence()
        self.venue.submits.append(order.tag)
        fault, self.fault = self.fault, "ok"
        if fault == "reject":
            raise BrokerRejected("margin is short")
        if fault == "drop":
            raise OutcomeUnknown("the connection broke")
        broker_id = self.venue.accept(order)
        if fault == "late":
            self.venue.hidden_until[broker_id] = self.venue.clock.now_ms() + 90_000
            raise OutcomeUnknown("no answer in time")
        if fault == "accept_then_drop":
            raise OutcomeUnknown("the connection broke")
        if fault == "odd_error":
            raise ZeroDivisionError("a bug of the broker's plugin")
        return Ack(broker_id)

    def modify(self, order: Order) -> None:
        broker_id = order.broker_order_id or ""
        if not self.venue.works(broker_id) or self.venue.orders[broker_id].filled_quantity >= order.quantity:
            raise BrokerRejected("it has ended")
        self.venue.orders[broker_id] = replace(
            self.venue.orders[broker_id], quantity=order.quantity, price=order.price
        )

    def cancel(self, order: Order) -> None:
        broker_id = order.broker_order_id or ""
        if not self.venue.works(broker_id):
            raise BrokerRejected("it has ended")
        self.venue.end(broker_id, OrderState.CANCELED)

    def orders(self) -> Sequence[BrokerOrder]:
        self._require_up()
        return self.venue.visible()

    def fills(self) -> Sequence[BrokerFill]:
        self._require_up()
        shown = {order.broker_order_id for order in self.venue.visible()}
        return [fill for fill in self.venue.fills if fill.broker_order_id in shown]

    def positions(self) -> Sequence[BrokerPosition]:
        self._require_up()
        return [BrokerPosition(symbol, quantity) for symbol, quantity in self.venue.held().items()]

    def holdings(self) -> Sequence[Holding]:
        return []

    def balance(self) -> Balance:
        self._require_up()
        return Balance("INR", self.venue.cash)

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def _require_up(self) -> None:
        if self.down:
            raise Unavailable("the broker does not answer")
