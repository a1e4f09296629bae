"""Use cases of jobs for those who submit and watch them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.common.errors import AITraderError, Conflict, FieldError, Invalid
from domain.common.idempotency import key_reused, request_hash
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.jobs.events import job_updated
from domain.jobs.model import Job, JobFilter, NewJob
from domain.jobs.ports import JobQueue, JobsWork, JobTypes

MAX_PAYLOAD_BYTES = 65_536
MAX_PRIORITY = 100
MAX_POSTPONE_MS = 366 * 24 * 3_600_000
MAX_ATTEMPTS = 20

Work = Callable[[], JobsWork]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job, and whether it was made now or found again by its idempotency key."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Turn a request into a job, or refuse it. Touches no database.

    Args:
        secret_in: returns the path of a secret in a payload, or None. Payloads are stored and shown as they are.
    """

    job_types: JobTypes
    clock: Clock
    secret_in: Callable[[Mapping[str, Any]], str | None] = lambda _payload: None

    def __call__(self, new: NewJob) -> Job:
        """Return the job to insert.

        Raises:
            Invalid: unknown type, payload off schema or too large, or a field out of range.
        """
        self._check(new)
        self._refuse_secrets(new.payload)
        payload = self.job_types.validate(new.job_type, new.payload)
        info = self.job_types.info(new.job_type)
        now = self.clock.now_ms()
        return Job(
            id=new_id(),
            user_id=new.user_id,
            job_type=new.job_type,
            queue=info.isolation.queue,
            payload=payload,
            payload_hash=_request_hash(new, payload),
            run_at=now if new.run_at is None else new.run_at,
            max_attempts=info.max_attempts if new.max_attempts is None else new.max_attempts,
            created_at=now,
            priority=new.priority,
            idempotency_key=new.idempotency_key,
            parent_id=new.parent_id,
            trace=new.trace,
        )

    def _refuse_secrets(self, payload: Mapping[str, Any]) -> None:
        path = self.secret_in(payload)
        if path is not None:
            raise Invalid(
                "the payload holds what looks like a secret; payloads are stored and shown, so put it into a setting",
                code="secret_in_payload",
                errors=[FieldError(f"payload.{path}", "looks like a secret")],
            )

    def _check(self, new: NewJob) -> None:
        problems = []
        if not 1 <= len(new.user_id) <= 64:
            problems.append(FieldError("user_id", "must have 1 to 64 characters"))
        if abs(new.priority) > MAX_PRIORITY:
            problems.append(FieldError("priority", f"must be between -{MAX_PRIORITY} and {MAX_PRIORITY}"))
        if new.run_at is not None and not 0 <= new.run_at <= self.clock.now_ms() + MAX_POSTPONE_MS:
            problems.append(FieldError("run_at", "must be within a year from now"))
        if new.max_attempts is not None and not 1 <= new.max_attempts <= MAX_ATTEMPTS:
            problems.append(FieldError("max_attempts", f"must be between 1 and {MAX_ATTEMPTS}"))
        if new.idempotency_key is not None and not 1 <= len(new.idempotency_key) <= 255:
            problems.append(FieldError("Idempotency-Key", "must have 1 to 255 characters"))
        if problems:
            raise Invalid("the job is not valid", code="invalid_job", errors=problems)


def _request_hash(new: NewJob, payload: dict[str, object]) -> str:
    if len(json.dumps(payload)) > MAX_PAYLOAD_BYTES:
        raise Invalid(
            f"the payload has more than {MAX_PAYLOAD_BYTES} bytes",
            code="payload_too_large",
            errors=[FieldError("payload", f"must have at most {MAX_PAYLOAD_BYTES} bytes as JSON")],
        )
    return request_hash([new.job_type, payload, new.priority, new.run_at, new.max_attempts])


