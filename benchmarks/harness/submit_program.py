"""Submits jobs from a program with ``aitrader.enqueue_job``; prints [[id, sent_at], …] as JSON.

With an interval of 0 the jobs are stored in batches, as fast as the product can, for the drain benchmark.
"""

from __future__ import annotations

import json
import sys
import time

from aitrader import enqueue_job

_BATCH = 100


def steadily(job_type: str, count: int, interval_s: float) -> list[tuple[str, float]]:
    """Submit one job after the other at a steady rate."""
    enqueue_job(job_type, "owner", {})  # the first call builds the application
    time.sleep(1.0)
    sent = []
    start = time.monotonic()
    for number in range(count):
        due = start + (number + 0.37 * ((number * 0.618) % 1)) * interval_s
        time.sleep(max(0.0, due - time.monotonic()))
        sent_at = time.time()
        sent.append((enqueue_job(job_type, "owner", {}), sent_at))
    return sent


def at_once(job_type: str, count: int) -> list[tuple[str, float]]:
    """Submit all jobs as quickly as possible."""
    from aitrader.bootstrap import client_application
    from domain.jobs.model import NewJob

    parts = client_application()
    prepare, submit, owner = parts.prepare_job(), parts.submit_jobs(), parts.user_ids()("owner")
    sent: list[tuple[str, float]] = []
    while len(sent) < count:
        size = min(_BATCH, count - len(sent))
        jobs = [prepare(NewJob(user_id=owner, job_type=job_type, payload={})) for _ in range(size)]
        submit(jobs)
        sent += [(job.id, time.time()) for job in jobs]
    return sent


def main(job_type: str, count: int, interval_s: float) -> None:
    """Submit ``count`` jobs."""
    json.dump(steadily(job_type, count, interval_s) if interval_s else at_once(job_type, count), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
