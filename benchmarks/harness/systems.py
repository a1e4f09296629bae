"""What is measured, as processes: AITrader embedded and scaled, and the peer, on servers of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from aitrader.settings import variables
from tests.processes import Process, eventually
from tests.servers import PortLease, PostgresServer, RedisServer

HERE = Path(__file__).resolve().parent
BODY = json.dumps({"job_type": "noop", "payload": {"symbol": "NASDAQ:AAPL", "bars": 250}})

_OURS = ("AITRADER_", "DATABASE_URL", "REDIS_URL", "PORT", "DEBUG", "LOG_LEVEL", "PEER_")
_TOKEN = ("--user", "owner", "--name", "benchmark", "--scopes", "jobs:read,jobs:write", "--days", "1")
_START_S = 40.0


PEER_TOKEN = "peer_0123456789abcdef0123456789abcdef0123456789abcdef"


@dataclass
class Servers:
    """PostgreSQL, durable as in production, and Redis, on private ports."""

    postgres: PostgresServer
    redis: RedisServer


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """Start both servers and stop them at the end, however it comes."""
    with PostgresServer(durable=True) as postgres, RedisServer() as redis_server:
        yield Servers(postgres, redis_server)


@dataclass
class System:
    """Something that takes jobs over HTTP."""

    name: str
    env: dict[str, str | None]
    port: int = 0
    token: str = ""
    database: str = ""
    redis_url: str = ""
    works: bool = False
    is_peer: bool = False
    home: Path = Path()
    processes: list[Process] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [process.pid for process in self.processes]

    def close(self) -> None:
        """End its processes."""
        for process in reversed(self.processes):
            end(process)


def end(process: Process) -> None:
    """Ask a process to end, and make sure."""
    process.terminate()
    with contextlib.suppress(AssertionError):
        process.wait(8.0)
    process.close()


def nothing_of_ours() -> dict[str, str | None]:
    """Return what to remove from our own environment, so that nobody's settings come in."""
    return {name: None for name in os.environ if name.startswith(_OURS)}


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str | None]:
    """Return what to change in our own environment: these settings only, and the no-op plugin."""
    plugin = home / "plugin"
    write_plugin(plugin)
    paths = os.pathsep.join([str(plugin), str(HERE)])
    data = {"PYTHONPATH": paths, "AITRADER_DATA_DIR": str(home / "data")}
    unlimited = {name: "1000000000/minute" for name in ("AITRADER_RATE_LIMIT",) if name in variables()}
    return {**nothing_of_ours(), **data, **unlimited, **more}


def write_plugin(directory: Path) -> None:
    """Make the no-op job type look installed."""
    info = directory / "aitrader_benchmark-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aitrader-benchmark\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[aitrader]\nbenchmark = probe\n")


def aitrader(home: Path, env: Mapping[str, str | None], *arguments: str) -> Process:
    """Start one ``aitrader`` command."""
    return Process([sys.executable, "-m", "aitrader", *arguments], env=env, cwd=home)


@contextlib.contextmanager
def embedded(command: str | None) -> Iterator[System]:
    """AITrader with SQLite: ``up`` runs jobs in the same process, ``serve`` does not, None starts nothing yet."""
    with tempfile.TemporaryDirectory(prefix="aitrader-bench-") as text:
        home = Path(text)
        env = environment(home, {})
        path = str(home / "data" / "aitrader.db")
        system = System("AITrader, SQLite", env, database=path, works=command == "up", home=home)
        try:
            if command is not None:
                serve(system, command)
            yield system
        finally:
            system.close()


@contextlib.contextmanager
def scaled(parts: Servers, *, api: bool = True, worker: bool = False) -> Iterator[System]:
    """AITrader with PostgreSQL and Redis."""
    url = parts.postgres.create_database()
    redis_url = parts.redis.url.removesuffix("/0") + "/1"
    with tempfile.TemporaryDirectory(prefix="aitrader-bench-") as text:
        home = Path(text)
        env = environment(home, {"DATABASE_URL": url, "REDIS_URL": redis_url})
        system = System("AITrader, PostgreSQL + Redis", env, database=url, redis_url=redis_url, home=home)
        try:
            run(home, env, "db", "upgrade")
            if api:
                serve(system, "serve")
            if worker:
                start_worker(system)
            yield system
        finally:
            system.close()
            redis.Redis.from_url(redis_url).flushdb()


