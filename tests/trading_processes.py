"""A worker that trades, over one database, and the commands that place orders beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from domain.identity.users import OWNER
from domain.trading.limits import RiskLimits
from domain.trading.model import Account, Mode, Order, OrderState
from domain.trading.records import OrderFilter
from tests.processes import Process, eventually

ROOT = Path(__file__).parents[1]
HEALED_S = 40


class TradingProcesses:
    """One installation with the account ``v``.

    Args:
        broker: the registered broker of the account, with these ``options``.
        price: at which orders are placed.
        env: more for every process.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        start: Callable[..., Process],
        *,
        broker: str,
        options: dict[str, Any] | None = None,
        price: int = 100,
        env: dict[str, str],
    ) -> None:
        self._start = start
        self._price = price
        self.engine: Engine = open_engine(parse_database_url(database))
        Migrations(self.engine, ROOT / "migrations").upgrade()
        self.env = {
            "AITRADER_DATA_DIR": str(folder / "data"),
            "AITRADER_LEASE_SECONDS": "6",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database,
            "PYTHONPATH": str(ROOT),
            **env,
        }
        self.run("user", "list")
        with self.work() as work:
            owner = work.users.find(OWNER)
            assert owner is not None
            cash = Decimal(10**6)
            account = Account("v", owner.id, broker, Mode.PAPER, "INR", 0, options=options or {}, starting_cash=cash)
            work.accounts.add(account)
            work.limits.save("v", "", RiskLimits())
            work.commit()

    def work(self) -> SqlUnitOfWork:
        """Open a unit of work."""
        return SqlUnitOfWork(self.engine)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-m", "aitrader", *arguments]
        process = self._start(command, env={**self.env, **env})
        code = process.wait(60)
        return subprocess.CompletedProcess(command, code, process.describe())

    def place(self, key: str = "k", **env: str) -> int:
        """Place an order from another process; return its exit code."""
        words = f"NSE:INFY buy 10 --type limit --price {self._price} --account v --allow-duplicate --key"
        return self.run("orders", "place", *words.split(), key, **env).returncode

    def worker(self, **env: str) -> Process:
        """Start a worker; it begins to trade at once."""
        return self._start([sys.executable, "-m", "aitrader", "worker"], env={**self.env, **env})

    def orders(self) -> list[Order]:
        """Return all orders, the newest first."""
        with self.work() as work:
            return list(work.orders.page(OrderFilter(account="v"), before_id=None, limit=100))

    def settled(self) -> list[Order]:
        """Wait until no order's fate is open; return them all."""

        def done() -> list[Order] | None:
            orders = self.orders()
            return orders if orders and all(order.status.is_terminal for order in orders) else None

        return eventually(done, HEALED_S, 0.1, "every order has ended")

    def assert_books(self, accepted: dict[str, str]) -> None:
        """Check our books against the broker's, whose ids by tag are those of the orders that it filled in full."""
        for order in self.orders():
            if order.tag in accepted:
                assert (order.status, order.filled_quantity) == (OrderState.FILLED, 10)
                assert order.broker_order_id == accepted[order.tag]
            else:
                assert order.status in (OrderState.NOT_PLACED, OrderState.REJECTED), order
        with self.work() as work:
            fills = list(work.fills.of_account("v"))
            position = work.positions.get("v", "NSE:INFY")
        assert len(fills) == len(accepted)
        assert position.quantity == sum((fill.quantity for fill in fills), Decimal(0))
