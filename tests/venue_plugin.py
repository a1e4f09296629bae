"""A broker in a file, for tests that kill the process that talks to it: what reached it is fsynced line by line.

Files in the folder of ``AITRADER_TEST_VENUE``: ``ledger.jsonl`` is the truth; ``fault`` names how the next submit
call goes, and is used up by it; while ``logged_out`` exists nobody is logged in.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from aitrader.api import (
    Account,
    Ack,
    Balance,
    Broker,
    BrokerContext,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerRejected,
    BrokerSession,
    BrokerType,
    BrokerUpdate,
    Capabilities,
    Holding,
    Instrument,
    Mode,
    Order,
    OrderState,
    OrderType,
    OutcomeUnknown,
    Product,
    Registry,
    SessionState,
    Side,
    StrictModel,
    TimeInForce,
    hookimpl,
)

VARIABLE = "AITRADER_TEST_VENUE"
SETTLE_MS = 1500
HIDDEN_MS = 1000


class VenueFile:
    """The truth, shared with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ledger.jsonl"

    def write(self, **line: Any) -> None:
        """Append a line, durably."""
        with self.path.open("a") as file:
            file.write(json.dumps({"at": time.time_ns() // 1_000_000, **line}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self, op: str) -> list[dict[str, Any]]:
        """Return the lines of one kind."""
        if not self.path.exists():
            return []
        return [line for line in map(json.loads, self.path.read_text().splitlines()) if line["op"] == op]

    def take_fault(self) -> str:
        """Return how this submit call goes."""
        try:
            fault = (self.folder / "fault").read_text()
            (self.folder / "fault").unlink()
        except FileNotFoundError:
            return ""
        return fault


class VenueBroker:
    """``Broker`` over the file. Limit orders fill at once, in full."""

    def __init__(self, venue: VenueFile) -> None:
        self.venue = venue

    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset(OrderType), frozenset(TimeInForce), (Product.MARGIN,), settle_ms=SETTLE_MS, cancel=True
        )

    def session(self) -> BrokerSession:
        if (self.venue.folder / "logged_out").exists():
            return BrokerSession(
                SessionState.NEEDS_LOGIN, login_url="https://broker.example/login", warning="careful"
            )
        return BrokerSession(SessionState.CONNECTED, user="tests")

    def log_in(self) -> BrokerSession:
        return self.session()

    def instrument(self, symbol: str) -> Instrument | None:
        return None

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        fence()
        self.venue.write(op="submit", tag=order.tag, order=order.id)
        fault = self.venue.take_fault()
        if fault == "reject":
            raise BrokerRejected("margin is short")
        if fault == "drop":
            raise OutcomeUnknown("the connection broke")
        if fault == "hang":
            time.sleep(1.0)
            raise OutcomeUnknown("no answer in time")
        broker_id = f"B{len(self.venue.lines('accept')) + 1}"
        hidden = HIDDEN_MS if fault == "late" else 0
        line = {"id": broker_id, "tag": order.tag, "symbol": order.symbol, "side": order.side.value}
        self.venue.write(op="accept", **line, quantity=str(order.quantity), price=str(order.price), hidden=hidden)
        if fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault in ("late", "accept_then_drop"):
            raise OutcomeUnknown("the connection broke")
        return Ack(broker_id)

    def modify(self, order: Order) -> None:
        raise BrokerRejected("it has ended")

    def cancel(self, order: Order) -> None:
        raise BrokerRejected("it has ended")

    def _accepted(self) -> list[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        return [line for line in self.venue.lines("accept") if line["at"] + line["hidden"] <= now]

    def orders(self) -> Sequence[BrokerOrder]:
        found = []
        for line in self._accepted():
            quantity, price = Decimal(line["quantity"]), Decimal(line["price"])
            order = BrokerOrder(
                line["id"],
                line["tag"],
                line["symbol"],
                Side(line["side"]),
                OrderType.LIMIT,
                quantity,
                quantity,
                OrderState.FILLED,
                price=price,
                average_price=price,
            )
            found += [order, order] if (self.venue.folder / "twice").exists() else [order]
        return found[::-1]

    def fills(self) -> Sequence[BrokerFill]:
        found = [
            BrokerFill(
                f"F{line['id']}",
                line["id"],
                line["symbol"],
                Side(line["side"]),
                Decimal(line["quantity"]),
                Decimal(line["price"]),
                line["at"],
                Decimal(0),
            )
            for line in self._accepted()
        ]
        return found[::-1] * (2 if (self.venue.folder / "twice").exists() else 1)

    def positions(self) -> Sequence[BrokerPosition]:
        net: dict[str, Decimal] = {}
        for line in self._accepted():
            signed = Side(line["side"]).sign * Decimal(line["quantity"])
            net[line["symbol"]] = net.get(line["symbol"], Decimal(0)) + signed
        return [BrokerPosition(symbol, quantity) for symbol, quantity in net.items() if quantity]

    def holdings(self) -> Sequence[Holding]:
        return []

    def balance(self) -> Balance:
        return Balance("INR", Decimal(1_000_000))

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        pass

    def close(self) -> None:
        pass


class Options(StrictModel):
    """Nothing to set."""


class Venue(BrokerType):
    """The broker of the tests."""

    name = "venue"
    title = "A broker in a file"
    modes = (Mode.PAPER,)
    options_type = Options

    def open(self, account: Account, options: Any, context: BrokerContext) -> Broker:
        return VenueBroker(VenueFile(Path(os.environ[VARIABLE])))


@hookimpl
def aitrader_register_brokers(registry: Registry[BrokerType]) -> None:
    registry.add("venue", Venue())
