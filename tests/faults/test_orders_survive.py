"""SIGKILL at every point around the submit, and a broker that misbehaves: at most one submit per order, and our book
equals the broker's after healing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from domain.identity.users import OWNER
from domain.trading.limits import RiskLimits
from domain.trading.model import Account, Mode, Order, OrderState
from domain.trading.records import OrderFilter
from tests.processes import Process, eventually
from tests.servers import PostgresServer
from tests.venue_plugin import VARIABLE, VenueFile

ROOT = Path(__file__).parents[2]
HEALED_S = 40


class Desk:
    """A worker with the file's broker, over one database."""

    def __init__(self, folder: Path, database: str, start: Callable[..., Process]) -> None:
        self._start = start
        self.venue = VenueFile(folder / "venue")
        self.venue.folder.mkdir()
        self.engine: Engine = open_engine(parse_database_url(database))
        Migrations(self.engine, ROOT / "migrations").upgrade()
        plugin = folder / "plugin"
        info = plugin / "venue-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: venue\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[aitrader]\nvenue = tests.venue_plugin\n")
        self.env = {
            "AITRADER_DATA_DIR": str(folder / "data"),
            "AITRADER_PLUGINS_ONLY": "venue",
            "PYTHONPATH": f"{plugin}:{ROOT}",
            "AITRADER_LEASE_SECONDS": "6",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database,
            VARIABLE: str(self.venue.folder),
        }
        self.run("user", "list")
        with self.work() as work:
            owner = work.users.find(OWNER)
            assert owner is not None
            work.accounts.add(Account("v", owner.id, "venue", Mode.PAPER, "INR", 0, starting_cash=Decimal(10**6)))
            work.limits.save("v", "", RiskLimits())
            work.commit()

    def work(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-m", "aitrader", *arguments]
        process = self._start(command, env={**self.env, **env})
        code = process.wait(60)
        return subprocess.CompletedProcess(command, code, process.describe())

    def place(self, key: str = "k", **env: str) -> int:
        """Place an order from another process; return its exit code."""
        words = "NSE:INFY buy 10 --type limit --price 100 --account v --allow-duplicate --key"
        return self.run("orders", "place", *words.split(), key, **env).returncode

    def worker(self, **env: str) -> Process:
        """Start a worker; it begins to trade at once."""
        return self._start([sys.executable, "-m", "aitrader", "worker"], env={**self.env, **env})

    def orders(self) -> list[Order]:
        with self.work() as work:
            return list(work.orders.page(OrderFilter(account="v"), before_id=None, limit=100))

    def settled(self) -> list[Order]:
        """Wait until no order's fate is open; return them all."""

        def done() -> list[Order] | None:
            orders = self.orders()
            return orders if orders and all(order.status.is_terminal for order in orders) else None

        return eventually(done, HEALED_S, 0.1, "every order has ended")

    def assert_true(self) -> None:
        """Check our books against the broker's."""
        submits = [line["tag"] for line in self.venue.lines("submit")]
        assert len(submits) == len(set(submits))
        accepted = {line["tag"]: line for line in self.venue.lines("accept")}
        for order in self.orders():
            if order.tag in accepted:
                assert (order.status, order.filled_quantity) == (OrderState.FILLED, 10)
                assert order.broker_order_id == accepted[order.tag]["id"]
            else:
                assert order.status in (OrderState.NOT_PLACED, OrderState.REJECTED), order
        with self.work() as work:
            fills = list(work.fills.of_account("v"))
            position = work.positions.get("v", "NSE:INFY")
        assert len(fills) == len(accepted)
        assert position.quantity == sum((fill.quantity for fill in fills), Decimal(0))


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    start_process: Callable[..., Process],
    postgres_server: PostgresServer,
) -> Iterator[Desk]:
    sqlite = f"sqlite:///{tmp_path / 'orders.db'}"
    url = sqlite if request.param == "sqlite" else postgres_server.create_database()
    desk = Desk(tmp_path, url, start_process)
    yield desk
    desk.engine.dispose()


POINTS = [
    "order.sending",
    "order.fenced",
    "order.acknowledged",
    "order.settled",
    "reconcile.applied",
    "reconcile.done",
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", POINTS)
def test_a_sender_killed_at_any_point_never_submits_twice(desk: Desk, point: str) -> None:
    assert desk.place() == 0
    died = desk.worker(AITRADER_TEST_FAILPOINT=point)
    assert died.wait(30) == -signal.SIGKILL, died.describe()
    desk.worker()
    desk.settled()
    desk.assert_true()


@pytest.mark.timeout(120)
def test_a_sender_killed_after_the_broker_accepted_adopts_the_order(desk: Desk) -> None:
    (desk.venue.folder / "fault").write_text("die")
    assert desk.place() == 0
    died = desk.worker()
    assert died.wait(30) == -signal.SIGKILL, died.describe()
    assert len(desk.venue.lines("accept")) == 1
    desk.worker()
    (order,) = desk.settled()
    assert order.status is OrderState.FILLED
    desk.assert_true()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("point", "stored"), [("order.storing", 0), ("order.stored", 1)])
def test_a_program_killed_while_placing_places_once(desk: Desk, point: str, stored: int) -> None:
    assert desk.place(AITRADER_TEST_FAILPOINT=point) == -signal.SIGKILL
    assert len(desk.orders()) == stored
    assert desk.place() == 0
    assert len(desk.orders()) == 1
    desk.worker()
    desk.settled()
    desk.assert_true()


@pytest.mark.timeout(120)
def test_a_broker_that_misbehaves(desk: Desk) -> None:
    """One order after another meets each fault; the worker is killed in the middle of it."""
    worker = desk.worker()
    faults = ["accept_then_drop", "drop", "late", "hang", "reject", ""]
    for number, fault in enumerate(faults):
        (desk.venue.folder / "fault").write_text(fault)
        assert desk.place(f"k{number}") == 0
        eventually(lambda number=number: len(desk.venue.lines("submit")) > number, 20, 0.05, f"{fault} submitted")
        if fault == "late":
            worker.kill()
            worker = desk.worker()
        desk.settled()
    (desk.venue.folder / "twice").touch()
    assert desk.run("accounts", "refresh", "v").returncode == 0
    desk.assert_true()
    assert len(desk.orders()) == len(faults)


@pytest.mark.timeout(120)
def test_a_login_is_waited_for(desk: Desk) -> None:
    (desk.venue.folder / "logged_out").touch()
    desk.worker()
    assert desk.place() == 0
    shown = eventually(lambda: desk.run("accounts", "login", "v").stdout, 20, 0.2, "a login link")
    assert "https://broker.example/login" in shown
    assert desk.orders()[0].status is OrderState.NEW
    (desk.venue.folder / "logged_out").unlink()
    assert desk.settled()[0].status is OrderState.FILLED
    desk.assert_true()
