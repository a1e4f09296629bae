"""Secrets planted wherever an installation takes them: none comes out in a log, response, table, frame or file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import websockets

from tests.processes import Process
from tests.servers import RedisServer
from tests.stack import Stack

pytestmark = pytest.mark.once

REDIS_CANARY = "redisCANARY7f3a9c51"
NOTIFY_CANARY = "notifyCANARYb82d4e60"
PASSWORD_CANARY = "passwordCANARY-4c1e77aa"
PAYLOAD_CANARY = "payloadCANARYe90b13d2"
BODY_CANARY = "bodyCANARY55d0f8c3"


def start(stack: Stack, redis_port: int) -> Process:
    stack.env |= {
        "REDIS_URL": f"redis://:{REDIS_CANARY}@127.0.0.1:{redis_port}/0",
        "AITRADER_NOTIFY_URLS": f"json://user:{NOTIFY_CANARY}@127.0.0.1:9/hook",
        "LOG_LEVEL": "DEBUG",
    }
    return stack.api("up")


def use_everything(stack: Stack) -> list[str]:
    """Do a bit of all there is, wrong things above all; return every response as text."""
    seen: list[str] = []
    with httpx2.Client(base_url=stack.url, timeout=20) as client:

        def call(method: str, path: str, headers: dict[str, str] | None = None, **how: object) -> httpx2.Response:
            answer = client.request(method, path, headers=headers or stack.headers, **how)
            seen.append(f"{answer.headers}\n{answer.text}")
            return answer

        secret_field = {"job_type": "effect", "payload": {"password": PAYLOAD_CANARY}}
        call("POST", "/jobs", json=secret_field)
        open_field = {"symbols": ["SPX"], "strategy": "sma_cross", "params": {"api_key": PAYLOAD_CANARY}}
        refused = call("POST", "/jobs", json={"job_type": "backtest", "payload": open_field})
        assert (refused.status_code, refused.json()["code"]) == (422, "secret_in_payload")
        bearer = {"symbols": ["SPX"], "strategy": "sma_cross", "params": {"note": f"Bearer {PAYLOAD_CANARY}"}}
        call("POST", "/jobs", json={"job_type": "backtest", "payload": bearer})
        call("POST", "/jobs", content=f'{{"secret": "{BODY_CANARY}"'.encode())
        call("GET", f"/jobs?token={BODY_CANARY}")
        call("GET", "/jobs", headers={"Authorization": f"Bearer ait_{BODY_CANARY}"})
        call("POST", "/auth/login", json={"username": "ann", "password": PASSWORD_CANARY + "x"})
        call("POST", "/auth/login", json={"username": "ann", "password": PASSWORD_CANARY})
        dead = call("POST", "/jobs", json={"job_type": "kill_child", "payload": {}}).json()["id"]
        good = call("POST", "/jobs", json={"job_type": "effect", "payload": {}}).json()["id"]
        _wait(lambda: stack.job(good)["status"] == "succeeded")
        _wait(lambda: stack.job(dead)["status"] == "dead")
        for path in ("/", "/health", "/health/redis", "/health/services", "/jobs", "/job-types", "/openapi.json"):
            call("GET", path)
    return seen


def _wait(condition: Callable[[], bool]) -> None:
    from tests.processes import eventually

    eventually(condition, 40, 0.1)


def frames(stack: Stack) -> list[str]:
    async def listen() -> list[str]:
        url = stack.url.replace("http", "ws") + "/ws"
        async with websockets.connect(url, additional_headers=stack.headers) as socket:
            topics = {"action": "subscribe", "topics": ["job_updates", "system_status"]}
            await socket.send(json.dumps(topics))
            heard: list[str] = []
            while sum('"snapshot"' in frame for frame in heard) < 2:
                heard.append(str(await asyncio.wait_for(socket.recv(), 20)))
            return heard

    return asyncio.run(listen())


def tables(path: Path) -> str:
    connection = sqlite3.connect(path)
    return "\n".join(connection.iterdump())


def test_no_canary_comes_out(tmp_path: Path, start_process: Callable[..., Process], own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", REDIS_CANARY)
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    server = start(stack, own_redis.port)
    created = stack.create_user("ann", PASSWORD_CANARY)
    outputs = use_everything(stack) + frames(stack) + [created]
    own_redis.kill()  # errors about Redis name its URL
    _wait(lambda: httpx2.get(f"{stack.url}/health/redis", headers=stack.headers).status_code == 503)
    doctor = stack.run("doctor")
    doctor.wait(30)
    server.terminate()
    server.wait(25)
    outputs += [server.output, doctor.output, tables(stack.data_dir / "aitrader.db")]
    outputs += [path.read_text(errors="replace") for path in (stack.data_dir / "artifacts").rglob("*.json")]

    assert "Traceback" not in outputs[-2]
    everything = "\n".join(outputs)
    canaries = [REDIS_CANARY, NOTIFY_CANARY, PASSWORD_CANARY, PAYLOAD_CANARY, BODY_CANARY, stack.token]
    leaked = {
        canary: everything[max(0, everything.find(canary) - 200) :][:300]
        for canary in canaries
        if canary in everything
    }
    assert leaked == {}
