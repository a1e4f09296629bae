"""The measurements of one system each."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from harness import truth
from harness.systems import BODY, System, cpu_seconds, helper
from tests.processes import eventually

_DONE_S = 60.0


@dataclass(frozen=True)
class Load:
    """One round of throughput.

    ``client_cpu`` is the load generator's share of a core; ``cpu_ms`` what a request costs the API's process.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    client_cpu: float
    cpu_ms: float


def throughput(system: System, seconds: float, *, path: str = "/jobs", connections: int = 32) -> Load:
    """Post as fast as possible for a while, then look for every acknowledged job."""
    arguments = ["--port", str(system.port), "--path", path, "--body", BODY, "--token", system.token]
    arguments += ["--connections", str(connections), "--seconds", str(seconds)]
    before = cpu_seconds(system.pids)
    result = helper(sys.executable, None, "load.py", *arguments, timeout_s=seconds + 60)
    if set(result["statuses"]) != {"202"}:
        raise RuntimeError(f"{system.name} did not accept every job: {result['statuses']}")
    truth.check(system, result["accepted"], stored=path != "/enqueue")
    truth.settle(system)
    cpu_ms = 1000 * (cpu_seconds(system.pids) - before) / len(result["accepted"])
    truth.forget(system)
    return Load(*(result[name] for name in ("per_second", "p50_ms", "p99_ms", "client_cpu")), cpu_ms)


def latency(system: System, python: str, how: str, seconds: float, rate: float = 10.0) -> list[float]:
    """Return the milliseconds from submitting to done of jobs at a steady rate, in ascending order."""
    count, interval = str(round(seconds * rate)), str(1 / rate)
    scripts = {
        "http": ("submit_http.py", str(system.port), count, interval, BODY, system.token),
        "program": ("submit_program.py", "noop", count, interval),
        "peer": ("peer_worker.py", "submit", count, interval),
    }
    sent = dict(helper(python, system, *scripts[how], timeout_s=seconds + 60))
    eventually(lambda: sent.keys() <= truth.finished(system).keys(), _DONE_S, message=f"jobs of {system.name}")
    done = truth.finished(system)
    return sorted((done[job_id] - sent_at) * 1000 for job_id, sent_at in sent.items())


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of ascending values."""
    return values[min(len(values) - 1, int(len(values) * share))]


def drain_rate(system: System, wanted: set[str]) -> float:
    """Wait until all queued jobs have run; return jobs per second from the first end to the last."""
    deadline = time.monotonic() + _DONE_S * 2
    while not wanted <= truth.finished(system).keys():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{system.name} did not run all {len(wanted)} jobs")
        time.sleep(0.3)
    ends = sorted(at for job_id, at in truth.finished(system).items() if job_id in wanted)
    return (len(ends) - 1) / max(ends[-1] - ends[0], 0.001)
