from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.journal import SqlJournal
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.broker import BrokerContract
from aitrader.testing.broker_context import FakeContext
from aitrader.testing.broker_prices import BrokerPricesContract
from domain.trading.brokerage import Ack, BrokerOrder, Capabilities
from domain.trading.model import Account, Mode, Order, OrderType, Product, TimeInForce
from domain.trading.placing import require_capabilities
from domain.trading.ports import Broker, CapabilityMissing
from plugins.mcp_broker.broker import open_broker
from plugins.mcp_broker.options import McpOptions
from plugins.paper.broker import PaperBroker
from plugins.paper.options import PaperOptions
from tests.mock_broker import mock_broker

ACCOUNT = Account("a", "u", "paper", Mode.PAPER, "INR", 0, starting_cash=Decimal(100_000))


class TestPaper(BrokerPricesContract):
    options = PaperOptions()

    @pytest.fixture
    def context(self) -> FakeContext:
        context = FakeContext()
        context.quotes.set(self.symbol, self.price)
        return context

    @pytest.fixture
    def broker(self, context: FakeContext) -> Iterator[Broker]:
        self.context = context
        broker = self.open()
        yield broker
        broker.close()

    def open(self) -> Broker:
        return PaperBroker(ACCOUNT, self.options, self.context)

    def reopened(self, broker: Broker) -> Broker:
        return self.open()

    def move(self, price: Decimal) -> None:
        self.context.clock.advance(1)
        self.context.quotes.set(self.symbol, price)


class TestPaperWithFeesAndSlippage(TestPaper):
    options = PaperOptions(
        fees={"model": "bps", "bps": "5"},
        slippage_bps=Decimal(3),
        slippage_jitter_bps=Decimal(2),
        tick_size=Decimal("0.05"),
        leverage=Decimal(5),
    )


class TestPaperWithoutShorting(TestPaper):
    options = PaperOptions(shorting=False)


class TestPaperOverSql(TestPaper):
    @pytest.fixture
    def context(self, sqlite_template: Path, tmp_path: Path) -> Iterator[FakeContext]:
        shutil.copy(sqlite_template, tmp_path / "books.db")
        engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'books.db'}"))
        work = partial(SqlUnitOfWork, engine)
        with work() as unit:
            unit.accounts.add(ACCOUNT)
            unit.commit()
        context = FakeContext(journal=SqlJournal(work, ACCOUNT.id))
        context.quotes.set(self.symbol, self.price)
        yield context
        engine.dispose()


class Modest:
    """A broker that can do next to nothing, and says so. The rest is that of another one."""

    def __init__(self, inner: Broker) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def capabilities(self) -> Capabilities:
        return replace(
            self._inner.capabilities(),
            order_types=frozenset({OrderType.LIMIT}),
            times_in_force=frozenset({TimeInForce.DAY}),
            tag=False,
            modify=False,
            cancel=False,
        )

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        require_capabilities(order, self.capabilities())
        return self._inner.place(order, fence)

    def modify(self, order: Order) -> None:
        raise CapabilityMissing("it has no such tool")

    def cancel(self, order: Order) -> None:
        raise CapabilityMissing("it has no such tool")

    def orders(self) -> Sequence[BrokerOrder]:
        return [replace(item, tag=None) for item in self._inner.orders()]

    def listen(self, callback: Callable[[Any], None]) -> None:
        self._inner.listen(
            lambda update: callback(replace(update, orders=tuple(replace(item, tag=None) for item in update.orders)))
        )


class TestBrokerThatCanDoLittle(TestPaper):
    options = PaperOptions(shorting=False)

    def open(self) -> Broker:
        return Modest(super().open())


class TestMcp(BrokerContract):
    """Kite's profile, over real HTTP, against the practice broker."""

    served: ClassVar[dict[str, Any]] = {"logged_in": True}
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def broker(self) -> Iterator[Broker]:
        with mock_broker(**self.served) as control:
            self.control = control
            self.context = FakeContext(mcp_url=control.url)
            broker = self.open()
            yield broker
            broker.close()

    def open(self) -> Broker:
        options = McpOptions(calls_per_second=1000, **self.options)
        return open_broker(ACCOUNT, options, self.context)

    def reopened(self, broker: Broker) -> Broker:
        return self.open()

    def order(self, **changes: Any) -> Order:
        """Kite sells short within the day only."""
        return super().order(**{"product": Product.INTRADAY, **changes})


class TestMcpWithMarketOrders(TestMcp):
    served: ClassVar[dict[str, Any]] = {"logged_in": True, "market_orders": True}
    options: ClassVar[dict[str, Any]] = {"market_orders": True}


class TestMcpInPages(TestMcp):
    served: ClassVar[dict[str, Any]] = {"logged_in": True, "page_limit": 1}
