"""What every `JobsWork` does. Subclass `JobsWorkContract` and override the ``work`` and ``age`` fixtures."""

from __future__ import annotations

import pytest

from aitrader.testing.backtest_results import RecordsContract
from aitrader.testing.job_leases import LeasesContract
from aitrader.testing.job_races import RacesContract
from aitrader.testing.job_repository import RepositoryContract
from aitrader.testing.job_samples import Age, Work, add, make_job
from aitrader.testing.outbox import OutboxContract, drain
from domain.common.errors import NotFound
from domain.common.events import Event
from domain.jobs.model import JobState

__all__ = ["Age", "JobsWorkContract", "Work", "add", "make_job"]


class JobsWorkContract(RepositoryContract, LeasesContract, RacesContract, OutboxContract, RecordsContract):
    """Tests for any `JobsWork`."""

    @pytest.fixture
    def work(self) -> Work:
        """Return a function that makes units of work over one empty database. Called from many threads."""
        raise NotImplementedError("override the work fixture")

    @pytest.fixture
    def age(self) -> Age:
        """Return ``age(job_id, ms)``, which moves the job's ``lease_until`` and ``run_at`` into the past."""
        raise NotImplementedError("override the age fixture")

    def test_a_block_that_raises_leaves_nothing(self, work: Work) -> None:
        job = make_job()
        with pytest.raises(ZeroDivisionError), work() as unit:
            unit.jobs.add([job])
            unit.outbox.add([Event("job_updates", "alice", {})])
            unit.workers.beat("w1", host="h", pid=1, role="worker", url="")
            raise ZeroDivisionError
        with work() as unit:
            with pytest.raises(NotFound):
                unit.jobs.get(job.id)
            assert unit.jobs.counts() == dict.fromkeys(JobState, 0)
            assert unit.outbox.pending() == (0, None)
            assert unit.workers.alive(60_000) == []

    def test_a_block_without_commit_leaves_nothing(self, work: Work) -> None:
        with work() as unit:
            unit.jobs.add([make_job()])
            unit.outbox.add([Event("job_updates", "alice", {})])
        with work() as unit:
            assert unit.jobs.counts()[JobState.QUEUED] == 0
        assert drain(work) == []

    def test_a_commit_that_is_not_reached_takes_back_changes_too(self, work: Work) -> None:
        job = add(work, make_job())
        with work() as unit:
            claimed = unit.jobs.claim("default", ["noop"], owner="w", token="t", lease_ms=1000)
            assert claimed is not None
        with work() as unit:
            assert unit.jobs.get(job.id) == job

    def test_reads_its_own_writes(self, work: Work) -> None:
        job = make_job(idempotency_key="k")
        with work() as unit:
            unit.jobs.add([job])
            assert unit.jobs.get(job.id) == job
            assert unit.jobs.by_keys("alice", ["k"]) == {"k": job}
            assert unit.jobs.counts()[JobState.QUEUED] == 1
            unit.outbox.add([Event("job_updates", "alice", {})])
            assert unit.outbox.pending()[0] == 1

    def test_what_was_committed_is_seen_by_the_next_unit(self, work: Work) -> None:
        job = add(work, make_job())
        with work() as unit:
            assert unit.jobs.get(job.id) == job

    def test_callbacks_run_after_the_commit_in_order(self, work: Work) -> None:
        job = make_job()
        seen: list[object] = []

        def look() -> None:
            with work() as other:
                seen.append(other.jobs.get(job.id))

        with work() as unit:
            unit.jobs.add([job])
            unit.after_commit(look)
            unit.after_commit(lambda: seen.append("second"))
            assert seen == []
            unit.commit()
            assert seen == [job, "second"]

    def test_callbacks_do_not_run_without_a_commit(self, work: Work) -> None:
        seen: list[str] = []
        with work() as unit:
            unit.jobs.add([make_job()])
            unit.after_commit(lambda: seen.append("ran"))
        with pytest.raises(ZeroDivisionError), work() as unit:
            unit.after_commit(lambda: seen.append("ran"))
            raise ZeroDivisionError
        assert seen == []

    def test_units_of_work_do_not_share_callbacks(self, work: Work) -> None:
        seen: list[str] = []
        with work() as unit:
            unit.after_commit(lambda: seen.append("first"))
            unit.commit()
        with work() as unit:
            unit.commit()
        assert seen == ["first"]

    def test_errors_of_the_caller_pass_through_unchanged(self, work: Work) -> None:
        error = KeyError("mine")
        with pytest.raises(KeyError) as caught, work():
            raise error
        assert caught.value is error

    def test_many_units_one_after_another_leak_nothing(self, work: Work) -> None:
        kept = []
        for _ in range(50):
            unit = work()
            with unit:
                unit.jobs.counts()
            kept.append(unit)
        add(work, make_job())
