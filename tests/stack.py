"""A whole installation of real processes: API, workers, database, Redis, and job types made for breaking it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from tests.processes import Process, eventually

REPOSITORY = Path(__file__).resolve().parent.parent

_PLUGIN = '''
import os, signal, time
from aitrader.api import BacktestResult, Isolation, JobType, StrictModel, hookimpl


class Payload(StrictModel):
    pause_s: float = 0.0
    stubborn: bool = False


class Result(StrictModel):
    attempt: int


class Effect(JobType):
    """Pauses, then leaves one row behind."""

    title = "Effect"
    payload_type = Payload
    result_type = Result
    max_attempts = 20

    def __init__(self, name, isolation):
        self.name, self.isolation = name, isolation

    def run(self, context, payload):
        ends = time.monotonic() + payload.pause_s
        while time.monotonic() < ends:
            if not payload.stubborn:
                context.progress(1 - (ends - time.monotonic()) / payload.pause_s)
            time.sleep(0.005)
        context.record(BacktestResult(
            strategy="effect", params={}, symbols=[], timeframe="1d", start_ms=0, end_ms=0, metrics={},
            data_hash="", code_version="",
        ))
        return Result(attempt=context.attempt)


class KillWorker(Effect):
    """Kills the process that runs it."""

    max_attempts = 2

    def run(self, context, payload):
        os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def aitrader_register_job_types(registry):
    registry.add("effect", Effect("effect", Isolation.THREAD))
    registry.add("effect_cpu", Effect("effect_cpu", Isolation.PROCESS))
    registry.add("kill_worker", KillWorker("kill_worker", Isolation.THREAD))
    registry.add("kill_child", KillWorker("kill_child", Isolation.PROCESS))
'''


def install_plugin(directory: Path) -> Path:
    """Make an installed distribution with the breaking job types; put the returned folder on PYTHONPATH."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "aitrader_faults.py").write_text(textwrap.dedent(_PLUGIN))
    info = directory / "aitrader_faults-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aitrader-faults\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[aitrader]\nfaults = aitrader_faults\n")
    return directory


class Stack:
    """Starts and kills the processes of one installation. ``database`` and ``redis`` None means embedded."""

    def __init__(
        self, start: Callable[..., Process], directory: Path, *, database: str | None, redis: str | None
    ) -> None:
        self._start = start
        self.data_dir = directory / "data"
        self.database = database or f"sqlite:///{self.data_dir / 'aitrader.db'}"
        self.url = ""
        self._token = ""
        path = install_plugin(directory / "plugin")
        self.env = {
            "AITRADER_DATA_DIR": str(self.data_dir),
            "AITRADER_LEASE_SECONDS": "3",
            "AITRADER_CANCEL_GRACE_SECONDS": "1",
            "AITRADER_DRAIN_SECONDS": "1",
            "AITRADER_PROCESSES": "1",
            "PYTHONPATH": f"{path}:{REPOSITORY}",
            "AITRADER_RATE_LIMIT": "1000000000/minute",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database,
            "REDIS_URL": redis,
        }

    @property
    def token(self) -> str:
        """An API token of the owner that may do everything with jobs; made when first asked for."""
        if not self._token:
            scopes = "jobs:read,jobs:write,metrics:read"
            made = self.run("token", "create", "--user", "owner", "--name", "tests", "--scopes", scopes)
            self._token = made.wait_for_line(r"ait_\w+", 30).group()
            assert made.wait(10) == 0, made.describe()
        return self._token

    @property
    def headers(self) -> dict[str, str]:
        """What every request to the API must carry."""
        return {"Authorization": f"Bearer {self.token}"}

    def create_user(self, name: str, password: str, role: str = "trader") -> str:
        """Make a user on the command line; return what it printed."""
        env = {name: value for name, value in {**os.environ, **self.env}.items() if value is not None}
        command = [sys.executable, "-m", "aitrader", "user", "create", name, "--role", role, "--password-stdin"]
        made = subprocess.run(
            command, env=env, input=password, capture_output=True, text=True, timeout=60, check=False
        )
        assert made.returncode == 0, made.stderr
        return made.stdout + made.stderr

    def trader_token(self, name: str) -> str:
        """Make a trader with a token that may do all that traders may; return the token."""
        self.create_user(name, f"a password for {name}")
        scopes = "jobs:read,jobs:write,signals:read,signals:write,orders:read,orders:write,data:write"
        made = self.run("token", "create", "--user", name, "--name", "tests", "--scopes", scopes)
        token = made.wait_for_line(r"ait_\w+", 30).group()
        assert made.wait(10) == 0, made.describe()
        return token

    def migrate(self) -> None:
        """Bring the database to head."""
        engine = open_engine(parse_database_url(self.database))
        Migrations(engine, REPOSITORY / "migrations").upgrade()
        engine.dispose()

    def run(self, *arguments: str, **env: str) -> Process:
        """Start one ``aitrader`` process."""
        return self._start([sys.executable, "-m", "aitrader", *arguments], env={**self.env, **env})

    def end(self, *arguments: str) -> None:
        """Run one ``aitrader`` command to its end."""
        process = self.run(*arguments)
        assert process.wait(60) == 0, process.describe()

    def worker(self, **env: str) -> Process:
        """Start a worker and wait until it is ready."""
        process = self.run("worker", "--threads", "4", **env)
        process.wait_for_line("worker ready", 30)
        return process

    def api(self, command: str = "serve", port: int = 0) -> Process:
        """Start the API (``serve`` or ``up``) and wait until it answers."""
        process = self.run(command, "--port", str(port))
        self.url = process.wait_for_line(r"http://127\.0\.0\.1:\d+", 30).group()
        assert self.token  # before anything is killed
        return process

    def post(self, job_type: str, key: str, client: httpx2.Client | None = None, **payload: Any) -> str:
        """Submit one job, again and again until it is acknowledged; return its id."""
        body = {"job_type": job_type, "payload": payload}
        http = client or httpx2.Client()
        headers = {**self.headers, "Idempotency-Key": key}

        def accepted() -> str | None:
            answer = http.post(f"{self.url}/jobs", json=body, headers=headers, timeout=5)
            assert answer.status_code in (200, 202), answer.text
            return str(answer.json()["id"])

        return str(eventually(accepted, 60, 0.1, f"job {key} acknowledged"))

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as the API shows it."""
        answer = httpx2.get(f"{self.url}/jobs/{job_id}", headers=self.headers, timeout=5)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def query(self, sql: str) -> list[Any]:
        """Return rows straight from the database."""
        engine = create_engine(parse_database_url(self.database))
        with engine.connect() as connection:
            rows = list(connection.execute(text(sql)))
        engine.dispose()
        return rows

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        return {row[0]: row[1] for row in self.query("SELECT status, count(*) FROM jobs GROUP BY status")}

    def assert_each_effect_once(self, expected: int) -> None:
        """Check that all jobs succeeded, and that each left exactly one row and one closing event."""
        assert self.counts() == {"succeeded": expected}
        effects = self.query("SELECT job_id, count(*) FROM backtest_results GROUP BY job_id")
        assert len(effects) == expected
        assert {row[1] for row in effects} == {1}
        closings = [json.loads(row[0]) for row in self.query("SELECT data FROM outbox WHERE topic = 'job_updates'")]
        closed = [event["job_id"] for event in closings if event["status"] == "succeeded"]
        assert len(closed) == len(set(closed)) == expected
