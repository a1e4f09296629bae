"""From the stream to the API: a real worker, Redis and database; once each, over kills of the worker and of Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from tests.processes import Process, eventually
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack


@pytest.mark.once
def test_signals_arrive_once_over_kills(
    start_process: Callable[..., Process], tmp_path: Path, own_redis: RedisServer, postgres_server: PostgresServer
) -> None:
    database = postgres_server.create_database()
    stack = Stack(start_process, tmp_path, database=database, redis=own_redis.url)
    stack.migrate()
    stack.api()
    worker = stack.worker()
    client = redis.Redis.from_url(own_redis.url)
    scopes = "signals:read"
    made = stack.run("token", "create", "--user", "owner", "--name", "s", "--scopes", scopes)
    token = made.wait_for_line(r"ait_\w+", 30).group()
    headers = {"Authorization": f"Bearer {token}"}

    def write(numbers: range) -> None:
        for number in numbers:
            data = {"id": f"s{number}", "symbol": "NSE:INFY", "score": 0.5, "pattern": "p", "timestamp": time.time()}
            client.xadd("signals:global", {"v": 1, "type": "signal", "data": json.dumps(data)})

    def shown() -> list[Any]:
        answer = httpx2.get(f"{stack.url}/signals?limit=200", headers=headers, timeout=5)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    eventually(lambda: client.exists("signals:global"), 20, 0.05, "the group was made")
    write(range(50))
    write(range(50))
    client.xadd("signals:global", {"data": "nonsense"})
    eventually(lambda: len(shown()) == 50, 30, 0.1, "50 signals")
    eventually(lambda: client.xlen("signals:dead") == 1, 10, 0.1, "what is no signal was put aside")
    write(range(50, 80))
    worker.kill()
    write(range(80, 100))
    worker = stack.worker()
    # What the dead worker had read is taken over after a minute; sent again, it is the same.
    write(range(100))
    eventually(lambda: len(shown()) == 100, 30, 0.1, "100 signals")
    client.flushall()
    write(range(90, 120))
    eventually(lambda: len(shown()) == 120, 30, 0.1, "120 signals")
    assert len({item["signal_id"] for item in shown()}) == 120
    assert stack.query("SELECT count(*) FROM outbox WHERE topic = 'trading_signals'") == [(120,)]
    assert worker.running


@pytest.mark.once
@pytest.mark.parametrize("where", ["signal.storing", "signal.stored"])
def test_a_worker_killed_while_it_decides_decides_once(
    start_process: Callable[..., Process],
    tmp_path: Path,
    own_redis: RedisServer,
    postgres_server: PostgresServer,
    where: str,
) -> None:
    """Signal, decision and order are one transaction: killed before it there is nothing, after it there is all."""
    stack = Stack(start_process, tmp_path, database=postgres_server.create_database(), redis=own_redis.url)
    stack.migrate()
    stack.end("strategies", "create", "mine", "--set", "threshold=0.1")
    stack.end("strategies", "enable", "mine", "--account", "paper")
    stack.end("quote", "NSE:INFY", "1500")
    worker = stack.worker(AITRADER_TEST_FAILPOINT=where)
    client = redis.Redis.from_url(own_redis.url)
    eventually(lambda: client.exists("signals:global"), 20, 0.05, "the group was made")

    def write() -> None:
        data = {"id": "s1", "symbol": "NSE:INFY", "score": 0.8, "pattern": "p", "timestamp": time.time()}
        client.xadd("signals:global", {"v": 1, "type": "signal", "data": json.dumps(data)})

    write()
    worker.wait(30)
    stored = stack.query("SELECT count(*) FROM signals"), stack.query("SELECT count(*) FROM decisions")
    expected = 0 if where == "signal.storing" else 1
    assert stored == ([(expected,)], [(expected,)])
    stack.worker()
    write()
    eventually(
        lambda: stack.query("SELECT status, strategy FROM orders") == [("filled", "mine")],
        40,
        0.1,
        "one order, filled",
    )
    assert stack.query("SELECT status FROM decisions") == [("ordered",)]
    assert stack.query("SELECT count(*) FROM signals") == [(1,)]
