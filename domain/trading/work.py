"""What trading stores: the repositories of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from domain.common.idempotency import IdempotencyKeys
from domain.common.unit_of_work import UnitOfWork
from domain.identity.ports import AuditLog
from domain.trading.brokerage import Quote
from domain.trading.limits import RiskLimits
from domain.trading.model import Account, Fill, Order, Position
from domain.trading.records import (
    Arming,
    BrokerState,
    DeskLease,
    DeskRequest,
    EquityPoint,
    OrderEvent,
    OrderFilter,
    Switch,
)


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

    def submitted_within(
        self, account: str, now_ms: int, windows_ms: Sequence[int], strategy: str | None = None
    ) -> Sequence[int]:
        """Return for each window how many orders were handed to the sender less than so long ago.

        Those that were refused before they left do not count.
        """
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
        """Finish a request; forget those finished more than a minute ago."""
        ...

    def forget(self, request_id: str) -> None:
        """Delete a request: answers may hold login links, which are as good as the login."""
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

    def newest(self, limit: int) -> Sequence[Quote]:
        """Return the last quotes of so many symbols, the newest first."""
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