@dataclass(frozen=True, slots=True)
class SubmitJobs:
    """Store prepared jobs of any users in one transaction: the group commit behind ``POST /jobs``."""

    unit_of_work: Work
    queue: JobQueue

    def __call__(self, prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        """Return, in order, each job or the reason why it was refused; one refusal does not touch the others."""
        try:
            return self._store(prepared)
        except Conflict as error:
            if error.code != "idempotency_race":
                raise
            return self._one_by_one(prepared)

    def _one_by_one(self, prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        results: list[Submitted | AITraderError] = []
        for job in prepared:
            try:
                results += self._store([job])
            except Conflict:
                # Another process took the key between our look and our insert, so now it can be seen.
                results += self._store([job])
        return results

    def _store(self, prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        with self.unit_of_work() as work:
            known = _known_keys(work, prepared)
            fresh: list[Job] = []
            results: list[Submitted | AITraderError] = []
            for job in prepared:
                earlier = known.get((job.user_id, job.idempotency_key))
                results.append(_again(earlier, job) if earlier else Submitted(job, created=True))
                if earlier is None:
                    fresh.append(job)
                    known.update({(job.user_id, job.idempotency_key): job} if job.idempotency_key else {})
            work.jobs.add(fresh)
            work.outbox.add([job_updated(job) for job in fresh])
            work.after_commit(lambda: self._hint(fresh))
            work.commit()
        return results

    def _hint(self, fresh: Sequence[Job]) -> None:
        for queue in {job.queue for job in fresh}:
            self.queue.hint(queue, [job.id for job in fresh if job.queue == queue])


def _known_keys(work: JobsWork, prepared: Sequence[Job]) -> dict[tuple[str, str | None], Job]:
    known: dict[tuple[str, str | None], Job] = {}
    for user_id in {job.user_id for job in prepared if job.idempotency_key}:
        keys = [job.idempotency_key for job in prepared if job.user_id == user_id and job.idempotency_key]
        known.update({(user_id, key): job for key, job in work.jobs.by_keys(user_id, keys).items()})
    return known


def _again(earlier: Job, job: Job) -> Submitted | AITraderError:
    if earlier.payload_hash == job.payload_hash:
        return Submitted(earlier, created=False)
    return key_reused()


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """Prepare and store one job."""

    prepare: PrepareJob
    submit: SubmitJobs

    def __call__(self, new: NewJob) -> Submitted:
        """Return the job.

        Raises:
            Invalid: see PrepareJob, or the idempotency key was used for another request.
        """
        result = self.submit([self.prepare(new)])[0]
        if isinstance(result, AITraderError):
            raise result
        return result


@dataclass(frozen=True, slots=True)
class GetJob:
    """Read one job of a user."""

    unit_of_work: Work

    def __call__(self, job_id: str, user_id: str | None) -> Job:
        """Return the job; with ``user_id`` None, anyone's.

        Raises:
            NotFound: there is no such job, or it is someone else's.
        """
        with self.unit_of_work() as work:
            return work.jobs.get(job_id, user_id)


@dataclass(frozen=True, slots=True)
class ListJobs:
    """Read jobs, newest first."""

    unit_of_work: Work

    def __call__(self, filter: JobFilter, *, before_id: str | None, limit: int) -> tuple[list[Job], str | None]:
        """Return one page, and the id to continue before; None at the end."""
        with self.unit_of_work() as work:
            found = work.jobs.find(filter, before_id=before_id, limit=limit + 1)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Cancel a job: at once when queued, soon when running; nothing happens when it has ended."""

    unit_of_work: Work

    def __call__(self, job_id: str, user_id: str | None) -> Job:
        """Return the job as it is now.

        Raises:
            NotFound: there is no such job, or it is someone else's.
        """
        with self.unit_of_work() as work:
            job, changed = work.jobs.cancel(job_id, user_id)
            if changed:
                work.outbox.add([job_updated(job)])
            work.commit()
        return job


@dataclass(frozen=True, slots=True)
class RetryJob:
    """Run a failed, dead or canceled job again."""

    unit_of_work: Work
    queue: JobQueue

    def __call__(self, job_id: str, user_id: str | None) -> Job:
        """Return the job, queued.

        Raises:
            NotFound: there is no such job, or it is someone else's.
            Conflict: the job is queued, running or succeeded.
        """
        with self.unit_of_work() as work:
            job = work.jobs.requeue(job_id, user_id)
            work.outbox.add([job_updated(job)])
            work.after_commit(lambda: self.queue.hint(job.queue, [job.id]))
            work.commit()
        return job
