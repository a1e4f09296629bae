"""Engines: one factory, every option spelled out."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from domain.common.errors import Invalid

READ_ONLY = "aitrader_read_only"
RELAXED = "aitrader_relaxed"
_USED_AT = "aitrader_used_at"
_BELIEVED_S = 2.0
_SQLITE_WAIT_S = 5.0
# The lock that writers of one process take in turn; see SqlUnitOfWork.
WRITERS = "aitrader_writers"

# PostgreSQL waits forever by default; a use case must end before its lease does.
_POSTGRES_OPTIONS = "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=15000"
_POSTGRES_NAMES = {
    "postgresql",
    "postgres",
    "postgresql+psycopg",
    "postgresql+psycopg2",
    "postgresql+asyncpg",
}


def parse_database_url(text: str) -> URL:
    """Return the URL with the driver that we use; ``postgresql://`` and ``sqlite:///`` as people write them.

    Raises:
        Invalid: another database, or not a URL.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise Invalid("not a database URL; expected postgresql://user:password@host/name or sqlite:///path") from None
    if url.drivername in _POSTGRES_NAMES:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        return _sqlite_url(url)
    raise Invalid(f"{url.get_backend_name()!r} is not supported; expected postgresql://… or sqlite:///path")


def _sqlite_url(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise Invalid("an SQLite database needs a file (each thread would see its own memory); use sqlite:///path")
    return url.set(drivername="sqlite", database=str(Path(url.database).expanduser().absolute()))


def open_engine(url: URL, *, pool_size: int = 8) -> Engine:
    """Return an engine. Nothing connects yet. Make it after a fork, never before."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, pool_size)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=3,
        pool_use_lifo=True,  # a connection used just now has its statements prepared and its caches warm
        pool_recycle=1800,
        connect_args={
            "options": _POSTGRES_OPTIONS,
            "connect_timeout": 3,
            "application_name": "aitrader",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _ping_if_idle)
    return engine


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=8,
        pool_timeout=10,
        pool_use_lifo=True,
        connect_args={"timeout": 5.0, "check_same_thread": False},
        execution_options={WRITERS: threading.Lock()},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN loses updates silently; ours is below
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Without it INSERT OR REPLACE would get round the triggers that keep the audit log append-only.
    connection.execute("PRAGMA recursive_triggers=ON")
    connection.execute("PRAGMA busy_timeout=5000")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # In a new file SQLite does not wait for others here as it does elsewhere: two first starts would collide.
    deadline = time.monotonic() + _SQLITE_WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    # In WAL mode NORMAL loses nothing but the last commits, and only with the power (sqlite.org/pragma.html).
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get(RELAXED, False) else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get(RELAXED, False):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def reading(engine: Engine) -> dict[str, Any]:
    """Return the execution options of a connection that only reads.

    On PostgreSQL each statement of a transaction sees what has committed when it begins (READ COMMITTED), so that
    beginning and ending one adds nothing but two round trips.
    """
    return {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {READ_ONLY: True}


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask a connection that was idle whether it still lives; one used just now is believed to."""
    if time.monotonic() - record.info.get(_USED_AT, float("inf")) < _BELIEVED_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError(f"the connection was lost while idle: {error}") from error
