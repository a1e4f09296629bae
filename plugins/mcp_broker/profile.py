"""What differs between brokers behind MCP servers, and which of them a server is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aitrader.api import (
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerSession,
    Capabilities,
    Holding,
    Instrument,
    Order,
    Quote,
    Unavailable,
)
from plugins.mcp_broker.calls import Answer


class ToolRefused(Unavailable):
    """A tool answered with an error; nothing could be read."""

    code = "broker_refused"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool and its arguments."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """An opened answer: ``error`` is what the tool complained of, None when it did not.

    ``rejected``: it proves that an order was not taken or changed. ``logged_out``: and that nobody is logged in.
    """

    data: Any
    error: str | None = None
    rejected: bool = False
    logged_out: bool = False


# Calls a tool that changes nothing; returns its data. Raises ToolRefused when the tool answered with an error, and
# Unavailable when there was no answer.
Read = Callable[[str, dict[str, Any]], Any]


class Profile(Protocol):
    """One broker's tools. Stateless; every answer is read strictly.

    Methods that take ``read`` raise ``ToolRefused`` or ``Unavailable`` when not all of it could be read.
    """

    name: str

    def fits(self, tools: Sequence[str]) -> bool:
        """Return whether a server with these tools is one of this broker."""
        ...

    def capabilities(self, tools: Sequence[str], schema_hash: str) -> Capabilities:
        """Return what can be done with these tools."""
        ...

    def open(self, answer: Answer) -> Result:
        """Return what a tool's answer says."""
        ...

    def user(self, read: Read) -> str:
        """Return who is logged in; refused when nobody is, or that cannot be told."""
        ...

    def log_in(self, read: Read, now: int) -> BrokerSession:
        """Ask for a login link, or learn that none is needed."""
        ...

    def symbol_problem(self, symbol: str) -> str | None:
        """Return why a symbol cannot be ordered here; None when it can."""
        ...

    def instrument(self, read: Read, symbol: str) -> Instrument | None:
        """Return what can be traded of a symbol."""
        ...

    def place(self, order: Order) -> ToolCall:
        """Return the call that submits an order, every field of it."""
        ...

    def placed(self, data: Any) -> str:
        """Return the broker's id out of the answer to `place`."""
        ...

    def modify(self, order: Order) -> ToolCall:
        """Return the call that changes an order, every field of it."""
        ...

    def cancel(self, order: Order) -> ToolCall:
        """Return the call that cancels an order."""
        ...

    def orders(self, read: Read, now: int) -> list[BrokerOrder]:
        """Return the whole book of the trading day."""
        ...

    def fills(self, read: Read, now: int) -> list[BrokerFill]:
        """Return all fills of the trading day."""
        ...

    def positions(self, read: Read) -> list[BrokerPosition]:
        """Return the net positions, holdings included."""
        ...

    def holdings(self, read: Read) -> list[Holding]:
        """Return what the depository shows."""
        ...

    def balance(self, read: Read) -> Balance:
        """Return the money."""
        ...

    def prices(self, read: Read, symbols: Sequence[str], now: int) -> list[Quote]:
        """Return last prices, with the volume of the day; those of unknown symbols are left out."""
        ...


def hash_of(server: str, tools: dict[str, Any]) -> str:
    """Return what identifies a server's interface: its name, and the names and input schemas of its tools."""
    canonical = json.dumps([server, tools], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