def serve(system: System, command: str) -> None:
    """Start the API and wait until it answers."""
    process = aitrader(system.home, system.env, command, "--port", "0")
    system.processes.append(process)
    system.port = int(process.wait_for_line(r"http://127\.0\.0\.1:(\d+)", _START_S)[1])
    with aitrader(system.home, system.env, "token", "create", *_TOKEN) as made:
        system.token = made.wait_for_line(r"ait_\w+", _START_S)[0]


def start_worker(system: System) -> None:
    """Start a worker of 8 threads and wait until it is ready."""
    worker = aitrader(system.home, system.env, "worker", "--threads", "8", "--processes", "1")
    system.processes.append(worker)
    worker.wait_for_line("worker ready", _START_S)


def run(home: Path, env: Mapping[str, str | None], *arguments: str) -> None:
    """Run one ``aitrader`` command to its end."""
    with aitrader(home, env, *arguments) as process:
        if process.wait(_START_S) != 0:
            raise RuntimeError(process.describe())


@contextlib.contextmanager
def peer(parts: Servers, python: str) -> Iterator[System]:
    """FastAPI on uvicorn beside the same servers; its worker is started by who wants one."""
    url = parts.postgres.create_database()
    settings: dict[str, str | None] = {"PEER_DATABASE_URL": url, "PEER_REDIS_URL": parts.redis.url}
    env = {**nothing_of_ours(), "PYTHONPATH": str(HERE), **settings}
    lease = PortLease()
    system = System(
        "FastAPI + arq", env, lease.port, database=url, redis_url=parts.redis.url, is_peer=True, token=PEER_TOKEN
    )
    options = ["--port", str(lease.port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command = [python, "-m", "uvicorn", "peer_api:app", "--log-level", "warning", *options]
    try:
        system.processes.append(Process(command, env=env, cwd="/"))
        eventually(lambda: answers(system), _START_S, message="the peer's API answers")
        yield system
    finally:
        system.close()
        lease.release()
        redis.Redis.from_url(parts.redis.url).flushdb()


@contextlib.contextmanager
def peer_worker(system: System, python: str, *, poll_s: float = 0.5, sql: bool = False) -> Iterator[Process]:
    """The peer's worker."""
    env = {**system.env, "PEER_POLL_S": str(poll_s), "PEER_SQL": "1" if sql else None}
    worker = Process([python, str(HERE / "peer_worker.py"), "work"], env=env, cwd="/")
    try:
        worker.wait_for_line("ready", _START_S)
        yield worker
    finally:
        end(worker)


def answers(system: System) -> bool:
    """Return whether the peer answers."""
    if not system.processes[0].running:
        raise SystemExit(system.processes[0].describe())
    with urllib.request.urlopen(f"http://127.0.0.1:{system.port}/ready", timeout=2) as response:
        return bool(response.status == 200)


def helper(python: str, system: System | None, script: str, *arguments: str, timeout_s: float = 120.0) -> Any:
    """Run one of the scripts beside this file to its end and return the JSON it prints."""
    env = dict(os.environ)
    if system is not None:
        merged = {**env, **system.env}
        env = {name: value for name, value in merged.items() if value is not None}
    done = subprocess.run(
        [python, str(HERE / script), *arguments],
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{script} failed:\n{done.stderr.decode()[-2000:]}")
    return json.loads(done.stdout)


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time of processes and all that they started and that still run."""
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            times[number] = sum(map(int, fields[11:15])) / tick
    tree = set(pids)
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(times.get(number, 0.0) for number in tree)


def disk_sync_ms(times: int = 200) -> list[float]:
    """Return how long the disk takes to keep 8 KiB, in ascending order: no commit is faster than that."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(times):
            file.write(os.urandom(8192))
            file.flush()
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - start) * 1000)
            time.sleep(0.005)
    return sorted(taken)


def idle_percent(pids: list[int], seconds: float) -> float:
    """Return the share of a core that idle processes take, in percent."""
    before, start = cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pids) - before) / (time.monotonic() - start)
