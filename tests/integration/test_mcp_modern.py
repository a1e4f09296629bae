"""The broker over the protocol of 2026-07-28, without sessions or handshake, against a server made with the SDK."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from mcp.server.mcpserver import MCPServer

from aitrader.testing.broker import BrokerContract
from aitrader.testing.broker_context import FakeContext
from domain.trading.model import Account, Mode, Order, Product
from domain.trading.ports import Broker
from plugins.mcp_broker.broker import McpBroker, open_broker
from plugins.mcp_broker.options import McpOptions
from plugins.mock_mcp.desk import BrokerError, Desk
from plugins.mock_mcp.exchange import Exchange
from plugins.mock_mcp.faults import Faults
from plugins.mock_mcp.ledger import Ledger
from tests.foreign.servers import free_port
from tests.processes import eventually

ACCOUNT = Account("a", "u", "mcp", Mode.PAPER, "INR", 0)

READS = ("get_profile", "get_margins", "get_holdings", "get_positions", "get_orders", "get_trades")


def _asked(local: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in local.items() if name != "call"}


def _server() -> MCPServer:
    desk = Desk(Exchange(Ledger(None), Decimal(1_000_000)), Faults(0), market_orders=False)
    server = MCPServer("modern-kite")

    def call(tool: str, arguments: dict[str, Any]) -> str:
        try:
            return json.dumps(desk.call(tool, arguments, time.time_ns() // 1_000_000))
        except BrokerError:
            raise ValueError(f"Failed to execute {tool}") from None

    def add(tool: str) -> None:
        server.tool(name=tool)(lambda: call(tool, {}))

    for tool in READS:
        add(tool)

    @server.tool()
    def login() -> str:
        """Log in."""
        return "You are already logged in as Practice Trader"

    @server.tool()
    def search_instruments(query: str, filter_on: str = "id") -> str:
        """Find."""
        return call("search_instruments", {"query": query, "filter_on": filter_on})

    @server.tool()
    def place_order(
        variety: str,
        exchange: str,
        tradingsymbol: str,
        transaction_type: str,
        quantity: int,
        product: str,
        order_type: str,
        price: float,
        trigger_price: float,
        validity: str,
        disclosed_quantity: int,
        tag: str,
    ) -> str:
        """Place."""
        return call("place_order", _asked(locals()))

    @server.tool()
    def modify_order(
        variety: str,
        order_id: str,
        order_type: str,
        quantity: int,
        price: float,
        trigger_price: float,
        validity: str,
        disclosed_quantity: int,
    ) -> str:
        """Change."""
        return call("modify_order", _asked(locals()))

    @server.tool()
    def cancel_order(variety: str, order_id: str) -> str:
        """Cancel."""
        return call("cancel_order", {"variety": variety, "order_id": order_id})

    return server


@pytest.fixture
def url() -> Iterator[str]:
    port = free_port()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.graceful_timeout = 0.5
    config.errorlog = None
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    app: Any = _server().streamable_http_app(streamable_http_path="/mcp")

    def run() -> None:
        loop.run_until_complete(serve(app, config, shutdown_trigger=stop.wait, mode="asgi"))

    work = threading.Thread(target=run)
    work.start()
    yield f"http://127.0.0.1:{port}/mcp"
    loop.call_soon_threadsafe(stop.set)
    work.join(10)


class TestModernEra(BrokerContract):
    @pytest.fixture
    def broker(self, url: str) -> Iterator[Broker]:
        self.context = FakeContext(mcp_url=url)
        broker = self.open()
        eventually(lambda: broker._session.connect(), 10, 0.05, "the server answers")
        yield broker
        broker.close()

    def open(self) -> McpBroker:
        return open_broker(ACCOUNT, McpOptions(calls_per_second=1000), self.context)

    def reopened(self, broker: Broker) -> Broker:
        return self.open()

    def order(self, **changes: Any) -> Order:
        """Kite sells short within the day only."""
        return super().order(**{"product": Product.INTRADAY, **changes})

    def test_it_is_the_modern_era(self, broker: McpBroker) -> None:
        assert broker._session.connect().protocol == "2026-07-28"
        assert self.context.vault.load() is None
