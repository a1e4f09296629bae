"""What the tests of jobs share: a queue and executors that do as they are told, and a database file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.clock import FakeClock
from domain.common.errors import FieldError, Invalid, NotFound, Unavailable
from domain.jobs.leases import LeaseKeeper
from domain.jobs.model import Isolation, Job, JobTypeInfo, NewJob, Outcome
from domain.jobs.ports import Lease
from domain.jobs.running import EndJob, RunNextJob, SweepJobs
from domain.jobs.services import CancelJob, GetJob, PrepareJob, RetryJob, SubmitJobs

LEASE_S = 30.0


class CountingClock(FakeClock):
    """Remembers how long was slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


class FakeQueue:
    """Remembers hints."""

    def __init__(self) -> None:
        self.hints: list[tuple[str, list[str]]] = []
        self.waiting: Counter[str] = Counter()
        self.down = False

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        if self.down:
            raise Unavailable("the queue did not answer")
        self.hints.append((queue, list(job_ids)))

    def pending(self, queue: str) -> int:
        if self.down:
            raise Unavailable("the queue did not answer")
        return self.waiting[queue]

    def close(self) -> None:
        pass


class FakeJobTypes:
    """``note`` runs in a thread, ``crunch`` in a process; a payload with the key ``bad`` is refused."""

    def __init__(self, *names: str) -> None:
        self._names = names or ("crunch", "note")

    def names(self) -> Sequence[str]:
        return self._names

    def info(self, name: str) -> JobTypeInfo:
        if name not in self._names:
            raise NotFound(f"there is no job type {name!r}")
        isolation = Isolation.PROCESS if name == "crunch" else Isolation.THREAD
        return JobTypeInfo(name, name, name, isolation, max_attempts=3, deadline_s=60.0)

    def validate(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if name not in self._names:
            raise Invalid(f"there is no job type {name!r}", code="unknown_job_type")
        if "bad" in payload:
            raise Invalid("off schema", code="invalid_payload", errors=[FieldError("payload.bad", "not allowed")])
        return {"filled": True, **payload}


class FakeNotifier:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.down = False

    def send(self, subject: str, body: str) -> None:
        if self.down:
            raise Unavailable("no answer")
        self.sent.append((subject, body))


class FakeExecutor:
    """Does ``action`` with the lease and returns what that returns."""

    def __init__(self, action: Callable[[Lease], Outcome]) -> None:
        self.action = action
        self.ran: list[str] = []

    def run(self, lease: Lease, info: JobTypeInfo) -> Outcome:
        self.ran.append(lease.job.id)
        return self.action(lease)

    def close(self) -> None:
        pass


@dataclass
class World:
    """A database file, fakes around it, and the use cases on top."""

    engine: Engine
    clock: CountingClock = field(default_factory=CountingClock)
    queue: FakeQueue = field(default_factory=FakeQueue)
    job_types: FakeJobTypes = field(default_factory=FakeJobTypes)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)

    def __post_init__(self) -> None:
        self.work: Callable[[], SqlUnitOfWork] = partial(SqlUnitOfWork, self.engine)
        self.prepare = PrepareJob(self.job_types, self.clock)
        self.submit = SubmitJobs(self.work, self.queue)
        self.get = GetJob(self.work)
        self.cancel = CancelJob(self.work)
        self.retry = RetryJob(self.work, self.queue)
        self.leases = LeaseKeeper(self.work, self.clock, LEASE_S)
        self.end = EndJob(self.work, self.queue, self.notifier, self.prepare)

    def new(self, job_type: str = "note", **fields: Any) -> Job:
        """Prepare a job; it is not stored."""
        payload = fields.pop("payload", {})
        return self.prepare(NewJob(fields.pop("user_id", "ann"), job_type, payload, **fields))

    def add(self, job_type: str = "note", **fields: Any) -> Job:
        """Store a job."""
        job = self.new(job_type, **fields)
        self.submit([job])
        return job

    def claim(self, job_type: str = "note", **fields: Any) -> Job:
        """Store a job and take it."""
        self.add(job_type, **fields)
        with self.work() as work:
            job = work.jobs.claim(
                self.job_types.info(job_type).isolation.queue,
                self.job_types.names(),
                owner="test",
                token="token-1",
                lease_ms=round(LEASE_S * 1000),
            )
            work.commit()
        assert job is not None
        return job

    def runner(self, action: Callable[[Lease], Outcome], **changes: Any) -> RunNextJob:
        """Return a worker whose jobs do ``action``."""
        executor = FakeExecutor(action)
        fields: dict[str, Any] = {
            "unit_of_work": self.work,
            "job_types": self.job_types,
            "leases": self.leases,
            "executors": dict.fromkeys(Isolation, executor),
            "end": self.end,
            "owner": "test",
        }
        return RunNextJob(**{**fields, **changes})

    def sweeper(self, **changes: Any) -> SweepJobs:
        return SweepJobs(self.work, self.queue, self.job_types, self.notifier, **changes)

    def count(self) -> int:
        """Return how many jobs are stored."""
        with self.work() as work:
            return sum(work.jobs.counts().values())

    def execute(self, statement: str) -> None:
        """Run raw SQL: the test reaches where no use case does."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def events(self) -> list[dict[str, Any]]:
        """Return the data of all events so far, oldest first."""
        with self.work() as work:
            work.outbox.publish_pending(1000)
            work.commit()
        with self.work() as work:
            return [event.data for event in work.outbox.read("job_updates", "ann", 0, 1000)]


def open_world(folder: Path) -> World:
    """Return a world on a new, migrated SQLite file."""
    engine = open_engine(parse_database_url(f"sqlite:///{folder / 'test.db'}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return World(engine)
