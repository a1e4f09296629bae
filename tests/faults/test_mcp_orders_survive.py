"""SIGKILL around a submit over MCP, faults of the server, the server killed: at most one submit per order, and our
book equals the broker's after healing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.trading.model import OrderState
from tests.mock_broker import BrokerProcess
from tests.processes import Process, eventually
from tests.servers import PostgresServer
from tests.trading_processes import TradingProcesses

pytestmark = pytest.mark.once


class McpDesk(TradingProcesses):
    """A worker, and the practice broker in a process of its own."""

    def __init__(self, folder: Path, database: str, start: Callable[..., Process]) -> None:
        self.broker = BrokerProcess(start, folder, logged_in="true")
        options = {"url": self.broker.url, "settle_seconds": 1.5, "calls_per_second": 100, "write_seconds": 1}
        env = {"AITRADER_PLUGINS_ONLY": "mcp_broker"}
        super().__init__(folder, database, start, broker="mcp", options=options, price=1500, env=env)

    def placed(self) -> list[str]:
        """Return the tags of the submits that reached the broker."""
        return list(self.broker.control.state()["placed"])

    def assert_true(self) -> None:
        """Check our books against the broker's."""
        placed = self.placed()
        assert len(placed) == len(set(placed))
        self.assert_books({order["tag"]: order["id"] for order in self.broker.control.state()["orders"]})


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    start_process: Callable[..., Process],
    postgres_server: PostgresServer,
) -> Iterator[McpDesk]:
    sqlite = f"sqlite:///{tmp_path / 'orders.db'}"
    url = sqlite if request.param == "sqlite" else postgres_server.create_database()
    desk = McpDesk(tmp_path, url, start_process)
    yield desk
    desk.engine.dispose()


POINTS = {"order.sending": 0, "order.fenced": 0, "order.acknowledged": 1, "order.settled": 1}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", POINTS)
def test_a_sender_killed_at_any_point_never_submits_twice(desk: McpDesk, point: str) -> None:
    assert desk.place() == 0
    died = desk.worker(AITRADER_TEST_FAILPOINT=point)
    assert died.wait(30) == -signal.SIGKILL, died.describe()
    desk.worker()
    desk.settled()
    desk.assert_true()
    assert len(desk.placed()) == POINTS[point]


@pytest.mark.timeout(120)
def test_a_sender_killed_while_the_broker_answers_adopts_the_order(desk: McpDesk) -> None:
    desk.broker.control("fault", kind="hang", seconds=30)
    assert desk.place() == 0
    worker = desk.worker()
    eventually(desk.placed, 20, 0.05, "the broker has the order")
    worker.kill()
    desk.worker()
    (order,) = desk.settled()
    assert order.status is OrderState.FILLED
    desk.assert_true()


@pytest.mark.timeout(120)
def test_a_server_that_misbehaves(desk: McpDesk) -> None:
    """F20 to F22 and F26: one order after another meets each fault."""
    worker = desk.worker()
    taken = {
        "accept_then_drop": 1,
        "drop": 0,
        "error_after_accept": 1,
        "error": 0,
        "garbage": 1,
        "hang": 1,
        "http_429": 0,
        "http_500": 0,
        "accept_then_end_session": 1,
        "session_expired": 0,
    }
    desk.broker.control("books", hidden_seconds=1)
    for number, (fault, accepted) in enumerate(taken.items()):
        before = len(desk.placed())
        desk.broker.control("fault", kind=fault, seconds=2)
        assert desk.place(f"k{number}") == 0
        orders = desk.settled()
        assert len(orders) == number + 1, worker.describe()
        assert len(desk.placed()) == before + accepted, fault
    desk.assert_true()


@pytest.mark.timeout(120)
def test_a_server_killed_under_a_living_worker(desk: McpDesk) -> None:
    """F23, twice: with an order on the wire, and with none."""
    worker = desk.worker()
    desk.broker.control("fault", kind="hang", seconds=30)
    assert desk.place("k0") == 0
    eventually(desk.placed, 20, 0.05, "the broker has the order")
    desk.broker.kill()
    desk.broker.up()
    assert desk.settled()[0].status is OrderState.FILLED
    desk.broker.kill()
    assert desk.place("k1") == 0
    desk.broker.up()
    assert desk.settled()[0].status in (OrderState.FILLED, OrderState.NOT_PLACED)
    desk.assert_true()
    assert worker.running


@pytest.mark.timeout(120)
def test_books_that_lie_and_orders_of_others(desk: McpDesk) -> None:
    """F25: duplicates, newest first, in pages, and orders that somebody else placed and filled."""
    desk.worker()
    desk.broker.control("books", duplicates=True, page_limit=3)
    for number in range(3):
        assert desk.place(f"k{number}") == 0
    desk.settled()
    desk.broker.control("order", symbol="NSE:TCS", quantity=5, price=3900)
    assert desk.run("accounts", "refresh", "v").returncode == 0
    external = eventually(
        lambda: [order for order in desk.orders() if order.origin.value == "external" and order.status.is_terminal],
        30,
        0.1,
        "the order of somebody else was imported",
    )
    assert [(order.symbol, order.filled_quantity) for order in external] == [("NSE:TCS", 5)]
    with desk.work() as work:
        assert work.positions.get("v", "NSE:INFY").quantity == 30
        assert work.positions.get("v", "NSE:TCS").quantity == 5
        state = work.desk.state("v")
    assert state is not None
    assert state.mismatches == {}


@pytest.mark.timeout(120)
def test_a_login_is_waited_for(desk: McpDesk) -> None:
    """F24: nobody is logged in; the order waits, and is sent once somebody is."""
    desk.broker.kill()
    desk.broker.options["logged_in"] = "false"
    desk.broker.up()
    desk.worker()
    assert desk.place() == 0
    shown = eventually(lambda: desk.run("accounts", "login", "v").stdout, 20, 0.2, "a login link")
    assert desk.orders()[0].status is OrderState.NEW
    link = next(word for word in shown.split() if "/connect/login?" in word)
    desk.broker.control.log_in(link)
    assert desk.settled()[0].status is OrderState.FILLED
    desk.assert_true()


@pytest.mark.timeout(120)
def test_a_flatten_closes_each_product_at_a_limit(desk: McpDesk) -> None:
    """Kite takes no market orders, nobody pushed a price, and only the same product closes a position."""
    desk.worker()
    for number, product in enumerate(("delivery", "intraday")):
        words = f"NSE:INFY buy 10 --type limit --price 1500 --account v --allow-duplicate --product {product}"
        assert desk.run("orders", "place", *words.split(), "--key", f"k{number}").returncode == 0
        desk.settled()

    def shown() -> bool:
        with desk.work() as work:
            state = work.desk.state("v")
        return state is not None and len([item for item in state.positions if item.quantity == 10]) == 2

    eventually(shown, 20, 0.1, "both positions were read")
    killed = desk.run("kill", "--account", "v", "--flatten", "--reason", "out")
    assert killed.returncode == 0, killed.stdout

    def flat() -> bool:
        with desk.work() as work:
            return not work.positions.get("v", "NSE:INFY").quantity

    eventually(flat, 20, 0.1, "everything is closed")
    assert len(desk.placed()) == 4
