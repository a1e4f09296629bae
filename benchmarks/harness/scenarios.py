"""The parts of the benchmark: which systems are measured side by side, and what the goals are."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from harness import measures, truth
from harness.measures import Load
from harness.report import Report, Row, spread, verdict
from harness.systems import (
    Servers,
    System,
    disk_sync_ms,
    embedded,
    helper,
    idle_percent,
    peer,
    peer_worker,
    scaled,
    serve,
    start_worker,
)

Asked = argparse.Namespace

RATIO_GOAL = 1.0
P50_GOAL_MS = 5.0
P99_GOAL_MS = 25.0
IDLE_GOAL_PERCENT = 2.0
_WARM_UP_S = 3.0


def throughput(asked: Asked, parts: Servers, report: Report) -> None:
    """``POST /jobs`` per second over 32 keep-alive connections, no workers unless named."""
    with contextlib.ExitStack() as stack:
        fastapi = stack.enter_context(peer(parts, asked.peer_python))
        plan: list[tuple[str, System, str]] = [
            ("FastAPI + uvicorn: token, rate limit, SQL insert + arq", fastapi, "/guarded"),
            ("FastAPI + uvicorn: SQL insert + arq, for anyone", fastapi, "/jobs"),
        ]
        if asked.only != "embedded":
            plan.append(("AITrader serve, PostgreSQL + Redis", stack.enter_context(scaled(parts)), "/jobs"))
        if asked.only != "scaled":
            plan.append(("AITrader serve, SQLite", stack.enter_context(embedded("serve")), "/jobs"))
            plan.append(("AITrader up, SQLite (worker in it runs)", stack.enter_context(embedded("up")), "/jobs"))
        plan.append(("FastAPI + uvicorn: arq only, no SQL", fastapi, "/enqueue"))
        rounds: dict[str, list[Load]] = {name: [] for name, _, _ in plan}
        for number in range(asked.rounds):
            # Forwards and backwards by turns, so that nobody is always first.
            for name, system, path in plan[:: 1 if number % 2 == 0 else -1]:
                rounds[name].append(measures.throughput(system, asked.seconds, path=path))
                report.say(f"throughput {number + 1}/{asked.rounds}: {name} {rounds[name][-1].per_second:.0f}/s")
    base = rounds[plan[0][0]]
    for name, loads in rounds.items():
        _add_throughput(report, name, loads, base)


def _add_throughput(report: Report, name: str, loads: list[Load], base: list[Load]) -> None:
    ratios = [ours.per_second / theirs.per_second for ours, theirs in zip(loads, base, strict=True)]
    ratio = statistics.median(ratios)
    is_ours = name.startswith("AITrader serve")
    client = statistics.median(load.client_cpu for load in loads)
    costs = statistics.median(load.cpu_ms for load in loads)
    waits = statistics.median(load.p50_ms for load in loads), statistics.median(load.p99_ms for load in loads)
    report.add(
        Row(
            "throughput",
            name,
            spread([load.per_second for load in loads], "/s"),
            f"{ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if loads is not base else "1",
            f"≥ {RATIO_GOAL:.1f}" if is_ours else "",
            verdict(ratio >= RATIO_GOAL) if is_ours else "",
            f"p50 {waits[0]:.0f} p99 {waits[1]:.0f} ms; {costs:.2f} ms CPU each; client {client:.0%} of a core",
        ),
        ratio=ratio,
        loads=[asdict(load) for load in loads],
    )


def latency(asked: Asked, parts: Servers, report: Report) -> None:
    """Submit → done of a no-op at 10 jobs/s."""
    _add_disk(report)
    if asked.only != "scaled":
        with embedded("up") as system:
            _ours(asked, report, system, "AITrader up, SQLite")
    if asked.only != "embedded":
        with scaled(parts, worker=True) as system:
            _ours(asked, report, system, "AITrader serve + worker, PostgreSQL + Redis")
    with peer(parts, asked.peer_python) as fastapi:
        for poll_s in (0.5, 0.01):
            with peer_worker(fastapi, asked.peer_python, poll_s=poll_s):
                time.sleep(_WARM_UP_S)
                for how, words in (("http", "POST"), ("peer", "from a program")):
                    found = measures.latency(fastapi, asked.peer_python, how, asked.latency_seconds)
                    _add_latency(report, f"arq, poll {poll_s * 1000:g} ms, {words}", found, goal=False)


def _add_disk(report: Report) -> None:
    syncs = disk_sync_ms()
    p50, p99 = measures.percentile(syncs, 0.5), measures.percentile(syncs, 0.99)
    note = "AITrader waits for one of these before a job starts, the peer's queue for none"
    row = Row("latency at 10 jobs/s", "(fdatasync of this disk)", f"p50 {p50:.1f} p99 {p99:.1f} ms", note=note)
    report.add(row, p50_ms=p50, p99_ms=p99)


def _ours(asked: Asked, report: Report, system: System, name: str) -> None:
    time.sleep(_WARM_UP_S)
    for how, words in (("http", "POST /jobs"), ("program", "enqueue_job()")):
        found = measures.latency(system, sys.executable, how, asked.latency_seconds)
        _add_latency(report, f"{name}, {words}", found, goal=True)
        report.say(f"latency: {name}, {words}: p50 {measures.percentile(found, 0.5):.1f} ms")


def _add_latency(report: Report, name: str, found: list[float], *, goal: bool) -> None:
    p50, p99 = measures.percentile(found, 0.5), measures.percentile(found, 0.99)
    row = Row(
        "latency at 10 jobs/s",
        name,
        f"p50 {p50:.1f} p99 {p99:.1f} ms",
        goal=f"p50 ≤ {P50_GOAL_MS:g}, p99 ≤ {P99_GOAL_MS:g}" if goal else "",
        verdict=verdict(p50 <= P50_GOAL_MS and p99 <= P99_GOAL_MS) if goal else "",
        note=f"min {found[0]:.1f} max {found[-1]:.1f}, {len(found)} jobs",
    )
    report.add(row, p50_ms=p50, p99_ms=p99, all_ms=found)


def idle(asked: Asked, parts: Servers, report: Report) -> None:
    """CPU of processes with nothing to do."""
    if asked.only != "scaled":
        with embedded("up") as system:
            _add_idle(asked, report, "AITrader up, SQLite", system.pids)
    if asked.only != "embedded":
        with scaled(parts, worker=True) as system:
            _add_idle(asked, report, "AITrader serve + worker, PostgreSQL + Redis", system.pids)
    with peer(parts, asked.peer_python) as fastapi:
        for poll_s in (0.5, 0.01):
            with peer_worker(fastapi, asked.peer_python, poll_s=poll_s) as worker:
                name = f"FastAPI + arq worker, poll {poll_s * 1000:g} ms"
                _add_idle(asked, report, name, [*fastapi.pids, worker.pid], goal=False)


def _add_idle(asked: Asked, report: Report, name: str, pids: list[int], *, goal: bool = True) -> None:
    time.sleep(_WARM_UP_S)
    percent = idle_percent(pids, asked.idle_seconds)
    report.say(f"idle: {name}: {percent:.2f} %")
    row = Row(
        "idle CPU",
        name,
        f"{percent:.2f} % of a core",
        goal=f"< {IDLE_GOAL_PERCENT:g} %" if goal else "",
        verdict=verdict(percent < IDLE_GOAL_PERCENT) if goal else "",
    )
    report.add(row, percent=percent)


def drain(asked: Asked, parts: Servers, report: Report) -> None:
    """Jobs per second of one worker process of 8 threads (arq: 8 at once) on a full queue."""
    base = [_drain_peer(asked, parts, sql=True, poll_s=0.01)]
    names = {"arq, poll 10 ms, job states in SQL": base}
    if asked.only != "embedded":
        names["AITrader worker, PostgreSQL + Redis"] = [_drain_scaled(asked, parts)]
    if asked.only != "scaled":
        names["AITrader up, SQLite"] = [_drain_embedded(asked)]
    names["arq, poll 10 ms, Redis only"] = [_drain_peer(asked, parts, sql=False, poll_s=0.01)]
    names["arq as shipped, Redis only"] = [_drain_peer(asked, parts, sql=False, poll_s=0.5)]
    for name, rates in names.items():
        ratio = statistics.median(rates) / statistics.median(base)
        note = "no SQL: a job that is lost leaves no trace" if "only" in name else ""
        row = Row(f"drain {asked.drain} no-ops", name, spread(rates, " jobs/s"), f"{ratio:.2f}", note=note)
        report.add(row, rates=rates)


def _drain_scaled(asked: Asked, parts: Servers) -> float:
    with scaled(parts, api=False) as system:
        sent = helper(sys.executable, system, "submit_program.py", "noop", str(asked.drain), "0")
        start_worker(system)
        return measures.drain_rate(system, {job_id for job_id, _ in sent})


def _drain_embedded(asked: Asked) -> float:
    with embedded(None) as system:
        sent = helper(sys.executable, system, "submit_program.py", "noop", str(asked.drain), "0")
        serve(system, "up")
        return measures.drain_rate(system, {job_id for job_id, _ in sent})


def _drain_peer(asked: Asked, parts: Servers, *, sql: bool, poll_s: float) -> float:
    with peer(parts, asked.peer_python) as fastapi:
        sent = helper(asked.peer_python, fastapi, "peer_worker.py", "submit", str(asked.drain), "0")
        wanted = {job_id for job_id, _ in sent}
        if sql:
            truth.insert_peer_rows(fastapi, wanted)
        with peer_worker(fastapi, asked.peer_python, poll_s=poll_s, sql=sql):
            return measures.drain_rate(fastapi, wanted)


PARTS: dict[str, Callable[[Asked, Servers, Report], None]] = {
    "throughput": throughput,
    "latency": latency,
    "idle": idle,
    "drain": drain,
}
