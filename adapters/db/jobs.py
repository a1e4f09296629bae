"""Jobs in SQL: claim, lease, progress and end are single fenced statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Update, bindparam, case, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from adapters.db.tables import jobs
from adapters.db.types import now_ms
from domain.common.errors import Conflict, NotFound
from domain.jobs.model import Artifact, Ending, Job, JobFilter, JobState

_RETRYABLE = (JobState.FAILED, JobState.DEAD, JobState.CANCELED)


def to_job(row: Row[Any]) -> Job:
    """Return the entity of a ``jobs`` row."""
    fields = dict(row._mapping)
    fields["status"] = JobState(fields["status"])
    fields["artifacts"] = tuple(Artifact(**item) for item in fields["artifacts"] or ())
    return Job(**fields)


def _to_row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "user_id": job.user_id,
        "job_type": job.job_type,
        "queue": job.queue,
        "priority": job.priority,
        "payload": job.payload,
        "payload_hash": job.payload_hash,
        "idempotency_key": job.idempotency_key,
        "status": job.status.value,
        "run_at": job.run_at,
        "max_attempts": job.max_attempts,
        "parent_id": job.parent_id,
        "trace": job.trace,
        "created_at": job.created_at,
    }


class SqlJobs:
    """The job repository of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: Sequence[Job]) -> None:
        """Insert jobs."""
        if not new:
            return
        try:
            self._connection.execute(insert(jobs), [_to_row(job) for job in new])
        except IntegrityError as error:
            raise Conflict("the idempotency key is taken", code="idempotency_race") from error

    def get(self, job_id: str, user_id: str | None = None) -> Job:
        """Return a job, only if it is the user's."""
        row = self._connection.execute(select(jobs).where(*_whose(job_id, user_id))).one_or_none()
        if row is None:
            raise NotFound("there is no such job", code="job_not_found")
        return to_job(row)

    def by_keys(self, user_id: str, keys: Sequence[str]) -> dict[str, Job]:
        """Return the user's jobs that hold these idempotency keys."""
        if not keys:
            return {}
        query = select(jobs).where(jobs.c.user_id == user_id, jobs.c.idempotency_key.in_(keys))
        found = [to_job(row) for row in self._connection.execute(query)]
        return {str(job.idempotency_key): job for job in found}

    def find(self, filter: JobFilter, *, before_id: str | None, limit: int) -> list[Job]:
        """Return jobs, newest first."""
        wanted: list[tuple[Any, Callable[[Any], Any]]] = [
            (filter.user_id, jobs.c.user_id.__eq__),
            (filter.status, jobs.c.status.__eq__),
            (filter.job_type, jobs.c.job_type.__eq__),
            (filter.created_after, jobs.c.created_at.__ge__),
            (filter.created_before, jobs.c.created_at.__lt__),
            (before_id, jobs.c.id.__lt__),
        ]
        query = select(jobs).where(*(compare(value) for value, compare in wanted if value is not None))
        return [to_job(row) for row in self._connection.execute(query.order_by(jobs.c.id.desc()).limit(limit))]

    def claim(self, queue: str, job_types: Sequence[str], *, owner: str, token: str, lease_ms: int) -> Job | None:
        """Take the most urgent due job."""
        wanted = {"in_queue": queue, "types": list(job_types)}
        lease = {"owner": owner, "token": token, "lease_ms": lease_ms}
        return self._change(_claiming(), wanted | lease)

    def renew(self, held: Mapping[str, str], *, lease_ms: int) -> dict[str, bool]:
        """Extend leases that are still ours; say which are to be canceled."""
        if not held:
            return {}
        rows = self._connection.execute(
            update(jobs)
            .where(
                tuple_(jobs.c.id, jobs.c.lease_token).in_(list(held.items())),
                jobs.c.status == JobState.RUNNING,
            )
            .values(lease_until=now_ms() + lease_ms)
            .returning(jobs.c.id, jobs.c.cancel_requested_at)
        )
        return {job_id: requested is not None for job_id, requested in rows}

    def report(self, job_id: str, token: str, fraction: float, message: str) -> Job | None:
        """Store progress of a held job; it never goes back within an attempt."""
        return self._change(
            update(jobs)
            .where(*_held(job_id, token))
            .values(
                progress=case((jobs.c.progress > fraction, jobs.c.progress), else_=fraction),
                progress_message=_storable(message),
                progress_seq=jobs.c.progress_seq + 1,
            )
        )

    def end(self, job_id: str, token: str, ending: Ending) -> Job | None:
        """Write a held job back. A job to be canceled is never tried again."""
        shape = _Shape(
            again=ending.status is JobState.QUEUED,
            succeeded=ending.status is JobState.SUCCEEDED,
            refund=ending.refund_attempt,
        )
        values: dict[str, Any] = {
            "job_id": job_id,
            "token": token,
            "to_result": ending.result,
            "to_artifacts": [asdict(artifact) for artifact in ending.artifacts] or None,
            "to_code": ending.error_code,
            "to_error": None if ending.error is None else _storable(ending.error),
        }
        values |= {"delay_ms": ending.delay_ms} if shape.again else {"to_status": ending.status.value}
        return self._change(_ending(shape), values)

    def cancel(self, job_id: str, user_id: str | None) -> tuple[Job, bool]:
        """Cancel a queued job, ask a running one to stop, leave an ended one."""
        # One statement: between two, another transaction could move the job back from running to queued.
        queued = jobs.c.status == JobState.QUEUED
        running = (jobs.c.status == JobState.RUNNING) & jobs.c.cancel_requested_at.is_(None)
        changed = self._change(
            update(jobs)
            .where(*_whose(job_id, user_id), queued | running)
            .values(
                status=case((queued, JobState.CANCELED.value), else_=jobs.c.status),
                finished_at=case((queued, now_ms()), else_=jobs.c.finished_at),
                cancel_requested_at=now_ms(),
            )
        )
        return (changed, True) if changed is not None else (self.get(job_id, user_id), False)

    def requeue(self, job_id: str, user_id: str | None) -> Job:
        """Run an ended job again, attempts counted anew."""
        again = self._change(
            update(jobs)
            .where(*_whose(job_id, user_id), jobs.c.status.in_(_RETRYABLE))
            .values(
                status=JobState.QUEUED.value,
                run_at=now_ms(),
                attempt=0,
                progress=0.0,
                progress_message="",
                cancel_requested_at=None,
                started_at=None,
                finished_at=None,
                error_code=None,
                error=None,
            )
        )
        if again is not None:
            return again
        job = self.get(job_id, user_id)
        raise Conflict(
            f"the job is {job.status}; only failed, dead or canceled jobs can be retried",
            code="job_not_retryable",
        )

    def expire(self, limit: int) -> list[Job]:
        """Take back jobs whose worker stopped beating."""
        expired = (
            select(jobs.c.id)
            .where(jobs.c.status == JobState.RUNNING, jobs.c.lease_until < now_ms())
            .order_by(jobs.c.lease_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("expired")  # a subquery may be run once per row, each time with another limit's worth of rows
        )
        to_cancel = jobs.c.cancel_requested_at.is_not(None)
        exhausted = jobs.c.attempt >= jobs.c.max_attempts
        rows = self._connection.execute(
            update(jobs)
            .where(jobs.c.id.in_(select(expired.c.id)), jobs.c.status == JobState.RUNNING)
            .values(
                status=case(
                    (to_cancel, JobState.CANCELED.value),
                    (exhausted, JobState.DEAD.value),
                    else_=JobState.QUEUED.value,
                ),
                finished_at=case((to_cancel | exhausted, now_ms()), else_=None),
                run_at=now_ms(),
                error_code="worker_died",
                error="the worker that ran the job died or lost its lease",
                lease_token=None,
                lease_until=None,
                lease_owner=None,
            )
            .returning(jobs)
        )
        return [to_job(row) for row in rows]

    def due(self, job_types: Sequence[str]) -> dict[str, int]:
        """Return how many queued jobs could run now, by queue."""
        rows = self._connection.execute(
            select(jobs.c.queue, func.count())
            .where(jobs.c.status == JobState.QUEUED, jobs.c.run_at <= now_ms(), jobs.c.job_type.in_(job_types))
            .group_by(jobs.c.queue)
        )
        return {str(queue): int(count) for queue, count in rows}

    def next_run_at(self) -> int | None:
        """Return in how many milliseconds the next postponed job is due."""
        query = select(func.min(jobs.c.run_at) - now_ms()).where(
            jobs.c.status == JobState.QUEUED, jobs.c.run_at > now_ms()
        )
        wait: int | None = self._connection.execute(query).scalar()
        return wait

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        rows = self._connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status))
        found = {JobState(status): count for status, count in rows}
        return {state: found.get(state, 0) for state in JobState}

    def _change(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Job | None:
        row = self._connection.execute(statement.returning(jobs), parameters).one_or_none()
        return None if row is None else to_job(row)


@cache
def _claiming() -> Update:
    """Built once, as is every statement that runs for each job: building takes longer than running it."""
    next_id = (
        select(jobs.c.id)
        .where(
            jobs.c.status == JobState.QUEUED,
            jobs.c.queue == bindparam("in_queue"),
            jobs.c.run_at <= now_ms(),
            jobs.c.job_type.in_(bindparam("types", expanding=True)),
        )
        .order_by(jobs.c.priority.desc(), jobs.c.run_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(jobs)
        .where(jobs.c.id == next_id, jobs.c.status == JobState.QUEUED)
        .values(
            status=JobState.RUNNING.value,
            attempt=jobs.c.attempt + 1,
            lease_token=bindparam("token"),
            lease_owner=bindparam("owner"),
            lease_until=now_ms() + bindparam("lease_ms", type_=BigInteger),
            progress=0.0,
            progress_message="",
            started_at=func.coalesce(jobs.c.started_at, now_ms()),
        )
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides which columns an ending writes."""

    again: bool
    succeeded: bool
    refund: bool


@cache
def _ending(shape: _Shape) -> Update:
    values: dict[str, Any] = {
        "status": bindparam("to_status"),
        "run_at": now_ms() + bindparam("delay_ms", type_=BigInteger) if shape.again else jobs.c.run_at,
        "result": bindparam("to_result"),
        "artifacts": bindparam("to_artifacts"),
        "error_code": bindparam("to_code"),
        "error": bindparam("to_error"),
        "lease_token": None,
        "lease_until": None,
        "lease_owner": None,
        "finished_at": now_ms(),
    }
    if shape.succeeded:
        values |= {"progress": 1.0, "progress_message": ""}
    if shape.refund:
        values["attempt"] = jobs.c.attempt - 1
    if shape.again:
        canceled = jobs.c.cancel_requested_at.is_not(None)
        values["status"] = case((canceled, JobState.CANCELED.value), else_=JobState.QUEUED.value)
        values["finished_at"] = case((canceled, now_ms()), else_=None)
    return update(jobs).where(*_held(bindparam("job_id"), bindparam("token"))).values(**values)


def _whose(job_id: str, user_id: str | None) -> tuple[Any, ...]:
    if user_id is None:
        return (jobs.c.id == job_id,)
    return (jobs.c.id == job_id, jobs.c.user_id == user_id)


def _held(job_id: Any, token: Any) -> tuple[Any, ...]:
    return (jobs.c.id == job_id, jobs.c.lease_token == token, jobs.c.status == JobState.RUNNING)


def _storable(text: str) -> str:
    """Return text that every database takes: job code may put anything into a message."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
