"""What trading stores: the repositories of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from domain.common.idempotency import IdempotencyKeys
from domain.common.unit_of_work import UnitOfWork
from domain.identity.ports import AuditLog
from domain.trading.model import (
    Account,
    Balance,
    BrokerPosition,
    BrokerSession,
    Capabilities,
    Fill,
    Holding,
    Order,
    OrderState,
    Position,
    Quote,
)
from domain.trading.risk import RiskLimits

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list. None means any; ``open_only`` leaves out those that have ended."""

    user_id: str | None = None
    account: str | None = None
    broker: str | None = None
    symbol: str | None = None
    status: OrderState | None = None
    strategy: str | None = None
    approval_pending: bool = False
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One change of an order's state. ``seq`` counts from 1 within the order; ``actor`` is who or what did it."""

    order_id: str
    seq: int
    status: OrderState
    at: int
    actor: str
    filled_quantity: Decimal
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """A kill switch. ``scope`` is ``global`` or an account's id. ``epoch`` grows with every change.

    ``flatten``: orders that close positions may pass while it is engaged.
    """

    scope: str
    engaged: bool
    epoch: int
    flatten: bool = False
    actor: str = ""
    reason: str = ""
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Arming:
    """Permission to trade live. It ends by itself, and when ``fingerprint`` is not the configuration's any more."""

    account: str
    fingerprint: str
    armed_by: str
    armed_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class DeskLease:
    """Who may talk to an account's broker. ``seen_epoch``: the switch epoch that its sender obeys already."""

    account: str
    token: str
    owner: str
    until: int
    seen_epoch: int


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What the process that has the broker open last learnt of it, for those that do not.

    ``mismatches`` are symbols whose position at the broker is not ours, with both quantities. Times are
    milliseconds UTC; ``reconciled_at`` None: not since the account was last opened.
    """

    account: str
    session: BrokerSession
    capabilities: Capabilities | None = None
    balance: Balance | None = None
    positions: tuple[BrokerPosition, ...] = ()
    holdings: tuple[Holding, ...] = ()
    mismatches: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    positions_at: int | None = None
    holdings_at: int | None = None
    reconciled_at: int | None = None
    reconcile_error: str = ""


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """Something that only the process with the broker open can do, asked by another: ``login`` or ``refresh``.

    ``result`` or ``error`` is set once ``finished_at`` is.
    """

    id: str
    account: str
    kind: str
    created_at: int
    result: dict[str, Any] | None = None
    error: str | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """An account's worth at one moment: cash, positions at market, and the P&L since it was opened.

    ``equity`` and ``unrealized_pnl`` are None where a held symbol has no known price.
    """

    account: str
    at: int
    cash: Decimal
    equity: Decimal | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    fees: Decimal


class AccountRepository(Protocol):
    """Accounts in SQL."""

    def add(self, account: Account) -> None:
        """Insert an account.

        Raises:
            Conflict: the id is taken.
        """
        ...

    def get(self, account_id: str, user_id: str | None = None) -> Account:
        """Return an account; with ``user_id``, only if it belongs to that user.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def list(self, user_id: str | None = None) -> Sequence[Account]:
        """Return accounts that are not closed, by id; with ``user_id``, those of one user."""
        ...

    def lock(self, account_id: str) -> Account:
        """Return an account and let no other transaction lock it before this one ends.

        Raises:
            NotFound: there is none.
        """
        ...

    def save(self, account: Account) -> Account:
        """Write an account back if nobody else changed it meanwhile; return it with its new version.

        Raises:
            Conflict: someone else changed it.
        """
        ...


