"""What is really in the databases: no number counts that the system under test has only claimed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import redis

from harness.systems import System
from tests.processes import eventually

PEER_DONE = "peer:done"
_SETTLE_S = 60.0
_HINTS = "aitrader:default.msgs"
_ARQ_QUEUE = "arq:queue"


@contextlib.contextmanager
def database(system: System) -> Iterator[Any]:
    """Open the database of a system, outside of any transaction."""
    if system.database.startswith("postgresql"):
        with psycopg.connect(system.database, autocommit=True, connect_timeout=10) as connection:
            yield connection
    else:
        with contextlib.closing(sqlite3.connect(system.database, timeout=10, isolation_level=None)) as connection:
            yield connection


def check(system: System, accepted: Iterable[str], *, stored: bool) -> None:
    """Raise unless every accepted job is a row (if ``stored``) and a message, none twice."""
    accepted = list(accepted)
    wanted = set(accepted)
    if not accepted or len(wanted) != len(accepted):
        raise RuntimeError(f"{system.name} accepted {len(accepted)} jobs under {len(wanted)} ids")
    if stored and (missing := wanted - rows(system)):
        raise RuntimeError(f"{system.name} acknowledged {len(missing)} jobs that are not in the database")
    if system.redis_url:
        eventually(lambda: wanted <= messages(system), _SETTLE_S, message=f"messages of {system.name}")


def rows(system: System) -> set[str]:
    """Return the ids of all stored jobs."""
    table = "peer_jobs" if system.is_peer else "jobs"
    with database(system) as connection:
        return {row[0] for row in connection.execute(f"SELECT id FROM {table}")}


def messages(system: System) -> set[str]:
    """Return the ids of all jobs that wait in Redis."""
    client = redis.Redis.from_url(system.redis_url)
    if system.is_peer:
        return {name.decode() for name in client.zrange(_ARQ_QUEUE, 0, -1)}
    return {json.loads(message)["args"][0] for message in client.hvals(_HINTS)}


def settle(system: System) -> None:
    """Wait until nothing is left to do: all events published, and all jobs run where there is a worker."""
    with database(system) as connection:
        if not system.is_peer:
            pending = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            eventually(lambda: connection.execute(pending).fetchone() == (0,), _SETTLE_S, message=pending)
        if system.works:
            ready = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')"
            eventually(lambda: connection.execute(ready).fetchone() == (0,), _SETTLE_S, message=ready)


def forget(system: System) -> None:
    """Remove all jobs, events and messages, so that every round starts alike."""
    tables = ["peer_jobs"] if system.is_peer else ["jobs", "outbox"]
    with database(system) as connection:
        for table in tables:
            connection.execute(f"DELETE FROM {table}")
        if system.redis_url:
            connection.execute("VACUUM")
    if system.redis_url:
        redis.Redis.from_url(system.redis_url).flushdb()


def finished(system: System) -> dict[str, float]:
    """Return when each job ended: seconds since 1970 by the database's clock (the peer's: its worker's)."""
    if system.is_peer:
        done = redis.Redis.from_url(system.redis_url).hgetall(PEER_DONE)
        return {name.decode(): float(at) for name, at in done.items()}
    with database(system) as connection:
        query = "SELECT id, finished_at FROM jobs WHERE status = 'succeeded'"
        return {row[0]: row[1] / 1000 for row in connection.execute(query)}


def insert_peer_rows(system: System, wanted: Iterable[str]) -> None:
    """Give queued jobs of the peer the rows that its API would have inserted."""
    names = "id, user_id, job_type, queue, priority, payload, payload_hash, status, run_at, max_attempts, created_at"
    values = ("owner", "noop", "default", 0, "{}", "", "queued", 0, 3, 0)
    marks = ", ".join(["%s"] * (len(values) + 1))
    with database(system) as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO peer_jobs ({names}) VALUES ({marks})", [(i, *values) for i in wanted])
