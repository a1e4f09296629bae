"""The broker behind an MCP server, against the practice broker over real HTTP, with everything that goes wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aitrader.testing.broker import Fence
from aitrader.testing.broker_context import FakeContext
from aitrader.testing.waiting import until
from domain.common.errors import Unavailable
from domain.common.ids import new_id
from domain.trading.brokerage import SessionState
from domain.trading.model import Account, Mode, Order, OrderType, Product, Side, TimeInForce, tag_of
from domain.trading.ports import BrokerRejected, NotSent, OutcomeUnknown
from plugins.mcp_broker.broker import McpBroker, open_broker
from plugins.mcp_broker.options import McpOptions
from tests.mock_broker import BrokerProcess, Control, mock_broker
from tests.processes import Process

pytestmark = pytest.mark.once

ACCOUNT = Account("a", "u", "mcp", Mode.PAPER, "INR", 0)


@pytest.fixture
def opened() -> Iterator[Callable[..., McpBroker]]:
    brokers: list[McpBroker] = []

    def make(context: FakeContext, **options: Any) -> McpBroker:
        settings = McpOptions(**{"calls_per_second": 1000, "read_seconds": 3, "write_seconds": 3, **options})
        brokers.append(open_broker(ACCOUNT, settings, context))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture
def mock() -> Iterator[Control]:
    with mock_broker(logged_in=True) as control:
        yield control


@pytest.fixture
def broker(mock: Control, opened: Callable[..., McpBroker]) -> McpBroker:
    return opened(FakeContext(mcp_url=mock.url))


def order(**changes: Any) -> Order:
    order_id = new_id()
    values: dict[str, Any] = {
        "symbol": "NSE:INFY",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(10),
        "price": Decimal("1400.05"),
    }
    return Order(
        id=order_id,
        user_id="u",
        account="a",
        broker="mcp",
        mode=Mode.PAPER,
        tag=tag_of(order_id),
        created_at=0,
        updated_at=0,
        send_by=2**62,
        **{**values, **changes},
    )


def connected(broker: McpBroker, context: FakeContext) -> bool:
    context.clock.advance(20)
    return broker.session().state is SessionState.CONNECTED


class TestLogin:
    def test_a_link_is_given_and_followed(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker() as mock:
            context = FakeContext(mcp_url=mock.url)
            broker = opened(context)
            session = broker.session()
            assert session.state is SessionState.NEEDS_LOGIN
            link = session.login_url or ""
            assert "/connect/login?" in link
            assert "own risk" in (session.warning or "")
            assert broker.session().login_url == link
            mock.log_in(link)
            context.clock.advance(20)
            session = broker.session()
            assert (session.state, session.user) == (SessionState.CONNECTED, "PR0001 Practice Trader")
            assert broker.log_in().state is SessionState.CONNECTED

    def test_a_restart_of_ours_needs_no_new_login(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker() as mock:
            context = FakeContext(mcp_url=mock.url)
            first = opened(context)
            mock.log_in(first.session().login_url or "")
            first.close()
            assert opened(context).session().state is SessionState.CONNECTED
            assert mock.state()["sessions"] == 1

    def test_a_crash_of_ours_needs_none_either(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker() as mock:
            context = FakeContext(mcp_url=mock.url)
            mock.log_in(opened(context).session().login_url or "")
            assert opened(context).session().state is SessionState.CONNECTED

    def test_a_session_is_kept_for_its_own_server_only(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker() as mock, mock_broker() as other:
            context = FakeContext(mcp_url=mock.url)
            mock.log_in(opened(context).session().login_url or "")
            stranger = FakeContext(mcp_url=other.url, vault=context.vault)
            assert opened(stranger).session().state is SessionState.NEEDS_LOGIN

    def test_a_session_that_ended_asks_for_a_new_login(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker() as mock:
            context = FakeContext(mcp_url=mock.url)
            broker = opened(context)
            old = broker.session().login_url or ""
            mock.log_in(old)
            mock("expire")
            context.clock.advance(20)

            def asked_anew() -> str | None:
                context.clock.advance(20)
                session = broker.session()
                return session.login_url if session.state is SessionState.NEEDS_LOGIN else None

            link = until(asked_anew)
            assert link not in (None, old)
            mock.log_in(link or "")
            until(lambda: connected(broker, context))

    def test_a_login_that_ended_asks_for_a_new_one(self, mock: Control, broker: McpBroker) -> None:
        assert broker.session().state is SessionState.CONNECTED
        mock("logout")
        with pytest.raises(Unavailable):
            broker.orders()
        until(lambda: broker.log_in().state is SessionState.NEEDS_LOGIN)
        assert broker.session().login_url

    def test_a_broker_that_fails_for_a_moment_keeps_its_login(
        self, mock: Control, opened: Callable[..., McpBroker]
    ) -> None:
        """Asking for a link would end it: only a minute of failures means that nobody is logged in."""
        context = FakeContext(mcp_url=mock.url)
        broker = opened(context)
        assert broker.session().state is SessionState.CONNECTED
        mock("fault", kind="error", tool="get_profile", times=3)
        for _ in range(3):
            context.clock.advance(16)
            session = broker.session()
            assert (session.state, session.login_url) == (SessionState.DOWN, None)
        context.clock.advance(16)
        assert broker.session().state is SessionState.CONNECTED
        mock("logout")
        seen = []
        for _ in range(5):
            context.clock.advance(16)
            seen.append(broker.session().state)
        assert seen[-1] is SessionState.NEEDS_LOGIN

    def test_session_ids_are_not_logged(
        self, opened: Callable[..., McpBroker], caplog: pytest.LogCaptureFixture
    ) -> None:
        with mock_broker() as mock, caplog.at_level(logging.DEBUG):
            context = FakeContext(mcp_url=mock.url)
            broker = opened(context)
            mock.log_in(broker.session().login_url or "")
            context.clock.advance(20)
            broker.session()
            broker.place(order(), Fence())
            assert b"kitemcp-" in (context.vault.load() or b"")
            mock("expire")
            with pytest.raises(Unavailable):
                broker.orders()
        assert not [record for record in caplog.records if "kitemcp-" in record.getMessage()]


# What a call comes to, and how many orders the broker took.
FAULTS = {
    "drop": (OutcomeUnknown, 0),
    "http_429": (OutcomeUnknown, 0),
    "http_500": (OutcomeUnknown, 0),
    "error": (OutcomeUnknown, 0),
    "session_expired": (NotSent, 0),
    "accept_then_drop": (OutcomeUnknown, 1),
    "accept_then_end_session": (OutcomeUnknown, 1),
    "error_after_accept": (OutcomeUnknown, 1),
    "garbage": (OutcomeUnknown, 1),
    "hang": (OutcomeUnknown, 1),
}


class TestPlacing:
    @pytest.mark.parametrize("kind", FAULTS)
    def test_a_fault_is_unknown_unless_it_proves_something(
        self, mock: Control, opened: Callable[..., McpBroker], kind: str
    ) -> None:
        context = FakeContext(mcp_url=mock.url)
        broker = opened(context, write_seconds=0.5)
        broker.session()
        mock("fault", kind=kind, seconds=1.5)
        outcome, taken = FAULTS[kind]
        wanted, fence = order(), Fence()
        with pytest.raises(outcome):
            broker.place(wanted, fence)
        assert fence.asked == 1
        assert mock.state()["placed"] == [wanted.tag] * taken
        until(lambda: connected(broker, context))
        assert [item.tag for item in broker.orders()] == [wanted.tag] * taken
        broker.place(order(), Fence())
        assert len(mock.state()["placed"]) == taken + 1

    def test_a_server_that_is_away_was_sent_nothing(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker(logged_in=True) as mock:
            context = FakeContext(mcp_url=mock.url)
            broker = opened(context)
            broker.session()
        fence = Fence()
        with pytest.raises(NotSent):
            broker.place(order(), fence)
        context.clock.advance(20)
        session = broker.session()
        assert session.state is SessionState.DOWN
        assert "cannot be reached" in session.detail

    def test_a_server_that_never_was_there_is_said(self, opened: Callable[..., McpBroker]) -> None:
        broker = opened(FakeContext(mcp_url="http://127.0.0.1:9/mcp"))
        assert broker.session().state is SessionState.DOWN
        with pytest.raises(Unavailable):
            broker.capabilities()
        with pytest.raises(NotSent):
            broker.place(order(), Fence())

    def test_every_field_of_a_change_is_sent(self, mock: Control, broker: McpBroker) -> None:
        placed = order(type=OrderType.STOP_LIMIT, price=Decimal(1600), trigger_price=Decimal(1590))
        placed = _with_id(placed, broker.place(placed, Fence()).broker_order_id)
        broker.modify(replace(placed, trigger_price=Decimal(1580)))
        (found,) = broker.orders()
        assert (found.quantity, found.price, found.trigger_price) == (10, 1600, 1580)
        assert (found.type, found.tag) == (OrderType.STOP_LIMIT, placed.tag)

    @pytest.mark.parametrize(
        "changes",
        [
            {"symbol": "INFY"},
            {"symbol": "NASDAQ:MSFT"},
            {"type": OrderType.MARKET, "price": None},
            {"time_in_force": TimeInForce.GTC},
            {"quantity": Decimal("1.5")},
        ],
    )
    def test_what_kite_would_not_take_is_refused_before_anything_leaves(
        self, mock: Control, broker: McpBroker, changes: dict[str, Any]
    ) -> None:
        fence = Fence()
        with pytest.raises(BrokerRejected):
            broker.place(order(**changes), fence)
        assert fence.asked == 0
        assert mock.state()["placed"] == []

    def test_an_instrument_that_is_not_there_stays_unknown_until_the_book_tells(
        self, mock: Control, broker: McpBroker
    ) -> None:
        with pytest.raises(OutcomeUnknown):
            broker.place(order(symbol="NSE:NOSUCH"), Fence())
        assert broker.instrument("NSE:NOSUCH") is None
        assert broker.orders() == []

    def test_tick_and_lot_are_known(self, broker: McpBroker) -> None:
        found = broker.instrument("NSE:INFY")
        assert found is not None
        assert (found.tick_size, found.lot_size, found.isin) == (Decimal("0.05"), 1, "INE009A01021")


def _with_id(item: Order, broker_order_id: str) -> Order:
    return replace(item, broker_order_id=broker_order_id)


class TestBooks:
    def test_pages_that_are_missing_are_no_book(self, mock: Control, broker: McpBroker) -> None:
        for _ in range(3):
            broker.place(order(), Fence())
        mock("books", page_limit=2)
        assert len(broker.orders()) == 3
        mock("books", lose_pages=True)
        with pytest.raises(Unavailable):
            broker.orders()

    def test_an_order_that_shows_late_is_found_later(self, mock: Control, broker: McpBroker) -> None:
        mock("books", hidden_seconds=0.5)
        wanted = order()
        broker.place(wanted, Fence())
        assert broker.orders() == []
        assert until(lambda: [item.tag for item in broker.orders()]) == [wanted.tag]

    def test_a_position_outlives_the_night(self, mock: Control, broker: McpBroker) -> None:
        """What was bought is a position today and a holding tomorrow; the sum is what we have."""
        broker.place(order(price=Decimal(1500), product=Product.DELIVERY), Fence())
        bought = [(item.symbol, item.quantity, item.product) for item in broker.positions()]
        assert bought == [("NSE:INFY", 10, Product.DELIVERY)]
        mock("night")
        mock.log_in(broker.log_in().login_url or "")
        assert [(item.symbol, item.quantity, item.product) for item in broker.positions()] == bought
        assert (broker.orders(), broker.fills()) == ([], [])
        sold = order(side=Side.SELL, quantity=Decimal(4), price=Decimal(1500), product=Product.DELIVERY)
        broker.place(sold, Fence())
        assert [item.quantity for item in broker.positions()] == [6]
        (held,) = broker.holdings()
        assert (held.quantity, held.average_price, held.currency) == (10, 1500, "INR")

    def test_a_server_without_order_tools_is_read_only(self, opened: Callable[..., McpBroker]) -> None:
        with mock_broker(logged_in=True, excluded_tools=("place_order", "modify_order", "cancel_order")) as mock:
            broker = opened(FakeContext(mcp_url=mock.url))
            assert broker.session().state is SessionState.CONNECTED
            able = broker.capabilities()
            assert (able.place, able.modify, able.cancel) == (False, False, False)
            assert any("place_order" in note for note in able.notes)
            with pytest.raises(BrokerRejected):
                broker.place(order(), Fence())
            assert broker.positions() == []

    def test_another_set_of_tools_has_another_hash(self, opened: Callable[..., McpBroker]) -> None:
        hashes = []
        for excluded in ((), ("get_gtts",), ()):
            with mock_broker(logged_in=True, excluded_tools=excluded) as mock:
                hashes.append(opened(FakeContext(mcp_url=mock.url)).capabilities().schema_hash)
        assert hashes[0] == hashes[2] != hashes[1]

    def test_calls_are_spaced(self, mock: Control, opened: Callable[..., McpBroker]) -> None:
        broker = opened(FakeContext(mcp_url=mock.url), calls_per_second=20)
        broker.session()
        started = time.monotonic()
        for _ in range(5):
            broker.balance()
        assert time.monotonic() - started >= 4 / 20


class TestServerChanges:
    def test_a_server_with_other_tools_is_sent_nothing_until_they_were_looked_at(
        self, opened: Callable[..., McpBroker]
    ) -> None:
        """What an arming allowed was another interface."""
        with mock_broker(logged_in=True) as mock:
            port = int(mock.url.rpartition(":")[2].partition("/")[0])
            context = FakeContext(mcp_url=mock.url)
            broker = opened(context)
            broker.session()
            before = broker.capabilities().schema_hash
        with mock_broker(port=port, logged_in=True, excluded_tools=("get_gtts",)) as other:
            until(lambda: connected(broker, context))
            fence = Fence()
            with pytest.raises(NotSent, match="other tools"):
                broker.place(order(), fence)
            assert fence.asked == 0
            assert broker.capabilities().schema_hash != before
            broker.place(order(), Fence())
            assert len(other.state()["placed"]) == 1


class TestServerDies:
    """F23: the server is killed and started again under a living client."""

    @pytest.fixture
    def server(self, start_process: Callable[..., Process], tmp_path: Path) -> BrokerProcess:
        return BrokerProcess(start_process, tmp_path, keep_sessions="true")

    def test_single_calls_fail_and_no_new_login_is_needed(
        self, server: BrokerProcess, opened: Callable[..., McpBroker]
    ) -> None:
        context = FakeContext(mcp_url=server.url)
        broker = opened(context)
        server.control.log_in(broker.session().login_url or "")
        context.clock.advance(20)
        broker.place(order(), Fence())
        server.kill()
        with pytest.raises(Unavailable):
            broker.orders()
        with pytest.raises(NotSent):
            broker.place(order(), Fence())
        server.up()
        until(lambda: connected(broker, context))
        assert len(broker.orders()) == 1
        broker.place(order(), Fence())
        assert len(server.control.state()["placed"]) == 2

    def test_a_call_under_way_is_unknown_and_found_later(
        self, server: BrokerProcess, opened: Callable[..., McpBroker]
    ) -> None:
        context = FakeContext(mcp_url=server.url)
        broker = opened(context)
        server.control.log_in(broker.session().login_url or "")
        server.control("fault", kind="hang", seconds=30)
        wanted, outcome = order(), []

        def place() -> None:
            try:
                broker.place(wanted, Fence())
            except OutcomeUnknown as error:
                outcome.append(error)

        caller = threading.Thread(target=place)
        caller.start()
        until(lambda: server.control.state()["placed"])
        server.kill()
        caller.join(10)
        assert len(outcome) == 1
        server.up()
        until(lambda: connected(broker, context))
        assert [item.tag for item in broker.orders()] == [wanted.tag]

    def test_a_server_that_forgets_sessions_needs_a_login(
        self, start_process: Callable[..., Process], tmp_path: Path, opened: Callable[..., McpBroker]
    ) -> None:
        server = BrokerProcess(start_process, tmp_path)
        context = FakeContext(mcp_url=server.url)
        broker = opened(context)
        server.control.log_in(broker.session().login_url or "")
        context.clock.advance(20)
        assert broker.session().state is SessionState.CONNECTED
        server.kill()
        server.up()

        def link() -> str | None:
            context.clock.advance(20)
            return broker.session().login_url

        server.control.log_in(until(link) or "")
        until(lambda: connected(broker, context))
