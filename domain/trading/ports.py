"""Ports of trading that brokers implement or use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import Logger, LoggerAdapter
from typing import Any, Protocol

from domain.common.errors import AITraderError, Conflict
from domain.common.time import Clock
from domain.market.ports import BarStore
from domain.trading.brokerage import (
    Ack,
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Holding,
    Instrument,
    Quote,
)
from domain.trading.model import Account, Mode, Order


class NotSent(AITraderError):
    """It is proven that the order never left us."""

    code = "not_sent"


class BrokerRejected(AITraderError):
    """The broker refused the order; it is proven that it does not work there."""

    code = "broker_rejected"


class OutcomeUnknown(AITraderError):
    """The broker may or may not have the order."""

    code = "outcome_unknown"


class CapabilityMissing(Conflict):
    """The broker cannot do this."""

    code = "broker_capability_missing"


class Quotes(Protocol):
    """Last known prices. Called from any thread."""

    def last(self, symbol: str) -> Quote | None:
        """Return the last known price; None when nobody ever said one."""
        ...

    def listen(self, callback: Callable[[Quote], None]) -> Callable[[], None]:
        """Call ``callback`` from another thread for each new quote until the returned function is called."""
        ...


class Journal(Protocol):
    """A durable list of entries of one account, for brokers that keep their own books. JSON objects only."""

    def read(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the entries after a number, numbered from 1 without gaps."""
        ...

    def append(self, after: int, entries: Sequence[dict[str, Any]]) -> int:
        """Store entries after number ``after``, all or none, durably; return the new last number.

        Raises:
            Conflict: ``after`` is not the last number: another process has the account now.
            Unavailable: the outcome is unknown.
        """
        ...


class Vault(Protocol):
    """One secret of one account, such as a broker's session; encrypted where it is kept."""

    def load(self) -> bytes | None:
        """Return the secret; None when there is none, or when it cannot be decrypted any more."""
        ...

    def save(self, secret: bytes | None) -> None:
        """Replace the secret; None forgets it."""
        ...


class BrokerContext(Protocol):
    """What a broker may use."""

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def logger(self) -> Logger | LoggerAdapter[Logger]:
        """A logger that carries the account. Never log secrets."""
        ...

    @property
    def quotes(self) -> Quotes:
        """Last known prices."""
        ...

    @property
    def bars(self) -> BarStore:
        """The market data store."""
        ...

    @property
    def journal(self) -> Journal:
        """The account's journal."""
        ...

    @property
    def vault(self) -> Vault:
        """The account's secret."""
        ...

    @property
    def mcp_url(self) -> str | None:
        """The MCP server of the settings (``MCP_URL``)."""
        ...


class Broker(Protocol):
    """One open account with a broker. Exactly one process has it open; called from one thread at a time.

    Every method has deadlines of its own and returns or raises within 30 seconds. Reads may be repeated; ``place``
    and ``modify`` are called at most once per request and must never be repeated by the broker itself either.
    """

    def capabilities(self) -> Capabilities:
        """Return what the broker can do.

        Raises:
            Unavailable: not known yet, because the broker never answered.
        """
        ...

    def session(self) -> BrokerSession:
        """Return how we stand with the broker; connects if need be. Never raises."""
        ...

    def log_in(self) -> BrokerSession:
        """Ask for a (new) login link, or learn that none is needed. Never raises."""
        ...

    def instrument(self, symbol: str) -> Instrument | None:
        """Return what can be traded of a symbol; None when the broker does not know it.

        Raises:
            Unavailable: the broker did not answer.
        """
        ...

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        """Submit an order, once. ``order.tag`` goes with it.

        Args:
            order: what to submit; validated against the capabilities.
            fence: call it directly before anything leaves, once; when it raises ``NotSent``, nothing may leave.

        Raises:
            NotSent: nothing left.
            BrokerRejected: the broker answered that it did not take the order.
            OutcomeUnknown: everything else. Any other exception counts as this one.
        """
        ...

    def modify(self, order: Order) -> None:
        """Replace quantity, price and trigger price of a working order by those of ``order``; all are sent.

        Raises:
            NotSent: nothing left.
            BrokerRejected: the broker refused; the order is as it was.
            OutcomeUnknown: read the book.
        """
        ...

    def cancel(self, order: Order) -> None:
        """Ask the broker to cancel a working order. Repeating it is harmless.

        Raises:
            BrokerRejected: the broker refused, because the order has ended or cannot be canceled.
            OutcomeUnknown: read the book.
            Unavailable: nothing left.
        """
        ...

    def orders(self) -> Sequence[BrokerOrder]:
        """Return the whole book of the trading day, every page of it, whoever placed the orders.

        Raises:
            Unavailable: not all of it could be read. A part is never returned as the whole.
        """
        ...

    def fills(self) -> Sequence[BrokerFill]:
        """Return all fills of the trading day.

        Raises:
            Unavailable: not all of them could be read.
        """
        ...

    def positions(self) -> Sequence[BrokerPosition]:
        """Return the net positions, holdings included, one per symbol and product.

        Raises:
            Unavailable: not all of them could be read.
        """
        ...

    def holdings(self) -> Sequence[Holding]:
        """Return what the depository shows; empty when the broker has none.

        Raises:
            Unavailable: not all of them could be read.
        """
        ...

    def balance(self) -> Balance:
        """Return the money.

        Raises:
            Unavailable: the broker did not answer.
        """
        ...

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        """Call ``callback``, from any thread, when something happens. Brokers that cannot never call it."""
        ...

    def close(self) -> None:
        """Let go of connections. Neither logs out nor cancels orders. Idempotent."""
        ...


class PriceSource(Protocol):
    """What a broker with the capability ``market_data`` offers besides. Called from any thread."""

    def prices(self, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return the last prices; ``volume`` is that of the whole trading day. What has none is left out.

        Raises:
            Unavailable: the broker did not answer, or nobody is logged in.
        """
        ...


class BrokerType(Protocol):
    """A kind of broker. Registered by the hook ``aitrader_register_brokers``.

    ``options_type`` is a pydantic model or dataclass with defaults; its JSON Schema is published. ``modes`` says
    what an account may be; the first is the default.
    """

    name: str
    title: str
    modes: tuple[Mode, ...]
    options_type: type[Any]

    def open(self, account: Account, options: Any, context: BrokerContext) -> Broker:
        """Return the open account. ``options`` is a validated ``options_type``. Connects nothing yet.

        Raises:
            Invalid: the options lack something, such as an address; the message says what to set.
        """
        ...
