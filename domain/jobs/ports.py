"""Ports of the jobs context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from domain.common.unit_of_work import UnitOfWork
from domain.intelligence.work import ModelRepository, SentimentRepository, SuggestionRepository
from domain.jobs.context import JobContext
from domain.jobs.model import (
    Canceled,
    Ending,
    Isolation,
    Job,
    JobFilter,
    JobState,
    JobTypeInfo,
    LeaseLost,
    Outcome,
    Released,
)
from domain.research.model import BacktestResult


class JobType(Protocol):
    """A kind of job. Inherit it and override; registered by the hook ``aitrader_register_job_types``.

    ``payload_type`` and ``result_type`` are pydantic models or dataclasses; their JSON Schemas are published.
    ``deadline_s`` is the longest an attempt may run, in seconds. ``needs`` names ports of the context.
    ``example`` is a payload that validates.
    """

    name: str
    title: str
    payload_type: type[Any]
    result_type: type[Any]
    isolation: Isolation = Isolation.PROCESS
    max_attempts: int = 3
    deadline_s: float = 3600.0
    needs: tuple[str, ...] = ()
    example: Mapping[str, Any] = {}

    def run(self, context: JobContext, payload: Any) -> Any:
        """Do the work on a validated ``payload_type`` and return a ``result_type``.

        May run more than once for the same job: effects go through ``context`` only.

        Raises:
            AITraderError: retried when ``retryable``, else the job fails at once. Any other exception is retried.
        """
        ...


class JobTypes(Protocol):
    """The job types that this process knows."""

    def names(self) -> Sequence[str]:
        """Return the names, sorted."""
        ...

    def info(self, name: str) -> JobTypeInfo:
        """Return what is published about a job type.

        Raises:
            NotFound: no plugin registered it.
        """
        ...

    def validate(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload in its canonical JSON form, defaults filled in.

        Raises:
            Invalid: unknown job type, or the payload is off schema; fields start with ``payload.``.
        """
        ...


class JobRepository(Protocol):
    """Jobs in SQL. Leases use the database's own clock."""

    def add(self, jobs: Sequence[Job]) -> None:
        """Insert jobs.

        Raises:
            Conflict: an idempotency key is already taken.
        """
        ...

    def get(self, job_id: str, user_id: str | None = None) -> Job:
        """Return a job; with ``user_id``, only if it belongs to that user.

        Raises:
            NotFound: there is no such job, or it is someone else's.
        """
        ...

    def by_keys(self, user_id: str, keys: Sequence[str]) -> dict[str, Job]:
        """Return the user's jobs that hold these idempotency keys."""
        ...

    def find(self, filter: JobFilter, *, before_id: str | None, limit: int) -> list[Job]:
        """Return jobs, newest first, older than ``before_id``."""
        ...

    def claim(self, queue: str, job_types: Sequence[str], *, owner: str, token: str, lease_ms: int) -> Job | None:
        """Take the most urgent due job: queued → running, attempt + 1. None when there is none."""
        ...

    def renew(self, held: Mapping[str, str], *, lease_ms: int) -> dict[str, bool]:
        """Extend the leases of {job id: token}; return {job id: cancel requested} of those still held."""
        ...

    def report(self, job_id: str, token: str, fraction: float, message: str) -> Job | None:
        """Store progress of a held job and return it; None when the lease is lost."""
        ...

    def end(self, job_id: str, token: str, ending: Ending) -> Job | None:
        """Write a held job back and drop its lease; None when the lease is lost. Cancel beats another try."""
        ...

    def cancel(self, job_id: str, user_id: str | None) -> tuple[Job, bool]:
        """queued → canceled; running → cancel requested; terminal → as is. Return the job and whether it changed.

        Raises:
            NotFound: there is no such job, or it is someone else's.
        """
        ...

    def requeue(self, job_id: str, user_id: str | None) -> Job:
        """failed, dead or canceled → queued, attempts counted anew.

        Raises:
            NotFound: there is no such job, or it is someone else's.
            Conflict: the job is queued, running or succeeded.
        """
        ...

    def expire(self, limit: int) -> list[Job]:
        """Move running jobs whose lease ran out to queued, dead or canceled; return them as they are now."""
        ...

    def due(self, job_types: Sequence[str]) -> dict[str, int]:
        """Return {queue: number of queued jobs that could run now}."""
        ...

    def next_run_at(self) -> int | None:
        """Return in how many milliseconds the next postponed job is due; None when there is none."""
        ...

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        ...


class BacktestResults(Protocol):
    """Rows of ``backtest_results``."""

    def add(self, job: Job, row: BacktestResult) -> None:
        """Insert a row for the job, unique by (job, step)."""
        ...

    def of_job(self, job_id: str) -> list[BacktestResult]:
        """Return the rows of one job, ordered by step."""
        ...


class WorkerBeats(Protocol):
    """Which worker processes are alive."""

    def beat(self, worker_id: str, *, host: str, pid: int, role: str, url: str) -> None:
        """Say that this process is alive."""
        ...

    def leave(self, worker_id: str) -> None:
        """Say that this process has stopped."""
        ...

    def alive(self, within_ms: int) -> list[dict[str, Any]]:
        """Return processes that beat within so many milliseconds."""
        ...


class JobsWork(UnitOfWork, Protocol):
    """The part of a unit of work that jobs may touch."""

    @property
    def jobs(self) -> JobRepository:
        """Jobs."""
        ...

    @property
    def backtest_results(self) -> BacktestResults:
        """Results of backtests."""
        ...

    @property
    def models(self) -> ModelRepository:
        """Models."""
        ...

    @property
    def suggestions(self) -> SuggestionRepository:
        """Suggestions."""
        ...

    @property
    def sentiments(self) -> SentimentRepository:
        """Scored texts."""
        ...

    @property
    def workers(self) -> WorkerBeats:
        """Liveness of worker processes."""
        ...


class JobQueue(Protocol):
    """Wakes workers. Carries hints only: a lost or doubled hint is harmless, SQL decides who runs what."""

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        """Ask that one worker per id looks for a due job in ``queue``.

        Raises:
            Unavailable: the transport did not answer; the sweeper will ask again.
        """
        ...

    def pending(self, queue: str) -> int:
        """Return how many hints wait to be taken.

        Raises:
            Unavailable: the transport did not answer.
        """
        ...

    def close(self) -> None:
        """Release connections. Idempotent."""
        ...


class JobConsumer(Protocol):
    """Takes hints and calls ``work(queue)`` for each, in its own threads."""

    def start(self, slots: Mapping[str, int], work: Callable[[str], object]) -> None:
        """Begin, with so many concurrent calls per queue."""
        ...

    def stop(self, timeout_s: float) -> bool:
        """Take no more hints; wait for running calls. Return whether all ended in time."""
        ...


class Lease(Protocol):
    """A job held by this process, kept alive by a heartbeat in another thread."""

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        ...

    def verdict(self) -> Canceled | Released | LeaseLost | None:
        """Return why the job must stop now; None to go on."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is a verdict, or the time is up."""
        ...

    def report(self, fraction: float, message: str) -> None:
        """Store progress, at most twice a second; later calls replace earlier ones."""
        ...


class Executor(Protocol):
    """Runs one attempt to its end."""

    def run(self, lease: Lease, info: JobTypeInfo) -> Outcome:
        """Return how the attempt ended. Never raises for what the job itself did."""
        ...

    def close(self) -> None:
        """Stop everything that still runs, at once."""
        ...