class OrderRepository(Protocol):
    """Orders in SQL, each with the history of its states."""

    def add(self, order: Order, *, actor: str) -> None:
        """Insert an order and the first line of its history.

        Raises:
            Conflict: its tag or idempotency key is taken.
        """
        ...

    def get(self, order_id: str, user_id: str | None = None) -> Order:
        """Return an order; with ``user_id``, only if it belongs to that user.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def save(self, order: Order, *, actor: str) -> Order:
        """Write an order back if nobody else changed it meanwhile; return it with its new version.

        A change of ``status`` or ``filled_quantity`` adds a line to its history.

        Raises:
            Conflict: someone else changed it, or its state may not become the new one.
        """
        ...

    def page(self, wanted: OrderFilter, *, before_id: str | None, limit: int) -> Sequence[Order]:
        """Return orders, newest first, older than ``before_id``."""
        ...

    def open(self, account: str) -> Sequence[Order]:
        """Return the orders of an account that have not ended, oldest first."""
        ...

    def next_to_send(self, account: str) -> Order | None:
        """Return the oldest order that is new, not canceled, and approved or in no need of it."""
        ...

    def by_tags(self, account: str, tags: Sequence[str]) -> Sequence[Order]:
        """Return the orders with these tags."""
        ...

    def by_broker_ids(self, account: str, broker_order_ids: Sequence[str]) -> Sequence[Order]:
        """Return the orders with these ids at the broker."""
        ...

    def submitted_since(self, account: str, since_ms: int, strategy: str | None = None) -> int:
        """Return how many orders were handed to the sender since then; those that were refused do not count."""
        ...

    def last_same(self, order: Order) -> int | None:
        """Return when the last other order of the account with this side, symbol, quantity and prices was made."""
        ...

    def late_approvals(self, now_ms: int) -> Sequence[Order]:
        """Return new orders whose approval is pending and has expired."""
        ...

    def history(self, order_id: str) -> Sequence[OrderEvent]:
        """Return the changes of an order's state, oldest first."""
        ...


class FillRepository(Protocol):
    """Fills in SQL; never changed."""

    def add(self, fills: Sequence[Fill]) -> Sequence[Fill]:
        """Insert the fills that are not there yet, by (account, broker_fill_id); return those inserted."""
        ...

    def page(
        self, user_id: str, *, account: str | None, order_id: str | None, before_id: str | None, limit: int
    ) -> Sequence[Fill]:
        """Return fills of a user's accounts, newest first, older than ``before_id``."""
        ...

    def of_order(self, order_id: str) -> Sequence[Fill]:
        """Return the fills of an order, in the order they were executed."""
        ...

    def of_symbol(self, account: str, symbol: str) -> Sequence[Fill]:
        """Return the fills of an account in a symbol, in the order they were executed."""
        ...

    def of_account(self, account: str, since_ms: int = 0, strategy: str | None = None) -> Sequence[Fill]:
        """Return all fills of an account since then, in the order they were executed."""
        ...


class PositionRepository(Protocol):
    """Positions in SQL: the fold of the fills, kept with them in one transaction."""

    def get(self, account: str, symbol: str) -> Position:
        """Return a position; a flat one when there is none."""
        ...

    def list(self, account: str) -> Sequence[Position]:
        """Return all positions of an account that were ever open, by symbol."""
        ...

    def save(self, position: Position) -> None:
        """Insert or replace a position."""
        ...


class LimitRepository(Protocol):
    """Risk limits by account and strategy; strategy ``""`` is the account's own."""

    def get(self, account: str, strategy: str = "") -> RiskLimits | None:
        """Return limits; None when none were set."""
        ...

    def list(self, account: str) -> Sequence[tuple[str, RiskLimits]]:
        """Return all limits of an account by strategy."""
        ...

    def save(self, account: str, strategy: str, limits: RiskLimits) -> None:
        """Insert or replace limits."""
        ...


