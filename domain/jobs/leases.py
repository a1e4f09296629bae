"""Leases held by this process and the heartbeat that keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from domain.common.errors import AITraderError
from domain.common.time import Clock
from domain.jobs.events import job_updated
from domain.jobs.model import Canceled, Job, LeaseLost, Released
from domain.jobs.ports import JobsWork

_PROGRESS_EVERY_S = 0.5

Verdict = Canceled | Released | LeaseLost


class HeldLease:
    """One job held by this process. Thread-safe."""

    def __init__(self, job: Job, keeper: LeaseKeeper) -> None:
        self._job = job
        self._keeper = keeper
        self._verdict: Verdict | None = None
        self._changed = threading.Event()
        self._last_report = float("-inf")
        self.last_beat = keeper.clock.monotonic()

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        return self._job

    def verdict(self) -> Verdict | None:
        """Return why the job must stop now. A lease not renewed in time counts as lost before it runs out."""
        if self._keeper.clock.monotonic() - self.last_beat > self._keeper.guard_s:
            self.stop(LeaseLost())
        return self._verdict

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is a verdict, or the time is up."""
        self._changed.wait(timeout_s)

    def stop(self, verdict: Verdict) -> None:
        """Tell the job to stop; the first verdict stays, except that a lost lease outranks all."""
        if self._verdict is None or isinstance(verdict, LeaseLost):
            self._verdict = verdict
        self._changed.set()

    def report(self, fraction: float, message: str) -> None:
        """Store progress, at most twice a second."""
        now = self._keeper.clock.monotonic()
        if now - self._last_report < _PROGRESS_EVERY_S:
            return
        self._last_report = now
        self._keeper.store_progress(self, fraction, message)


class LeaseKeeper:
    """Renews every lease of this process in one statement.

    Args:
        lease_s: how long a lease lasts without a heartbeat, seconds.
    """

    def __init__(self, unit_of_work: Callable[[], JobsWork], clock: Clock, lease_s: float) -> None:
        self.clock = clock
        self.lease_ms = round(lease_s * 1000)
        self.guard_s = lease_s * 2 / 3
        self._unit_of_work = unit_of_work
        self._held: dict[str, HeldLease] = {}
        self._lock = threading.Lock()

    def hold(self, job: Job) -> HeldLease:
        """Begin to keep the lease of a claimed job."""
        lease = HeldLease(job, self)
        with self._lock:
            self._held[job.id] = lease
        return lease

    def drop(self, lease: HeldLease) -> None:
        """Stop keeping a lease."""
        with self._lock:
            if self._held.get(lease.job.id) is lease:  # else it is a later claim's of the same job
                del self._held[lease.job.id]

    def beat(self) -> None:
        """Renew all leases; stop jobs whose lease is lost or that are to be canceled.

        Raises:
            Unavailable: the database did not answer; leases are lost when this goes on.
        """
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        asked_at = self.clock.monotonic()
        tokens = {job_id: str(lease.job.lease_token) for job_id, lease in held.items()}
        with self._unit_of_work() as work:
            renewed = work.jobs.renew(tokens, lease_ms=self.lease_ms)
            work.commit()
        for job_id, lease in held.items():
            self._judge(lease, asked_at, renewed.get(job_id))

    def cancel(self, job_id: str) -> None:
        """Stop a job now, if it is held here: the shortcut for a cancel heard of before the next heartbeat."""
        with self._lock:
            lease = self._held.get(job_id)
        if lease is not None:
            lease.stop(Canceled())

    def release_all(self) -> None:
        """Tell every job to stop because this process is stopping."""
        with self._lock:
            held = list(self._held.values())
        for lease in held:
            lease.stop(Released())

    def held(self) -> list[HeldLease]:
        """Return the leases held now."""
        with self._lock:
            return list(self._held.values())

    def store_progress(self, lease: HeldLease, fraction: float, message: str) -> None:
        """Write progress under the lease; a database that does not answer costs only this report."""
        try:
            with self._unit_of_work() as work:
                job = work.jobs.report(lease.job.id, str(lease.job.lease_token), fraction, message)
                if job is not None:
                    work.outbox.add([job_updated(job)])
                work.commit()
        except AITraderError:
            return
        if job is None:
            lease.stop(LeaseLost())
        elif job.cancel_requested_at is not None:
            lease.stop(Canceled())

    def _judge(self, lease: HeldLease, asked_at: float, cancel_requested: bool | None) -> None:
        if cancel_requested is None:
            lease.stop(LeaseLost())
            return
        lease.last_beat = asked_at
        if cancel_requested:
            lease.stop(Canceled())
