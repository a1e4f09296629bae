"""Benchmarks of the order path: ``python benchmarks/orders.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import redis  # noqa: E402
from harness import systems  # noqa: E402
from harness.measures import percentile  # noqa: E402
from harness.report import Report, Row  # noqa: E402
from sqlalchemy import Engine, text  # noqa: E402

from adapters.db.engine import open_engine, parse_database_url  # noqa: E402

# Stored, sending, the paper broker's journal, accepted with its fills: each is on the disk before the next begins.
COMMITS = 4
_TRIES = 200


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure POST /orders to the paper fill on the WebSocket.")
    parser.add_argument("--steady", type=int, default=150, help="orders at 10 a second (default 150)")
    parser.add_argument("--flood", type=int, default=500, help="orders as fast as possible (default 500)")
    parser.add_argument("--connections", type=int, default=16, help="clients of the flood (default 16)")
    parser.add_argument("--only", choices=["embedded", "scaled"], help="one way to run AITrader")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def bare_commits(url: str) -> list[float]:
    """Return the milliseconds that the commits of one order take alone: one small insert each, ascending."""
    engine = open_engine(parse_database_url(url))
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE bench_orders (n INTEGER)"))
        return _timed(lambda: _commit(engine))
    finally:
        engine.dispose()


def _commit(engine: Engine) -> None:
    for _ in range(COMMITS):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO bench_orders VALUES (1)"))


def bare_redis(url: str) -> list[float]:
    """Return the milliseconds of two publish round trips, ascending: the new order and its fill."""
    client = redis.Redis.from_url(url)
    return _timed(lambda: [client.publish("bench", b"x" * 500) for _ in range(2)])


def _timed(action: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def prepare(system: systems.System) -> None:
    """Give the account room, and the symbol a price."""
    limits = "max_orders_per_second max_orders_per_minute max_orders_per_day max_open_orders duplicate_window_ms"
    lift = [word for name in limits.split() for word in ("--lift", name)]
    systems.run(system.home, system.env, "quote", "NSE:INFY", "1")
    systems.run(system.home, system.env, "orders", "place", "NSE:INFY", "buy", "1")
    systems.run(system.home, system.env, "accounts", "limits", "paper", *lift)
    with systems.aitrader(
        system.home,
        system.env,
        "token",
        "create",
        "--user",
        "owner",
        "--name",
        "orders",
        "--scopes",
        "orders:read,orders:write",
        "--days",
        "1",
    ) as made:
        system.token = made.wait_for_line(r"ait_\w+", 40)[0]
    urllib.request.urlopen(f"http://127.0.0.1:{system.port}/health/live", timeout=5).close()


def measure(system: systems.System, asked: argparse.Namespace, report: Report, bare: list[float], what: str) -> None:
    """Measure one system and put it beside what its storage costs alone."""
    report.say(system.name)
    prepare(system)
    words = ["--port", str(system.port), "--token", system.token, "--steady", str(asked.steady)]
    words += ["--flood", str(asked.flood), "--connections", str(asked.connections)]
    found = systems.helper(sys.executable, None, "orders_client.py", *words, timeout_s=300)
    latencies = found["latencies_ms"]
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    floor = statistics.median(bare)
    result = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    report.add(Row("POST to fill on the socket", system.name, result, f"{p50 / floor:.1f}"), p50_ms=p50, p99_ms=p99)
    report.add(Row("", f"  {what}", f"p50 {floor:.1f} ms, p99 {percentile(bare, 0.99):.1f} ms", "1"), p50_ms=floor)
    rates = f"{found['placed_per_second']:.0f}/s placed, {found['filled_per_second']:.0f}/s filled"
    limit = 1000 / floor
    ratio = f"{found['filled_per_second'] / limit:.2f}"
    note = f"of {limit:.0f}/s that one writer commits"
    report.add(Row("as fast as possible", system.name, rates, ratio, note=note), limit_per_second=limit, **found)


def main() -> None:
    """Measure and print."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(quiet=asked.json)
    with systems.servers() as parts, contextlib.suppress(KeyboardInterrupt):
        if asked.only != "scaled":
            with systems.embedded("up") as system:
                bare = bare_commits(f"sqlite:///{system.home / 'bare.db'}")
                measure(system, asked, report, bare, f"{COMMITS} bare commits, SQLite")
        if asked.only != "embedded":
            with systems.scaled(parts, worker=True) as system:
                commits, hints = bare_commits(parts.postgres.create_database()), bare_redis(system.redis_url)
                bare = [one + two for one, two in zip(commits, hints, strict=True)]
                measure(system, asked, report, bare, f"{COMMITS} bare commits and 2 publishes")
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
