"""Redis and PostgreSQL that are killed, frozen or restarted, and servers that are told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets

from tests.processes import Process, eventually
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack

pytestmark = pytest.mark.once

Start = Callable[..., Process]


@pytest.fixture
def stack(tmp_path: Path, start_process: Start, postgres_url: str, own_redis: RedisServer) -> Stack:
    """An API and a worker on the shared PostgreSQL and a Redis that the test may kill."""
    made = Stack(start_process, tmp_path, database=postgres_url, redis=own_redis.url)
    made.migrate()
    made.api()
    made.worker()
    return made


def finished(stack: Stack, job_id: str) -> None:
    eventually(lambda: stack.job(job_id)["status"] == "succeeded", 40, 0.1, "job succeeded")


def health(stack: Stack, path: str) -> tuple[int, dict[str, Any]]:
    answer = httpx2.get(f"{stack.url}{path}", headers=stack.headers, timeout=10)
    return answer.status_code, answer.json()


def test_jobs_are_accepted_without_redis_and_run_when_it_is_back(stack: Stack, own_redis: RedisServer) -> None:
    own_redis.kill()
    ids = [stack.post("effect", f"dark-{number}") for number in range(20)]
    eventually(lambda: health(stack, "/health/redis")[0] == 503, 15, message="Redis is reported down")
    assert health(stack, "/health/ready")[0] == 200, "a lost Redis does not stop writes"
    own_redis.start()
    for job_id in ids:
        finished(stack, job_id)
    stack.assert_each_effect_once(20)


def test_a_frozen_redis_does_not_hold_up_requests(stack: Stack, own_redis: RedisServer) -> None:
    own_redis.pause()
    try:
        with httpx2.Client(timeout=4) as client:  # a hint must never be waited for
            ids = [stack.post("effect", f"frozen-{number}", client) for number in range(10)]
    finally:
        own_redis.resume()
    for job_id in ids:
        finished(stack, job_id)


def test_a_restarted_postgres_is_picked_up_again(
    tmp_path: Path, start_process: Start, own_postgres: PostgresServer, redis_url: str
) -> None:
    stack = Stack(start_process, tmp_path, database=own_postgres.create_database(), redis=redis_url)
    stack.migrate()
    stack.api()
    stack.worker()
    before = stack.post("effect", "before", pause_s=1.0)
    own_postgres.kill()
    body = {"job_type": "effect", "payload": {}}
    answer = httpx2.post(f"{stack.url}/jobs", json=body, headers=stack.headers, timeout=10)
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"]
    assert health(stack, "/health/live")[0] == 200
    eventually(lambda: health(stack, "/health/ready")[0] == 503, 15, message="not ready without a database")
    own_postgres.start()
    after = stack.post("effect", "after")
    finished(stack, before)
    finished(stack, after)
    stack.assert_each_effect_once(2)


def test_events_reach_a_client_of_another_process_and_survive_a_wiped_redis(
    stack: Stack, own_redis: RedisServer
) -> None:
    """P14: seq has no gap, whatever happens to Redis, and every job's end is heard of."""

    async def watch() -> list[int]:
        url = stack.url.replace("http", "ws") + "/ws"
        seqs: list[int] = []
        open_jobs: set[str] = set()
        async with asyncio.timeout(60), websockets.connect(url, additional_headers=stack.headers) as socket:
            await socket.send(json.dumps({"action": "subscribe", "topics": ["job_updates"]}))
            while json.loads(await socket.recv())["event"] != "snapshot":
                pass
            for number in range(10):
                open_jobs.add(await asyncio.to_thread(stack.post, "effect", f"watched-{number}"))
                if number == 3:
                    own_redis.flush()
                if number == 6:
                    own_redis.restart(empty=True)
            while open_jobs:
                frame = json.loads(await socket.recv())
                assert frame["event"] == "job_updates", frame
                seqs.append(frame["seq"])
                if frame["data"]["status"] == "succeeded":
                    open_jobs.discard(frame["data"]["job_id"])
        return seqs

    seqs = asyncio.run(watch())
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


@pytest.mark.parametrize("command", ["up", "serve"])
def test_sigterm_ends_in_time_with_open_and_dead_sockets(command: str, tmp_path: Path, start_process: Start) -> None:
    """P15: also on Python >= 3.12, where the server's own graceful stop waits for every connection."""
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    if command == "serve":
        stack.migrate()
    server = stack.api(command)

    async def with_sockets() -> int:
        url = stack.url.replace("http", "ws") + "/ws"
        port = int(stack.url.rsplit(":", 1)[1])
        idle = socket.create_connection(("127.0.0.1", port))
        async with (
            websockets.connect(url, additional_headers=stack.headers) as alive,
            websockets.connect(url, additional_headers=stack.headers) as dead,
        ):
            await alive.send(json.dumps({"action": "subscribe", "topics": ["job_updates"]}))
            dead.transport.pause_reading()
            await asyncio.to_thread(server.terminate)
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await alive.recv()
            code = alive.close_code
            await asyncio.to_thread(server.wait, 25)
            dead.transport.abort()
        idle.close()
        return int(code or 0)

    assert asyncio.run(with_sockets()) == 1012
    assert server.returncode == 0


def test_ctrl_c_stops_and_says_so(tmp_path: Path, start_process: Start) -> None:
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    server = stack.api("up")
    os.kill(server.pid, signal.SIGINT)
    assert server.wait(25) == 130
    assert "Traceback" not in server.output
