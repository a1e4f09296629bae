from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from aitrader.testing.broker import BrokerContract
from aitrader.testing.broker_context import FakeContext
from domain.trading.model import Account, Mode
from domain.trading.ports import Broker
from plugins.paper.broker import PaperBroker
from plugins.paper.options import PaperOptions


class TestPaper(BrokerContract):
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
        account = Account("a", "u", "paper", Mode.PAPER, "INR", 0, starting_cash=Decimal(100_000))
        return PaperBroker(account, self.options, self.context)

    def reopened(self, broker: Broker) -> Broker:
        return self.open()


class TestPaperWithFeesAndSlippage(TestPaper):
    options = PaperOptions(
        fees={"model": "bps", "bps": "5"},
        slippage_bps=Decimal(3),
        slippage_jitter_bps=Decimal(2),
        tick_size=Decimal("0.05"),
        leverage=Decimal(5),
    )
