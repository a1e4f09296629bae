"""What the HTTP adapter needs from the rest of the program, and its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from domain.common.events import EventBus
from domain.common.health import HealthReport
from domain.common.unit_of_work import UnitOfWork
from domain.jobs.model import Artifact
from domain.jobs.ports import JobTypes
from domain.jobs.services import CancelJob, GetJob, ListJobs, PrepareJob, RetryJob, SubmitJobs


@dataclass(frozen=True, slots=True)
class HttpServices:
    """Use cases and ports, made by the composition root.

    Args:
        artifact_path: the absolute path of an artifact of a job.
        events: opens a (read-only) unit of work whose outbox the WebSocket hub reads.
        user_id: whom every request acts as until there are logins.
    """

    prepare_job: PrepareJob
    submit_jobs: SubmitJobs
    get_job: GetJob
    list_jobs: ListJobs
    cancel_job: CancelJob
    retry_job: RetryJob
    job_types: JobTypes
    artifact_path: Callable[[Artifact], Path]
    events: Callable[[], UnitOfWork]
    bus: EventBus
    health: HealthReport
    version: str
    user_id: str


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Limits and switches of the HTTP adapter. Times are seconds, sizes bytes.

    Args:
        threads: how many use cases run at once.
        max_in_flight: how many may run or wait; more are answered 503.
        max_batch: how many ``POST /jobs`` are written in one transaction at most.
        max_waiting: how many ``POST /jobs`` may wait for their transaction; more are answered 503.
        body_timeout: how long a request body may take.
        allowed_hosts: accepted ``Host`` names without port; empty accepts any.
        allowed_origins: origins besides our own that may write and open WebSockets.
        heal_interval: how often the hub looks for events that the bus lost.
        send_timeout: how long one WebSocket frame may take to leave.
    """

    threads: int = 8
    max_in_flight: int = 256
    max_batch: int = 64
    max_waiting: int = 1024
    max_body: int = 262_144
    body_timeout: float = 10.0
    docs: bool = True
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_ws_clients: int = 1000
    heal_interval: float = 2.0
    send_timeout: float = 5.0
