"""A whole application with its desk, in this process: limits under parallel orders, a kill switch in a burst."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aitrader.bootstrap import Application
from aitrader.settings import Settings
from domain.identity.users import OWNER
from domain.trading.brokerage import Quote
from domain.trading.limits import RiskLimits
from domain.trading.model import Order, OrderState, OrderType, Side
from domain.trading.placing import NewOrder
from domain.trading.records import OrderFilter
from domain.trading.risk import RiskRefused
from plugins.paper.broker import PaperBroker
from tests.processes import eventually

pytestmark = pytest.mark.once

SYMBOL = "NSE:INFY"
PRICE = Decimal(100)


@pytest.fixture(params=["sqlite", "postgresql"])
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Application]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    settings = Settings(database_url=url, data_dir=tmp_path / "data", plugins_only=("paper",), threads=1, processes=1)
    application = Application(settings, role="up", works=True)
    application.container.migrations().upgrade()
    application.start()
    application.container.ensure_owner()()
    application.container.save_quotes()([Quote(SYMBOL, PRICE, application.container.clock().now_ms())])
    yield application
    application.stop(drain_s=0)


def place(application: Application, **changes: Any) -> Order:
    user = application.container.find_user()(OWNER)
    asked: dict[str, Any] = {
        "user_id": user.id,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(1),
        "allow_duplicate": True,
    }
    order: Order = application.container.place_order()(NewOrder(**{**asked, **changes}), actor="test").order
    return order


def orders(application: Application) -> list[Order]:
    with application.container.read_work() as work:
        return list(work.orders.page(OrderFilter(account="paper"), before_id=None, limit=1000))


def ended(application: Application) -> list[Order]:
    def all_ended() -> list[Order] | None:
        found = orders(application)
        return found if found and all(order.status.is_terminal for order in found) else None

    return eventually(all_ended, 30, 0.05, "every order has ended")


def test_an_order_is_filled_and_the_books_agree(application: Application) -> None:
    place(application, quantity=Decimal(10))
    (order,) = ended(application)
    assert (order.status, order.average_price) == (OrderState.FILLED, PRICE)
    read = application.container.read_trading()
    (position,) = read.positions(order.user_id)
    assert (position.position.quantity, position.account.id) == (10, "paper")
    assert read.worth("paper", None).cash == 100_000 - 1000
    application.container.ask_desk()("paper", "refresh")
    state = read.account("paper", None).state
    assert state is not None
    assert state.mismatches == {}
    assert state.balance is not None
    assert state.balance.cash == 100_000 - 1000


def test_fifty_parallel_orders_cannot_together_exceed_what_each_respects(application: Application) -> None:
    place(application)
    ended(application)
    with application.container.unit_of_work() as work:
        work.limits.save("paper", "", RiskLimits(max_gross_exposure=PRICE * 21))
        work.commit()

    def attempt(_number: int) -> str:
        try:
            place(application)
        except RiskRefused as refused:
            return refused.refusal.code
        return "passed"

    with ThreadPoolExecutor(10) as pool:
        outcomes = Counter(pool.map(attempt, range(50)))
    assert outcomes == {"passed": 20, "EXPOSURE_GROSS": 30}
    assert [order.status for order in ended(application)] == [OrderState.FILLED] * 21


class Submits:
    """Notes when each submit call of a broker begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[float] = []
        place = PaperBroker.place

        def noted(broker: PaperBroker, order: Order, fence: Callable[[], None]) -> Any:
            def passed() -> None:
                fence()
                self.begun.append(time.monotonic())

            return place(broker, order, passed)

        monkeypatch.setattr(PaperBroker, "place", noted)


def test_no_submit_begins_once_a_kill_is_effective(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    submits = Submits(monkeypatch)
    place(application)
    ended(application)
    stop = threading.Event()
    refused: list[str] = []

    def burst() -> None:
        while not stop.is_set():
            try:
                place(application)
            except RiskRefused as error:
                refused.append(error.refusal.code)
            time.sleep(0.03)

    threads = [threading.Thread(target=burst) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(submits.begun) > 30, 30, 0.01, "the burst runs")
    killed = application.container.engage_kill()("global", actor="test", reason="test")
    effective_at = time.monotonic()
    assert killed.effective
    eventually(lambda: len(refused) > 20, 30, 0.01, "orders are refused")
    stop.set()
    for thread in threads:
        thread.join(10)
    late = [begun for begun in submits.begun if begun > effective_at]
    assert late == []
    statuses = {order.status for order in ended(application)}
    assert statuses <= {OrderState.FILLED, OrderState.REJECTED, OrderState.NOT_PLACED}
    assert set(refused) == {"SWITCH_ENGAGED"}
    application.container.release_kill()("global", actor="test", reason="test")
    place(application)
    eventually(lambda: submits.begun[-1] > effective_at, 10, 0.05, "trading goes on")


def test_a_kill_closes_everything_when_asked_to(application: Application) -> None:
    place(application, quantity=Decimal(10))
    ended(application)
    resting = place(application, type=OrderType.LIMIT, price=Decimal(90))
    eventually(lambda: orders(application)[0].status.is_working, 10, 0.05, "the order works")
    killed = application.container.engage_kill()("paper", actor="test", reason="test", flatten=True)
    assert len(killed.flattening) == 1
    found: Sequence[Order] = ended(application)
    assert {order.id: order.status for order in found}[resting.id] is OrderState.CANCELED
    with application.container.read_work() as work:
        assert work.positions.get("paper", SYMBOL).quantity == 0


def test_a_switch_engaged_elsewhere_is_obeyed_after_a_restart(application: Application) -> None:
    place(application)
    ended(application)
    application.container.engage_kill()("global", actor="test", reason="test")
    application.stop(drain_s=0)
    again = Application(application.settings, role="up", works=True)
    again.start()
    try:
        with pytest.raises(RiskRefused):
            place(again)
        assert "kill_switch" in again.container.read_trading().health()[0].reasons
    finally:
        again.stop(drain_s=0)
