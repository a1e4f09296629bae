"""The job and its states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.common.errors import AITraderError
from domain.intelligence.models import Model
from domain.intelligence.news import ScoredText
from domain.intelligence.suggestions import Suggestion
from domain.research.model import BacktestResult


class JobState(StrEnum):
    """Where a job is.

    ``failed``: ended by its own error after the last attempt. ``dead``: poison, its worker died each time.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    DEAD = "dead"

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Isolation(StrEnum):
    """Where a job type runs. ``process`` can be killed; ``thread`` must call ``context.check()`` often."""

    PROCESS = "process"
    THREAD = "thread"

    @property
    def queue(self) -> str:
        """The queue of this isolation: one per kind of worker slot."""
        return "cpu" if self is Isolation.PROCESS else "default"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a job made. ``path`` is relative to the artifacts directory."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a job type for a user. Times are milliseconds UTC; ``progress`` is a fraction 0…1."""

    id: str
    user_id: str
    job_type: str
    queue: str
    payload: dict[str, Any]
    payload_hash: str
    run_at: int
    max_attempts: int
    created_at: int
    priority: int = 0
    idempotency_key: str | None = None
    status: JobState = JobState.QUEUED
    attempt: int = 0
    lease_token: str | None = None
    lease_until: int | None = None
    lease_owner: str | None = None
    cancel_requested_at: int | None = None
    progress: float = 0.0
    progress_message: str = ""
    progress_seq: int = 0
    parent_id: str | None = None
    result: dict[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    trace: str | None = None
    started_at: int | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A request to run a job. ``run_at`` in milliseconds UTC; None means now."""

    user_id: str
    job_type: str
    payload: Mapping[str, Any]
    priority: int = 0
    run_at: int | None = None
    max_attempts: int | None = None
    idempotency_key: str | None = None
    parent_id: str | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. None means any."""

    user_id: str | None = None
    status: JobState | None = None
    job_type: str | None = None
    created_after: int | None = None
    created_before: int | None = None


Record = BacktestResult | Model | Suggestion | ScoredText
"""A row that a job may leave in SQL: stored in the transaction that ends it, once or not at all."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt ended well. ``records`` and ``children`` are stored in the same transaction as the state."""

    result: dict[str, Any]
    artifacts: tuple[Artifact, ...] = ()
    records: tuple[Record, ...] = ()
    children: tuple[NewJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended with an error of its own. ``error`` is one line for the user."""

    code: str
    error: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that ran the attempt died."""

    error: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """The attempt stopped because cancel was requested."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker is stopping and hands the job back; the attempt does not count."""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another worker owns the job now; nothing of this attempt may be stored."""


Outcome = Succeeded | Failed | Crashed | Canceled | Released | LeaseLost


@dataclass(frozen=True, slots=True)
class Ending:
    """How a held job is written back: its next state and what comes with it.

    ``delay_ms`` postpones the next try; ``refund_attempt`` makes this attempt not count.
    """

    status: JobState
    delay_ms: int = 0
    result: dict[str, Any] | None = None
    artifacts: tuple[Artifact, ...] = ()
    error_code: str | None = None
    error: str | None = None
    refund_attempt: bool = False


class JobCanceled(AITraderError):
    """The job was canceled."""

    code = "canceled"


class JobLeaseLost(AITraderError):
    """The lease ran out and another worker may own the job."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class JobTypeInfo:
    """What is published about a job type: JSON Schemas of payload and result, and its limits."""

    name: str
    title: str
    description: str
    isolation: Isolation
    max_attempts: int
    deadline_s: float
    payload_schema: dict[str, Any] = field(default_factory=dict)
    result_schema: dict[str, Any] = field(default_factory=dict)
    example: dict[str, Any] = field(default_factory=dict)
    plugin: str = ""
