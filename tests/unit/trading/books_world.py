"""A whole order path over an SQLite file and a bendable broker: the real use cases, one call at a time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.broker_context import FakeQuotes
from aitrader.testing.clock import FakeClock
from domain.common.ids import new_id
from domain.trading import sending
from domain.trading.accounts import FindAccount
from domain.trading.applying import ApplyUpdate
from domain.trading.changing import CancelOrder, ChangeOrder
from domain.trading.controls import EngageKill, ReleaseKill
from domain.trading.gate import RiskGate
from domain.trading.limits import RiskLimits
from domain.trading.model import Account, Mode, Order, OrderType, Side
from domain.trading.placing import NewOrder, PlaceOrder
from domain.trading.reconciling import Reconcile, RememberSession
from domain.trading.sending import Fence, SendCancels, SendOrder
from tests.unit.trading.venue import Venue, VenueBroker

CASH = Decimal(1_000_000)
SYMBOL = "NSE:INFY"


class Crash(BaseException):
    """The process died here."""


class AnyHours:
    def is_open(self, symbol: str, at_ms: int) -> bool | None:
        return True


class OrderPath:
    """``told`` is what people were told; ``crash_at`` names the failpoint where the next call dies."""

    def __init__(self, template: Path, folder: Path, *, settle_ms: int = 120_000) -> None:
        path = folder / f"{new_id()}.db"
        path.write_bytes(template.read_bytes())
        self.engine = open_engine(parse_database_url(f"sqlite:///{path}"))
        self.clock = FakeClock()
        self.quotes = FakeQuotes(self.clock)
        self.quotes.set(SYMBOL, "100")
        self.venue = Venue(self.clock, CASH)
        self.broker = VenueBroker(self.venue, settle_ms=settle_ms)
        self.told: list[str] = []
        self.crash_at = ""
        self.token = new_id()
        with self.work() as work:
            work.accounts.add(Account("a", "u", "venue", Mode.PAPER, "INR", 0, starting_cash=CASH))
            work.limits.save("a", "", RiskLimits())
            work.desk.take("a", token=self.token, owner="test", ttl_ms=3_600_000)
            work.commit()
        self.start()

    def work(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine)

    def start(self) -> None:
        """Build everything anew, as a process that starts does."""
        gate = RiskGate(self.clock, self.quotes, AnyHours(), lambda account, state: "print")
        bell: Callable[[str], None] = lambda account: None  # noqa: E731
        find = FindAccount(self.work, self.work, self.clock)
        apply = ApplyUpdate(self.clock, self.quotes)
        tell: Callable[[str, str], None] = lambda subject, body: self.told.append(subject)  # noqa: E731
        self.fence = Fence()
        self.apply = apply
        self.place_order = PlaceOrder(self.work, find, gate, self.clock, bell)
        self.cancel = CancelOrder(self.work, self.clock, bell)
        self.change = ChangeOrder(self.work, gate, self.clock, bell)
        self.send = SendOrder(self.work, self.work, gate, self.clock, apply, self.fence, self.token, tell)
        self.cancels = SendCancels(self.work, gate, self.clock, self.send)
        self.reconcile_ = Reconcile(self.work, self.clock, apply, self.send, self.quotes, tell)
        self.remember = RememberSession(self.work)
        self.kill = EngageKill(self.work, self.clock, self.place_order)
        self.release = ReleaseKill(self.work, self.clock)

    def failpoint(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash

    def place(self, side: Side = Side.BUY, quantity: int = 10, price: str | None = "100", **more: Any) -> Order:
        new = NewOrder(
            user_id="u",
            account="a",
            symbol=SYMBOL,
            side=side,
            type=OrderType.LIMIT if price else OrderType.MARKET,
            quantity=Decimal(quantity),
            price=None if price is None else Decimal(price),
            allow_duplicate=True,
            send_within_ms=3_600_000,
            **more,
        )
        return self.place_order(new, actor="test").order

    def turn(self, fault: str = "ok") -> None:
        """Send what is next."""
        self.broker.fault = fault
        self.send("a", self.broker)
        self.broker.fault = "ok"

    def reconcile(self) -> None:
        self.reconcile_("a", self.broker, self.broker.session())

    def attend(self) -> None:
        with self.work() as work:
            orders = [order for order in work.orders.open("a") if order.status.is_working]
        self.cancels("a", self.broker, orders)

    def heal(self) -> None:
        """Let everything come to light."""
        self.broker.down, self.crash_at = False, ""
        self.start()
        self.clock.advance(200)
        for _ in range(4):
            self.reconcile()
            self.clock.advance(60)

    def orders(self) -> list[Order]:
        from domain.trading.records import OrderFilter

        with self.work() as work:
            return list(work.orders.page(OrderFilter(account="a"), before_id=None, limit=10_000))

    def order(self, order: Order) -> Order:
        with self.work() as work:
            return work.orders.get(order.id)

    def close(self) -> None:
        self.engine.dispose()


def crashing(path: OrderPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``crash_at`` mean something."""
    monkeypatch.setattr(sending, "failpoint", path.failpoint)
