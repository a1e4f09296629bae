"""The account behind ``MCP_URL``, from the login to a fill: the routes, the commands, and no secret in any output."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.mock_broker import BrokerProcess
from tests.processes import Process, eventually
from tests.stack import Stack

pytestmark = pytest.mark.once

PASSWORD = "correct horse battery staple"
ORDER = {"symbol": "NSE:INFY", "side": "buy", "type": "limit", "price": "1500", "quantity": 10}


@pytest.fixture
def broker(start_process: Callable[..., Process], tmp_path: Path) -> BrokerProcess:
    return BrokerProcess(start_process, tmp_path)


@pytest.fixture
def stack(start_process: Callable[..., Process], tmp_path: Path, broker: BrokerProcess) -> Stack:
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    stack.env |= {"MCP_URL": broker.url, "LOG_LEVEL": "DEBUG"}
    return stack


def command(stack: Stack, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "aitrader", *arguments]
    env = {name: value for name, value in stack.env.items() if value is not None}
    done = subprocess.run(words, env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_from_the_login_to_a_fill(stack: Stack, broker: BrokerProcess, tmp_path: Path) -> None:
    process = stack.api("up")
    scopes = "orders:read,orders:write"
    token = command(stack, "token", "create", "--user", "owner", "--name", "t", "--scopes", scopes).stdout.strip()
    seen: list[str] = []

    with httpx2.Client(
        base_url=stack.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
    ) as http:

        def ask(method: str, path: str, **how: Any) -> httpx2.Response:
            answer = http.request(method, path, **how)
            seen.append(f"{answer.headers}\n{answer.text}")
            return answer

        def login() -> dict[str, Any] | None:
            found = ask("GET", "/mcp/login").json()
            return found if found.get("login_url") else None

        told = eventually(login, 30, 0.2, "a login link")
        assert told["status"] == "login_required"
        assert "own risk" in told["warning"]
        refused = ask("GET", "/mcp/positions")
        assert (refused.status_code, refused.json()["code"]) == (409, "broker_login_required")
        broker.control.log_in(told["login_url"])
        eventually(lambda: ask("GET", "/mcp/positions").status_code == 200, 30, 0.2, "positions")
        assert ask("GET", "/mcp/holdings").json()["items"] == []

        # Live: nothing leaves before a person allowed it.
        early = ask("POST", "/mcp/orders", json=ORDER, headers={"Idempotency-Key": "early"})
        assert early.status_code == 403, early.text
        assert early.json()["code"] == "risk_live_not_armed"
        assert broker.control.state()["placed"] == []
        stack.create_user("boss", PASSWORD, "admin")
        sets = ("max_notional=50000", "max_daily_loss=5000")
        limits = [word for limit in sets for word in ("--set", limit)]
        command(stack, "accounts", "limits", "mcp", *limits, "--lift", "market_hours")
        command(stack, "quote", "NSE:INFY", "1500")
        command(stack, "arm", "mcp", "--hours", "1", "--admin", "boss", "--password-stdin", "--yes", stdin=PASSWORD)
        for _ in range(2):  # the same key: the same order
            placed = ask("POST", "/mcp/orders", json=ORDER, headers={"Idempotency-Key": "k"})
            assert placed.status_code in (200, 202), placed.text
        order_id = placed.json()["id"]

        def is_filled(which: str) -> bool:
            found = ask("GET", f"/orders/{which}").json()
            history = ask("GET", f"/orders/{which}/history").json()
            assert found["status"] == "filled", (found, history, ask("GET", "/health/trading").json())
            return True

        eventually(lambda: is_filled(order_id), 30, 0.1, "the fill")
        assert len(broker.control.state()["placed"]) == 1
        ask("GET", "/orders?account=mcp")
        ask("GET", "/accounts")

        def position() -> list[Any]:
            return [item for item in ask("GET", "/mcp/positions").json()["items"] if item["quantity"] == "10"]

        (held,) = eventually(position, 30, 0.1, "the position")
        assert (held["symbol"], held["side"], held["currency"]) == ("NSE:INFY", "long", "INR")

        # The server and its sessions are gone: orders wait for a login, and nothing crashed.
        broker.kill()
        broker.up()
        told = eventually(login, 40, 0.2, "another login link")
        waiting = ask("POST", "/mcp/orders", json={**ORDER, "quantity": 1}, headers={"Idempotency-Key": "w"})
        assert waiting.json()["status"] == "new"
        broker.control.log_in(told["login_url"])
        eventually(lambda: is_filled(waiting.json()["id"]), 40, 0.1, "the order that waited")
        assert process.running

    assert "kitemcp-" not in process.output
    for line in _tables(stack.data_dir / "aitrader.db").splitlines():
        assert "kitemcp-" not in line, line


def _tables(path: Path) -> str:
    return "\n".join(sqlite3.connect(path).iterdump())
