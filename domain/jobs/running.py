"""Use cases of jobs for those who run them: claim, run, end, take back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from domain.common.errors import AITraderError, Invalid, Unavailable
from domain.common.ids import new_id
from domain.common.notify import Notifier
from domain.jobs.events import job_updated
from domain.jobs.leases import HeldLease, LeaseKeeper
from domain.jobs.model import (
    Canceled,
    Crashed,
    Ending,
    Failed,
    Isolation,
    Job,
    JobState,
    LeaseLost,
    Outcome,
    Record,
    Released,
    Succeeded,
)
from domain.jobs.ports import Executor, JobQueue, JobsWork, JobTypes
from domain.jobs.records import store_record
from domain.jobs.services import PrepareJob

log = logging.getLogger(__name__)

Work = Callable[[], JobsWork]

_FIRST_BACKOFF_MS = 2_000
_LONGEST_BACKOFF_MS = 300_000
_FINISH_RETRY_S = 1.0


def backoff_ms(job_id: str, attempt: int) -> int:
    """Return how long to wait after attempt n: 2 s doubling to 5 min, plus up to a quarter by job id.

    The spread keeps jobs that failed together from coming back together, and is the same in every run.
    """
    base: int = min(_LONGEST_BACKOFF_MS, _FIRST_BACKOFF_MS * 2 ** min(attempt - 1, 10))
    spread = sum(job_id.encode()) % 256 / 1024
    return int(base * (1 + spread))


def ending_of(job: Job, outcome: Outcome) -> Ending | None:
    """Return how a held job is written back after ``outcome``; None when it is not ours any more."""
    again = job.attempt < job.max_attempts
    delay = backoff_ms(job.id, job.attempt)
    match outcome:
        case Succeeded():
            return Ending(JobState.SUCCEEDED, result=outcome.result, artifacts=outcome.artifacts)
        case Failed(code=code, error=error, retryable=retryable):
            if again and retryable:
                return Ending(JobState.QUEUED, delay_ms=delay, error_code=code, error=error)
            return Ending(JobState.FAILED, error_code=code, error=error)
        case Crashed(error=error):
            if again:
                return Ending(JobState.QUEUED, delay_ms=delay, error_code="worker_died", error=error)
            return Ending(JobState.DEAD, error_code="worker_died", error=error)
        case Canceled():
            return Ending(JobState.CANCELED, error_code="canceled", error="canceled on request")
        case Released():
            return Ending(JobState.QUEUED, refund_attempt=True)
        case LeaseLost():
            return None


@dataclass(frozen=True, slots=True)
class EndJob:
    """Write a held job back with its effects, in one transaction, or not at all."""

    unit_of_work: Work
    queue: JobQueue
    notifier: Notifier
    prepare: PrepareJob

    def __call__(self, job: Job, outcome: Outcome) -> Job | None:
        """Return the job as it is now; None when the lease was lost and nothing was written.

        Raises:
            Unavailable: the database did not answer; try again while the lease holds.
        """
        ending = ending_of(job, outcome)
        if ending is None:
            return None
        with self.unit_of_work() as work:
            ended = work.jobs.end(job.id, str(job.lease_token), ending)
            if ended is None:
                return None
            children = self._store_effects(work, ended, outcome)
            work.outbox.add([job_updated(changed) for changed in (ended, *children)])
            work.after_commit(lambda: self._hint(children))
            work.commit()
        if ended.status is JobState.DEAD:
            tell_of_dead(self.notifier, ended)
        return ended

    def _store_effects(self, work: JobsWork, job: Job, outcome: Outcome) -> list[Job]:
        if not isinstance(outcome, Succeeded):
            return []
        for record in outcome.records:
            if not isinstance(record, Record):
                raise Invalid(f"a job cannot record a {type(record).__name__}", code="unknown_record")
            store_record(work, job, record)
        children = [self.prepare(replace(child, user_id=job.user_id, parent_id=job.id)) for child in outcome.children]
        work.jobs.add(children)
        return children

    def _hint(self, children: list[Job]) -> None:
        for child in children:
            self.queue.hint(child.queue, [child.id])


def tell_of_dead(notifier: Notifier, job: Job) -> None:
    """Alert that a job is dead; a notifier that does not answer is only logged."""
    log.error("job is dead", extra={"job_id": job.id, "job_type": job.job_type, "attempt": job.attempt})
    try:
        notifier.send(
            f"AITrader: {job.job_type} job is dead",
            f"Job {job.id} ({job.job_type}) killed its worker {job.attempt} times and will not be tried again. "
            f"Look at it with: aitrader jobs show {job.id}",
        )
    except Unavailable as error:
        log.warning("the notifier did not answer", extra={"error": error.detail})


@dataclass(frozen=True, slots=True)
class RunNextJob:
    """Claim the most urgent due job of a queue and run it to its end."""

    unit_of_work: Work
    job_types: JobTypes
    leases: LeaseKeeper
    executors: Mapping[Isolation, Executor]
    end: EndJob
    owner: str
    accepting: Callable[[], bool] = field(default=lambda: True)

    def __call__(self, queue: str) -> Job | None:
        """Return the job that was run, as it ended; None when there was nothing to do or the lease was lost."""
        if not self.accepting():
            return None
        job = self._claim(queue)
        if job is None:
            return None
        lease = self.leases.hold(job)
        try:
            outcome = self._run(lease)
            return self._end(lease, outcome)
        finally:
            self.leases.drop(lease)

    def _claim(self, queue: str) -> Job | None:
        with self.unit_of_work() as work:
            job = work.jobs.claim(
                queue, self.job_types.names(), owner=self.owner, token=new_id(), lease_ms=self.leases.lease_ms
            )
            if job is None:
                return None
            work.outbox.add([job_updated(job)])
            work.commit()
        return job

    def _run(self, lease: HeldLease) -> Outcome:
        info = self.job_types.info(lease.job.job_type)
        outcome = self.executors[info.isolation].run(lease, info)
        if isinstance(lease.verdict(), LeaseLost):
            return LeaseLost()
        return outcome

    def _end(self, lease: HeldLease, outcome: Outcome) -> Job | None:
        """Write the outcome, trying again while the lease holds: losing it would run the job twice."""
        while True:
            try:
                ended = self.end(lease.job, outcome)
                break
            except Exception as error:
                if _may_pass(error):
                    log.warning("could not end a job yet", extra={"job_id": lease.job.id, "error": str(error)})
                    if isinstance(lease.verdict(), LeaseLost):
                        return None
                    self.leases.clock.sleep(_FINISH_RETRY_S)
                elif isinstance(outcome, Failed):
                    raise
                else:
                    outcome = _unstorable(error, lease.job)
        if ended is None:
            log.warning("lease lost, result discarded", extra={"job_id": lease.job.id})
        return ended


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unavailable) or getattr(error, "code", "") == "serialization_conflict"


def _unstorable(error: Exception, job: Job) -> Failed:
    if isinstance(error, AITraderError):
        return Failed(error.code, error.detail, retryable=False)
    log.exception("the outcome of a job could not be stored", extra={"job_id": job.id})
    return Failed("unstorable_result", f"{type(error).__name__}: {error}"[:500], retryable=False)


@dataclass(frozen=True, slots=True)
class SweepJobs:
    """Make the loss of workers and hints harmless: take back expired jobs, ask again for due ones."""

    unit_of_work: Work
    queue: JobQueue
    job_types: JobTypes
    notifier: Notifier
    batch: int = 200
    most_hints: int = 1000

    def __call__(self) -> int | None:
        """Sweep once. Return in how many milliseconds the next postponed job is due; None when there is none.

        Raises:
            Unavailable: the database or the transport did not answer.
        """
        with self.unit_of_work() as work:
            taken_back = work.jobs.expire(self.batch)
            work.outbox.add([job_updated(job) for job in taken_back])
            due = work.jobs.due(self.job_types.names())
            wait = work.jobs.next_run_at()
            work.commit()
        for job in taken_back:
            log.warning("lease expired", extra={"job_id": job.id, "status": job.status, "attempt": job.attempt})
            if job.status is JobState.DEAD:
                tell_of_dead(self.notifier, job)
        for queue, count in due.items():
            self._top_up(queue, count)
        return wait

    def _top_up(self, queue: str, due: int) -> None:
        missing = min(due - self.queue.pending(queue), self.most_hints)
        if missing > 0:
            self.queue.hint(queue, ["sweep"] * missing)
