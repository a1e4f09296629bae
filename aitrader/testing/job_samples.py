"""Jobs for the contract suites, and short ways to bring them into a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from domain.common.ids import new_id
from domain.jobs.model import Ending, Job, JobState
from domain.jobs.ports import JobsWork

Work = Callable[[], JobsWork]
Age = Callable[[str, int], None]
T = TypeVar("T")

HOUR_MS = 3_600_000
LONG_AGO_MS = 1_600_000_000_000
FAR_MS = 4_000_000_000_000
LEASE_MS = 30_000


def make_job(**fields: Any) -> Job:
    """Return a queued job of ``alice`` that is due, with some fields replaced."""
    values: dict[str, Any] = {
        "id": new_id(),
        "user_id": "alice",
        "job_type": "noop",
        "queue": "default",
        "payload": {"symbols": ["NSE:RELIANCE"], "n": 1, "deep": {"x": [1.5, None, True, "₹ ☃"]}},
        "payload_hash": "0" * 64,
        "run_at": LONG_AGO_MS,
        "max_attempts": 3,
        "created_at": LONG_AGO_MS,
    }
    return Job(**{**values, **fields})


def do(work: Work, action: Callable[[JobsWork], T]) -> T:
    """Run one action in a unit of work of its own and commit it."""
    with work() as unit:
        result = action(unit)
        unit.commit()
    return result


def add(work: Work, *jobs: Job) -> Job:
    """Store jobs; return the last."""
    do(work, lambda unit: unit.jobs.add(jobs))
    return jobs[-1]


def get(work: Work, job_id: str) -> Job:
    """Read a job."""
    with work() as unit:
        return unit.jobs.get(job_id)


def claim(work: Work, *types: str, queue: str = "default", owner: str = "w1", lease_ms: int = LEASE_MS) -> Job | None:
    """Claim a job of some types (``noop`` when none is given)."""
    names = types or ("noop",)
    return do(work, lambda unit: unit.jobs.claim(queue, names, owner=owner, token=new_id(), lease_ms=lease_ms))


def running(work: Work, **fields: Any) -> Job:
    """Store a job and claim it; it must be the only one that is due."""
    stored = add(work, make_job(**fields))
    held = claim(work, stored.job_type, queue=stored.queue)
    assert held is not None
    assert held.id == stored.id
    return held


def end(work: Work, held: Job, ending: Ending) -> Job | None:
    """End a held job."""
    return do(work, lambda unit: unit.jobs.end(held.id, str(held.lease_token), ending))


def in_state(work: Work, state: JobState, **fields: Any) -> Job:
    """Store a job and bring it into a state."""
    if state is JobState.QUEUED:
        return add(work, make_job(**fields))
    held = running(work, **fields)
    if state is JobState.RUNNING:
        return held
    ended = end(work, held, Ending(state, result={"n": 1} if state is JobState.SUCCEEDED else None))
    assert ended is not None
    assert ended.status is state
    return ended