class SwitchRepository(Protocol):
    """Kill switches and armings. Reading one for sending holds off its change until the transaction ends."""

    def hold(self, account: str) -> Sequence[Switch]:
        """Return the global switch and the account's; neither can change before this transaction ends."""
        ...

    def list(self) -> Sequence[Switch]:
        """Return all switches that were ever changed, and the global one, by scope."""
        ...

    def change(self, scope: str, *, engaged: bool, flatten: bool, actor: str, reason: str, now_ms: int) -> Switch:
        """Set a switch, with a new epoch above that of every other switch; return it."""
        ...

    def arming(self, account: str) -> Arming | None:
        """Return the arming of an account, expired or not."""
        ...

    def arm(self, arming: Arming) -> None:
        """Insert or replace an arming."""
        ...

    def disarm(self, account: str) -> bool:
        """Remove an arming; return whether there was one."""
        ...


class DeskRepository(Protocol):
    """Leases on accounts, what their holders learnt, and what others ask of them. Uses the database's clock."""

    def take(self, account: str, *, token: str, owner: str, ttl_ms: int) -> bool:
        """Take the lease of an account that nobody holds, or that has lapsed; return whether it is ours now."""
        ...

    def renew(self, token: str, accounts: Sequence[str], *, seen_epoch: int, ttl_ms: int) -> Sequence[str]:
        """Renew leases that are still ours; return the accounts whose leases are."""
        ...

    def release(self, token: str) -> None:
        """Give up all leases of a token."""
        ...

    def holds(self, account: str, token: str) -> bool:
        """Return whether the lease is ours now, and keep it so until this transaction ends."""
        ...

    def leases(self) -> Sequence[DeskLease]:
        """Return the leases that have not lapsed."""
        ...

    def state(self, account: str) -> BrokerState | None:
        """Return what was last learnt of an account's broker."""
        ...

    def save_state(self, state: BrokerState) -> None:
        """Insert or replace what was learnt."""
        ...

    def ask(self, request: DeskRequest) -> None:
        """Insert a request."""
        ...

    def asked(self, accounts: Sequence[str]) -> Sequence[DeskRequest]:
        """Return the requests that are not finished, oldest first."""
        ...

    def request(self, request_id: str) -> DeskRequest:
        """Return a request.

        Raises:
            NotFound: there is none.
        """
        ...

    def answer(self, request_id: str, *, result: dict[str, Any] | None, error: str | None, now_ms: int) -> None:
        """Finish a request; forget those finished more than an hour ago."""
        ...


class EquityRepository(Protocol):
    """Equity history, and the last quotes that positions are valued at."""

    def add(self, point: EquityPoint) -> None:
        """Insert a point; one at the same millisecond is replaced."""
        ...

    def page(self, account: str, *, since_ms: int | None, until_ms: int | None, limit: int) -> Sequence[EquityPoint]:
        """Return the newest points within [since, until), oldest first."""
        ...

    def last_before(self, account: str, at_ms: int) -> EquityPoint | None:
        """Return the last point before a time."""
        ...


class QuoteRepository(Protocol):
    """The last quote of each symbol."""

    def get(self, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return the quotes that are known."""
        ...

    def save(self, quotes: Sequence[Quote]) -> None:
        """Insert or replace quotes; one older than what is there changes nothing."""
        ...


class TradingWork(UnitOfWork, Protocol):
    """The part of a unit of work that trading may touch."""

    @property
    def accounts(self) -> AccountRepository:
        """Accounts."""
        ...

    @property
    def orders(self) -> OrderRepository:
        """Orders."""
        ...

    @property
    def fills(self) -> FillRepository:
        """Fills."""
        ...

    @property
    def positions(self) -> PositionRepository:
        """Positions."""
        ...

    @property
    def limits(self) -> LimitRepository:
        """Risk limits."""
        ...

    @property
    def switches(self) -> SwitchRepository:
        """Kill switches and armings."""
        ...

    @property
    def desk(self) -> DeskRepository:
        """Leases, broker states and requests."""
        ...

    @property
    def equity(self) -> EquityRepository:
        """Equity history."""
        ...

    @property
    def quotes(self) -> QuoteRepository:
        """Last quotes."""
        ...

    @property
    def idempotency_keys(self) -> IdempotencyKeys:
        """Keys of requests that created something."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...
