"""What the tests of the paper broker share: an account to trade with, and prices to trade at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aitrader.testing.broker import BrokerContract, Fence
from aitrader.testing.broker_context import FakeContext
from aitrader.testing.broker_faults import FaultyJournal
from domain.trading.brokerage import BrokerOrder, BrokerUpdate
from domain.trading.model import Account, Mode, Order, OrderType, Side
from plugins.paper.broker import PaperBroker
from plugins.paper.options import PaperOptions

D = Decimal
INFY = "NSE:INFY"
TCS = "NSE:TCS"
CASH = 100_000


class Desk:
    """A paper account with 100000 in cash, INFY at 100 and TCS at 200, and what it told who listens."""

    def __init__(self, cash: int = CASH, *, prices: bool = True, **options: Any) -> None:
        self.context = FakeContext(journal=FaultyJournal())
        self.account = Account("a", "u", "paper", Mode.PAPER, "INR", 0, starting_cash=D(cash))
        self.options = PaperOptions(**options)
        self.told: list[BrokerUpdate] = []
        if prices:
            self.price("100")
            self.price("200", TCS)
        self.broker = self.open()

    @property
    def journal(self) -> FaultyJournal:
        """The account's journal."""
        assert isinstance(self.context.journal, FaultyJournal)
        return self.context.journal

    def open(self) -> PaperBroker:
        """Return another broker over the same account; it hears prices."""
        broker = PaperBroker(self.account, self.options, self.context)
        broker.listen(self.told.append)
        return broker

    def reopen(self) -> None:
        """Go on with another broker."""
        self.broker.close()
        self.broker = self.open()

    def price(self, price: str, symbol: str = INFY, **more: Any) -> None:
        """Let a second pass, then let a symbol trade at a price."""
        self.context.clock.advance(1)
        self.context.quotes.set(symbol, price, **more)

    def order(self, side: Side, quantity: str, **changes: Any) -> Order:
        """Return a market order, or one of another type."""
        base = {"symbol": INFY, "type": OrderType.MARKET, "price": None}
        return BrokerContract().order(**{**base, "side": side, "quantity": D(quantity), **changes})

    def buy(self, quantity: str, **changes: Any) -> Order:
        """Buy at the market, or as ``changes`` say."""
        return self.place(self.order(Side.BUY, quantity, **changes))

    def sell(self, quantity: str, **changes: Any) -> Order:
        """Sell at the market, or as ``changes`` say."""
        return self.place(self.order(Side.SELL, quantity, **changes))

    def place(self, order: Order, fence: Callable[[], None] | None = None) -> Order:
        """Place an order; return it with its id."""
        return replace(order, broker_order_id=self.broker.place(order, fence or Fence()).broker_order_id)

    def shown(self, order: Order) -> BrokerOrder:
        """Return what the book says of an order."""
        (found,) = [item for item in self.broker.orders() if item.tag == order.tag]
        return found

    def held(self) -> dict[str, Decimal]:
        """Return the positions."""
        return {item.symbol: item.quantity for item in self.broker.positions()}

    def own(self) -> list[BrokerOrder]:
        """Return the broker's own orders."""
        return [item for item in self.broker.orders() if item.tag is None]

    def look(self) -> tuple[Any, ...]:
        """Return all that the broker shows."""
        broker = self.broker
        return list(broker.orders()), list(broker.fills()), list(broker.positions()), broker.balance()


def limit(price: str) -> dict[str, Any]:
    """Return what makes a limit order."""
    return {"type": OrderType.LIMIT, "price": D(price)}


def stop(trigger: str) -> dict[str, Any]:
    """Return what makes a stop order."""
    return {"type": OrderType.STOP, "trigger_price": D(trigger)}
