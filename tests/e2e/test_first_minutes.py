"""What a newcomer does first: `up`, `demo`, the API, three wrong inputs. Empty home, nothing configured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest

from tests.processes import Process

Start = Callable[..., Process]
REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = ("DATABASE_URL", "REDIS_URL", "PORT", "DEBUG", "LOG_LEVEL")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new user's empty home and working directory."""
    made = tmp_path / "home"
    made.mkdir()
    return made


def environment(home: Path) -> dict[str, str | None]:
    unset = dict.fromkeys(name for name in os.environ if name in SETTINGS or name.startswith("AITRADER_"))
    paths = {"HOME": str(home), "XDG_DATA_HOME": str(home / ".local/share"), "PYTHONPATH": str(REPOSITORY)}
    return {**unset, **paths}


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, **environment(home)}
    env = {name: value for name, value in merged.items() if value is not None}
    command = [sys.executable, "-m", "aitrader", *arguments]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=120, check=False)


def check_demo(home: Path, result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stderr
    jobs = json.loads(result.stdout)["items"]
    backtests = [job for job in jobs if job["job_type"] == "backtest"]
    assert len(backtests) == 3
    for job in backtests:
        assert job["status"] == "succeeded"
        report = job["result"]["results"][0]
        assert report["n_trades"] > 0
        for chart in job["charts"]:
            assert (home / chart).read_bytes().startswith(b"\x89PNG")
        artifacts = home / ".local/share/aitrader/artifacts"
        equity = next(artifacts.glob(f"{job['id']}/*/equity-*.parquet"))
        assert pq.read_table(equity).num_rows == report["bars"]


def test_demo_on_its_own_then_its_table(home: Path) -> None:
    check_demo(home, run(home, "demo", "--json"))
    table = run(home, "demo", "--output", "pictures")
    assert table.returncode == 0
    assert re.search(r"INDEX:SPX +sma_cross +1999-01-04 … 2018-12-31 +\d+ +\+\d+\.\d%", table.stdout)
    assert len(list((home / "pictures").glob("*.png"))) == 3 + 3


def test_up_then_demo_then_the_api_then_wrong_inputs(home: Path, start_process: Start) -> None:
    server = start_process([sys.executable, "-m", "aitrader", "up", "--port", "0"], env=environment(home), cwd=home)
    url = server.wait_for_line(r"http://127\.0\.0\.1:\d+", 30).group()
    server.wait_for_line("Stop +Ctrl-C", 10)

    demo = run(home, "demo", "--json")
    check_demo(home, demo)
    assert f"using the running up (pid {server.pid})" in demo.stderr

    scopes = ("--scopes", "jobs:read,jobs:write")
    token = run(home, "token", "create", "--user", "owner", "--name", "me", *scopes).stdout.strip()
    with httpx2.Client(base_url=url) as client:
        assert client.get("/jobs").status_code == 401
        client.headers["Authorization"] = f"Bearer {token}"
        jobs = client.get("/jobs").json()["items"]
        assert {job["status"] for job in jobs} == {"succeeded"}
        chart = next(item for item in jobs[-1]["artifacts"] if item["media_type"] == "image/png")
        assert client.get(chart["url"]).content.startswith(b"\x89PNG")
        assert client.get("/docs").status_code == 200
        assert "/jobs/{job_id}/cancel" in client.get("/openapi.json").json()["paths"]
        wrong = client.post("/jobs", json={"job_type": "backtset", "payload": {}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_job_type")

    second = run(home, "up", "--port", "0")
    assert second.returncode == 6
    assert f"already running (pid {server.pid}) at {url}" in second.stderr
    typo = run(home, "jobs", "submit", "backtest", "-p", "symbols=SPX")
    assert typo.returncode == 2
    assert "payload.symbols" in typo.stderr
    unknown = run(home, "jobs", "show", "01890000-0000-7000-8000-000000000000")
    assert unknown.returncode == 3

    server.terminate()
    assert server.wait(25) == 0


def test_log_in_through_the_printed_link_then_make_and_revoke_a_token(home: Path, start_process: Start) -> None:
    server = start_process([sys.executable, "-m", "aitrader", "up", "--port", "0"], env=environment(home), cwd=home)
    link = server.wait_for_line(r"Login +(http://127\.0\.0\.1:\d+)/auth/login\?link=(\S+)", 30)
    url, secret = link.groups()
    with httpx2.Client(base_url=url) as browser:
        opened = browser.post("/auth/link", json={"secret": secret}, headers={"Origin": url})
        assert opened.status_code in (200, 201), opened.text
        session = opened.json()
        assert session["user"]["username"] == "owner"
        assert "admin" in session["scopes"]
        assert browser.get("/auth/session").json()["user"]["username"] == "owner"

        asked = {"name": "phone", "scopes": ["jobs:read"], "expires_in_days": 1}
        assert browser.post("/tokens", json=asked, headers={"Origin": url}).status_code == 403
        change = {"Origin": url, "X-CSRF-Token": session["csrf_token"]}
        made = browser.post("/tokens", json=asked, headers=change)
        assert made.status_code == 201, made.text
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        assert httpx2.get(f"{url}/jobs", headers=bearer).status_code == 200
        assert httpx2.post(f"{url}/jobs", json={"job_type": "x", "payload": {}}, headers=bearer).status_code == 403

        assert browser.delete(f"/tokens/{made.json()['id']}", headers=change).status_code in (200, 204)
        assert httpx2.get(f"{url}/jobs", headers=bearer).status_code == 401
        again = httpx2.post(f"{url}/auth/link", json={"secret": secret}, headers={"Origin": url})
        assert again.status_code == 401

    logged = [line for line in server.lines if line.startswith("{")]
    assert secret not in "".join(logged)
    checked = run(home, "audit", "verify", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["ok"]) == (0, True)
    actions = [event["action"] for event in json.loads(run(home, "audit", "list", "--json").stdout)["items"]]
    assert actions == ["token.revoked", "token.created", "login.link", "strategy.create", "user.created"]


def test_nothing_listens_beyond_this_machine_by_default(home: Path, start_process: Start) -> None:
    server = start_process([sys.executable, "-m", "aitrader", "up", "--port", "0"], env=environment(home), cwd=home)
    port = int(server.wait_for_line(r"http://127\.0\.0\.1:(\d+)", 30).group(1))
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {
        row[1].split(":")[0] for row in listening if row[3] == "0A" and int(row[1].split(":")[1], 16) == port
    }
    assert addresses == {"0100007F"}
