"""The broker behind an MCP server, against Alpaca's own server and mcp-ccxt: two eras of the protocol, not by us."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aitrader.testing.broker import BrokerContract, Fence
from aitrader.testing.broker_context import FakeContext
from aitrader.testing.clock import FakeClock
from aitrader.testing.waiting import until
from domain.common.errors import Unavailable
from domain.trading.brokerage import SessionState
from domain.trading.model import Account, Mode, OrderType
from domain.trading.ports import Broker, BrokerRejected, NotSent, OutcomeUnknown
from plugins.mcp_broker.broker import McpBroker, open_broker
from plugins.mcp_broker.options import McpOptions
from tests.foreign.alpaca_api import AlpacaApi
from tests.foreign.servers import AlpacaServer, alpaca, ccxt
from tests.processes import Process

ACCOUNT = Account("a", "u", "mcp", Mode.PAPER, "USD", 0)

# Making their environments takes a while the first time.
pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="Alpaca's host is fixed in its server: giving it another needs root and unshare",
)

Alpaca = tuple[AlpacaServer, AlpacaApi]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alpaca]:
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> Process:
            return stack.enter_context(Process(*arguments, **options))

        yield stack.enter_context(alpaca(start, tmp_path_factory.mktemp("alpaca")))


@needs_root
class TestAlpaca(BrokerContract):
    symbol = "AAPL"
    price = Decimal(190)

    @pytest.fixture
    def broker(self, served: Alpaca) -> Iterator[Broker]:
        self.server, self.api = served
        self.api.reset()
        # The broker looks for the orders of the last day and a half.
        self.context = FakeContext(clock=FakeClock(time.time_ns() // 1_000_000), mcp_url=self.server.url)
        broker = self.open()
        yield broker
        broker.close()

    def open(self, **options: Any) -> McpBroker:
        return open_broker(ACCOUNT, McpOptions(calls_per_second=1000, **options), self.context)

    def reopened(self, broker: Broker) -> Broker:
        return self.open()

    def connected(self, broker: Broker) -> bool:
        self.context.clock.advance(20)
        return broker.session().state is SessionState.CONNECTED

    def test_a_rejected_order_within_a_success_is_seen(self, broker: Broker) -> None:
        with pytest.raises(BrokerRejected, match="buying power"):
            broker.place(self.order(quantity=Decimal(100_000)), Fence())
        assert self.api.placed == 1
        assert broker.orders() == []

    def test_a_tag_that_is_there_is_unknown_and_never_two_orders(self, broker: Broker) -> None:
        order = self.far()
        broker.place(order, Fence())
        with pytest.raises(OutcomeUnknown):
            broker.place(order, Fence())
        assert [item.tag for item in broker.orders()] == [order.tag]

    def test_an_answer_that_comes_too_late_is_unknown(self, broker: Broker) -> None:
        broker.session()
        impatient = self.open(write_seconds=0.5)
        impatient.session()
        self.api.stall = 2.0
        order = self.far()
        with pytest.raises(OutcomeUnknown):
            impatient.place(order, Fence())
        impatient.close()
        self.api.stall = 0.0
        assert until(lambda: [item.tag for item in broker.orders()]) == [order.tag]

    def test_stops_with_limits_are_told(self, broker: Broker) -> None:
        order = self.order(type=OrderType.STOP_LIMIT, price=Decimal(210), trigger_price=Decimal("205.5"))
        found = self.in_book(broker, self.placed(broker, order))
        assert (found.type, found.price, found.trigger_price) == (OrderType.STOP_LIMIT, 210, Decimal("205.5"))

    def test_a_killed_server_fails_single_calls_and_needs_no_login(self, broker: Broker) -> None:
        order = self.placed(broker, self.far())
        self.server.kill()
        with pytest.raises(Unavailable):
            broker.orders()
        with pytest.raises(NotSent):
            broker.place(self.far(), Fence())
        self.server.up()
        until(lambda: self.connected(broker))
        assert self.in_book(broker, order).broker_order_id == order.broker_order_id
        broker.place(replace(self.far()), Fence())
        assert self.api.placed == 2


def test_a_server_whose_tools_we_do_not_know_is_said_and_sent_nothing(
    start_process: Callable[..., Process], tmp_path: Path
) -> None:
    process, url = ccxt(start_process, tmp_path)
    broker = open_broker(ACCOUNT, McpOptions(), FakeContext(mcp_url=url))
    try:
        server = broker._session.connect()
        assert server.protocol == "2026-07-28"
        assert len(server.tools) == 13
        session = broker.session()
        assert session.state is SessionState.DOWN
        assert "create_order" in session.detail
        with pytest.raises(Unavailable):
            broker.capabilities()
        fence = Fence()
        with pytest.raises(NotSent):
            broker.place(BrokerContract().order(), fence)
        assert fence.asked == 0
        process.kill()
        with pytest.raises(Unavailable):
            broker.orders()
    finally:
        broker.close()
