"""SIGKILL at every point around the submit, and a broker that misbehaves: at most one submit per order, and our book
equals the broker's after healing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.trading.model import OrderState
from tests.processes import Process, eventually
from tests.servers import PostgresServer
from tests.trading_processes import ROOT, TradingProcesses
from tests.venue_plugin import VARIABLE, VenueFile

pytestmark = pytest.mark.once


class Desk(TradingProcesses):
    """A worker with the file's broker."""

    def __init__(self, folder: Path, database: str, start: Callable[..., Process]) -> None:
        self.venue = VenueFile(folder / "venue")
        self.venue.folder.mkdir()
        plugin = folder / "plugin"
        info = plugin / "venue-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: venue\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[aitrader]\nvenue = tests.venue_plugin\n")
        env = {
            "AITRADER_PLUGINS_ONLY": "venue",
            "PYTHONPATH": f"{plugin}:{ROOT}",
            VARIABLE: str(self.venue.folder),
        }
        super().__init__(folder, database, start, broker="venue", env=env)

    def assert_true(self) -> None:
        """Check our books against the broker's."""
        submits = [line["tag"] for line in self.venue.lines("submit")]
        assert len(submits) == len(set(submits))
        self.assert_books({line["tag"]: line["id"] for line in self.venue.lines("accept")})


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
