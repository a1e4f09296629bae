"""The lease keeper over the real repository: what a process believes to hold, and what it does hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.clock import FakeClock
from aitrader.testing.job_samples import Work, claim, do, end, get, running
from domain.jobs.leases import LeaseKeeper
from domain.jobs.model import Canceled, Ending, JobState, LeaseLost


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'jobs.db'}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    yield engine
    engine.dispose()


@pytest.fixture
def work(engine: Engine) -> Work:
    return lambda: SqlUnitOfWork(engine)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keeper(work: Work, clock: FakeClock) -> LeaseKeeper:
    return LeaseKeeper(work, clock, lease_s=30)


def test_the_end_of_an_old_claim_does_not_drop_the_new_claim_of_the_same_job(work: Work, keeper: LeaseKeeper) -> None:
    first = running(work)
    old = keeper.hold(first)
    end(work, first, Ending(JobState.QUEUED, refund_attempt=True))
    second = claim(work)
    assert second is not None
    new = keeper.hold(second)
    keeper.drop(old)
    assert keeper.held() == [new]
    keeper.drop(new)
    assert keeper.held() == []


def test_a_heartbeat_in_time_keeps_the_lease_and_a_late_one_loses_it(
    work: Work, keeper: LeaseKeeper, clock: FakeClock
) -> None:
    lease = keeper.hold(running(work))
    for _ in range(5):
        clock.advance(19)
        keeper.beat()
        assert lease.verdict() is None
    clock.advance(21)
    assert lease.verdict() == LeaseLost()
    keeper.beat()
    assert lease.verdict() == LeaseLost(), "what was lost stays lost"


def test_a_heartbeat_brings_the_cancel(work: Work, keeper: LeaseKeeper) -> None:
    lease = keeper.hold(running(work))
    do(work, lambda unit: unit.jobs.cancel(lease.job.id, None))
    assert lease.verdict() is None
    keeper.beat()
    assert lease.verdict() == Canceled()


def test_progress_is_stored_twice_a_second_at_most_and_with_an_event(
    work: Work, keeper: LeaseKeeper, clock: FakeClock
) -> None:
    lease = keeper.hold(running(work))
    for step in range(1, 11):
        lease.report(step / 10, f"step {step}")
        clock.advance(0.25)
    job = get(work, lease.job.id)
    assert (job.progress, job.progress_seq) == (0.9, 5)
    events = do(work, lambda unit: unit.outbox.publish_pending(100))
    assert [event.data["progress"] for event in events] == [0.1, 0.3, 0.5, 0.7, 0.9]
