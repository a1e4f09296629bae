"""One SQL unit of work that satisfies the work Protocol of every context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.db.audit import SqlAuditLog
from adapters.db.decisions import SqlDecisions, SqlStrategies
from adapters.db.engine import RELAXED, WRITERS, reading
from adapters.db.idempotency import SqlIdempotencyKeys
from adapters.db.identity import SqlLoginFailures, SqlLoginLinks, SqlSessions, SqlTokens, SqlUsers
from adapters.db.jobs import SqlJobs
from adapters.db.journal import SqlJournalEntries
from adapters.db.models import SqlModels
from adapters.db.news import SqlNews, SqlSentiments
from adapters.db.outbox import SqlOutbox
from adapters.db.records import SqlBacktestResults, SqlWorkerBeats
from adapters.db.signals import SqlSignals
from adapters.db.suggestions import SqlSuggestions
from adapters.db.trading_accounts import SqlAccounts, SqlLimits, SqlSwitches
from adapters.db.trading_books import SqlEquity, SqlPositions, SqlQuotes
from adapters.db.trading_desk import SqlDesk
from adapters.db.trading_orders import SqlFills, SqlOrders
from adapters.db.vault import SqlSecrets
from domain.common.errors import Conflict, Invalid, Unavailable
from domain.common.events import PublishedEvent


class SqlUnitOfWork:
    """One transaction on one connection; made per use, never shared between threads.

    SQLite lets one writer in and has the others sleep and look again, up to 100 ms too long. The threads of one
    process wait for a lock instead, and go on the moment it is free.

    Args:
        engine: where to connect.
        read_only: on SQLite, do not wait for other writers; on PostgreSQL, begin and end no transaction.
        relaxed: do not wait for the disk at commit. Whoever sees the change sees it whole, but when the machine of
            the database loses power, the last moments may be undone: for claims and heartbeats, which a lease covers.
        on_events: called after a commit that stored events, so that they are published soon.
        publish: numbers events in the transaction that stores them, and is given them once it has committed. Where
            somebody else numbers events just then, ``on_events`` is called instead: nobody waits.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        read_only: bool = False,
        relaxed: bool = False,
        on_events: Callable[[], None] | None = None,
        publish: Callable[[Sequence[PublishedEvent]], None] | None = None,
    ) -> None:
        self._engine = engine
        self._read_only = read_only
        self._relaxed = relaxed
        self._on_events = on_events
        self._publish = publish
        self._callbacks: list[Callable[[], None]] = []
        self._connection: Connection
        self._turn: threading.Lock | None = None

    def __enter__(self) -> Self:
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as error:
            raise translated(error) from error
        try:
            self._begin()
        except SQLAlchemyError as error:
            self._end()
            raise translated(error) from error
        except BaseException:
            self._end()
            raise
        self.jobs = SqlJobs(self._connection)
        self.outbox = SqlOutbox(self._connection, deferred=self._publish is not None)
        self.backtest_results = SqlBacktestResults(self._connection)
        self.workers = SqlWorkerBeats(self._connection)
        self.users = SqlUsers(self._connection)
        self.tokens = SqlTokens(self._connection)
        self.sessions = SqlSessions(self._connection)
        self.login_failures = SqlLoginFailures(self._connection)
        self.login_links = SqlLoginLinks(self._connection)
        self.idempotency_keys = SqlIdempotencyKeys(self._connection)
        self.audit = SqlAuditLog(self._connection)
        self.accounts = SqlAccounts(self._connection)
        self.orders = SqlOrders(self._connection)
        self.fills = SqlFills(self._connection)
        self.positions = SqlPositions(self._connection)
        self.limits = SqlLimits(self._connection)
        self.switches = SqlSwitches(self._connection)
        self.desk = SqlDesk(self._connection)
        self.equity = SqlEquity(self._connection)
        self.quotes = SqlQuotes(self._connection)
        self.signals = SqlSignals(self._connection)
        self.strategies = SqlStrategies(self._connection)
        self.decisions = SqlDecisions(self._connection)
        self.models = SqlModels(self._connection)
        self.suggestions = SqlSuggestions(self._connection)
        self.news = SqlNews(self._connection)
        self.sentiments = SqlSentiments(self._connection)
        self.journal = SqlJournalEntries(self._connection)
        self.secrets = SqlSecrets(self._connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if isinstance(error, SQLAlchemyError):
            ours = translated(error)
            if ours is not error:
                raise ours from error

    def commit(self) -> None:
        """Make the changes durable, then run the after-commit callbacks."""
        try:
            numbered = self._number()
            self._connection.commit()
        except SQLAlchemyError as error:
            raise translated(error) from error
        self._let_next_in()
        if numbered and self._publish is not None:
            self._publish(numbered)
        if self.outbox.added and len(numbered) in (0, _MOST_NUMBERED) and self._on_events is not None:
            self._on_events()
        for callback in self._callbacks:
            callback()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after a successful commit."""
        self._callbacks.append(callback)

    def _number(self) -> list[PublishedEvent]:
        return [] if self._publish is None else self.outbox.store_numbered(_MOST_NUMBERED)

    def _begin(self) -> None:
        if self._read_only:
            self._connection = self._connection.execution_options(**reading(self._engine))
        elif writers := self._engine.get_execution_options().get(WRITERS):
            if not writers.acquire(timeout=_TURN_S):
                raise Unavailable("the database did not answer: it is locked", code="database_unavailable")
            self._turn = writers
        if self._relaxed:
            self._connection = self._connection.execution_options(**{RELAXED: True})
        self._connection.begin()

    def _end(self) -> None:
        try:
            self._connection.close()
        except SQLAlchemyError:
            self._connection.invalidate()
        finally:
            self._let_next_in()

    def _let_next_in(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.release()


_TURN_S = 5.0
# Enough for what one change stores; more than that has piled up, and is the dispatcher's work.
_MOST_NUMBERED = 50
_DOWN = (OperationalError, InterfaceError, InternalError, PoolTimeout)


def translated(error: SQLAlchemyError) -> Exception:
    """Return our own error for one of the database's, or the same one if we have none."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in ("40001", "40P01"):
        return Conflict("another transaction changed the same rows; try again", code="serialization_conflict")
    if isinstance(error, DataError) or (isinstance(error, StatementError) and not isinstance(error, DBAPIError)):
        return Invalid(f"the database cannot hold a value: {_first_line(error)}", code="value_not_storable")
    if not isinstance(error, _DOWN):
        return error
    reason = _first_line(error)
    return Unavailable(f"the database did not answer: {reason}", code="database_unavailable")


def _first_line(error: SQLAlchemyError) -> str:
    text = str(getattr(error, "orig", None) or error).strip().splitlines()
    return text[0] if text else type(error).__name__
