from __future__ import annotations

import logging
from typing import Any

import pytest

from domain.common.errors import Conflict, NotFound, Unavailable
from domain.jobs.model import (
    Artifact,
    Canceled,
    Crashed,
    Failed,
    Job,
    JobState,
    LeaseLost,
    NewJob,
    Outcome,
    Released,
    Succeeded,
)
from domain.jobs.ports import Lease
from domain.research.model import BacktestResult
from tests.unit.jobs.support import LEASE_S, World

ROW = BacktestResult("sma", {}, ["X"], "1d", 0, 1, {"sharpe": None}, "hash", "0.1")
FILE = Artifact("a.txt", "text/plain", 1, "00", "x/1/a.txt")


def ends(outcome: Outcome) -> Any:
    return lambda lease: outcome


def rows_of(world: World, job: Job) -> list[BacktestResult]:
    with world.work() as work:
        return work.backtest_results.of_job(job.id)


def test_a_job_runs_to_its_end_with_its_effects(world: World) -> None:
    job = world.add()
    child = NewJob("mallory", "crunch", {"n": 1})
    run = world.runner(ends(Succeeded({"n": 1}, (FILE,), (ROW,), (child,))))
    ended = run("default")
    assert ended == world.get(job.id, "ann")
    assert (ended.status, ended.attempt, ended.progress, ended.result) == (JobState.SUCCEEDED, 1, 1.0, {"n": 1})
    assert ended.artifacts == (FILE,)
    assert rows_of(world, job) == [ROW]
    with world.work() as work:
        (made,) = [found for found in work.jobs.find(_all(), before_id=None, limit=9) if found.parent_id == job.id]
    assert (made.user_id, made.job_type, made.payload) == ("ann", "crunch", {"filled": True, "n": 1})
    assert world.queue.hints[-1] == ("cpu", [made.id])
    statuses = [(event["job_id"], event["status"]) for event in world.events()]
    assert statuses == [(job.id, "queued"), (job.id, "running"), (job.id, "succeeded"), (made.id, "queued")]
    assert world.leases.held() == []


def _all() -> Any:
    from domain.jobs.model import JobFilter

    return JobFilter()


def test_nothing_to_do(world: World) -> None:
    world.add("crunch")
    world.add(run_at=world.clock.now_ms() + 3_600_000_000_000 // 1000)
    world.execute("UPDATE jobs SET run_at = 9000000000000 WHERE job_type = 'note'")
    assert world.runner(ends(Succeeded({})))("default") is None


def test_the_most_urgent_job_runs_whatever_the_hint_said(world: World) -> None:
    low, high = world.add(priority=-1), world.add(priority=9)
    run = world.runner(ends(Succeeded({})))
    ran = [run("default"), run("default")]
    assert [job and job.id for job in ran] == [high.id, low.id]


def test_a_process_that_stops_claims_nothing(world: World) -> None:
    job = world.add()
    assert world.runner(ends(Succeeded({})), accepting=lambda: False)("default") is None
    assert world.get(job.id, None).status is JobState.QUEUED


def test_types_of_a_plugin_that_is_not_here_are_left_alone(world: World) -> None:
    job = world.add("note")
    world.job_types._names = ("crunch",)
    assert world.runner(ends(Succeeded({})))("default") is None
    assert world.get(job.id, None).status is JobState.QUEUED


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Failed("wrong", "no", retryable=False), JobState.FAILED, "wrong"),
        (Failed("slow", "no"), JobState.QUEUED, "slow"),
        (Crashed("signal 9"), JobState.QUEUED, "worker_died"),
        (Canceled(), JobState.CANCELED, "canceled"),
        (Released(), JobState.QUEUED, None),
    ],
)
def test_other_ends(world: World, outcome: Outcome, status: JobState, code: str | None) -> None:
    world.add()
    ended = world.runner(ends(outcome))("default")
    assert ended is not None
    assert (ended.status, ended.error_code) == (status, code)
    assert ended.attempt == (0 if isinstance(outcome, Released) else 1)
    assert ended.lease_token is None


def test_cancel_beats_another_try(world: World) -> None:
    world.add()

    def fail(lease: Lease) -> Outcome:
        world.cancel(lease.job.id, None)
        return Failed("slow", "no")

    ended = world.runner(fail)("default")
    assert ended is not None
    assert ended.status is JobState.CANCELED


def test_a_lost_lease_writes_nothing(world: World) -> None:
    job = world.add()

    def dawdle(lease: Lease) -> Outcome:
        world.clock.advance(LEASE_S)
        return Succeeded({"late": True}, records=(ROW,), children=(NewJob("ann", "note", {}),))

    told = len(world.events())
    assert world.runner(dawdle)("default") is None
    assert world.get(job.id, None).status is JobState.RUNNING
    assert rows_of(world, job) == []
    assert world.count() == 1
    assert len(world.events()) == told + 1  # the claim
    assert world.leases.held() == []


def test_a_job_that_another_worker_took_is_left_to_it(world: World) -> None:
    job = world.add()

    def robbed(lease: Lease) -> Outcome:
        world.execute("UPDATE jobs SET lease_token = 'another'")
        return Succeeded({}, records=(ROW,))

    assert world.runner(robbed)("default") is None
    assert world.get(job.id, None).lease_token == "another"
    assert rows_of(world, job) == []


class Flaky:
    """Ends jobs, once ``error`` has been raised ``times`` times."""

    def __init__(self, world: World, times: float, error: Exception) -> None:
        self._world = world
        self._left = times
        self._error = error

    def __call__(self, job: Job, outcome: Outcome) -> Job | None:
        self._left -= 1
        if self._left >= 0:
            raise self._error
        return self._world.end(job, outcome)


@pytest.mark.parametrize(
    "error", [Unavailable("the database did not answer"), Conflict("deadlock", code="serialization_conflict")]
)
def test_a_database_that_comes_back_in_time_loses_nothing(world: World, error: Exception) -> None:
    world.add()
    ended = world.runner(ends(Succeeded({"n": 1})), end=Flaky(world, 5, error))("default")
    assert ended is not None
    assert (ended.status, ended.result, ended.attempt) == (JobState.SUCCEEDED, {"n": 1}, 1)
    assert world.clock.slept == [1.0] * 5


@pytest.mark.parametrize("verdict", [None, Canceled(), Released()])
def test_a_database_that_stays_away_loses_the_lease(world: World, verdict: Canceled | Released | None) -> None:
    job = world.add()

    def stopped(lease: Any) -> Outcome:
        if verdict is not None:
            lease.stop(verdict)
        return verdict or Succeeded({})

    run = world.runner(stopped, end=Flaky(world, float("inf"), Unavailable("the database did not answer")))
    assert run("default") is None
    assert len(world.clock.slept) == 21  # two thirds of 30 s, and the turn in which it was noticed
    assert world.get(job.id, None).status is JobState.RUNNING
    assert world.leases.held() == []


def test_a_child_with_a_wrong_payload_fails_the_job_clean(world: World) -> None:
    job = world.add()
    good, bad = NewJob("ann", "note", {}), NewJob("ann", "note", {"bad": 1})
    ended = world.runner(ends(Succeeded({"n": 1}, records=(ROW,), children=(good, bad))))("default")
    assert ended is not None
    assert (ended.status, ended.error_code, ended.result) == (JobState.FAILED, "invalid_payload", None)
    assert rows_of(world, job) == []
    assert world.count() == 1
    assert world.queue.hints == [("default", [job.id])]


def test_an_unknown_record_fails_the_job_clean(world: World) -> None:
    job = world.add()
    ended = world.runner(ends(Succeeded({}, records=(ROW, object()))))("default")
    assert ended is not None
    assert (ended.status, ended.error_code) == (JobState.FAILED, "unknown_record")
    assert rows_of(world, job) == []


def test_two_records_of_one_step_fail_the_job_clean(world: World) -> None:
    job = world.add()
    ended = world.runner(ends(Succeeded({}, records=(ROW, ROW))))("default")
    assert ended is not None
    assert (ended.status, ended.error_code) == (JobState.FAILED, "duplicate_step")
    assert rows_of(world, job) == []


def test_a_result_that_the_database_refuses_fails_the_job_clean(world: World) -> None:
    world.add()
    ended = world.runner(ends(Succeeded({"n": {1, 2}})))("default")
    assert ended is not None
    assert (ended.status, ended.error_code) == (JobState.FAILED, "value_not_storable")


def test_an_outcome_that_breaks_the_end_fails_the_job_clean(world: World) -> None:
    world.add()
    ended = world.runner(ends(Succeeded({})), end=Flaky(world, 1, ValueError("odd")))("default")
    assert ended is not None
    assert (ended.status, ended.error_code, ended.error) == (JobState.FAILED, "unstorable_result", "ValueError: odd")


def test_a_failure_that_cannot_be_stored_is_raised_and_the_lease_runs_out(world: World) -> None:
    job = world.add()
    run = world.runner(ends(Failed("x", "x")), end=Flaky(world, 1, ValueError("broken")))
    with pytest.raises(ValueError, match="broken"):
        run("default")
    assert world.leases.held() == []
    world.execute("UPDATE jobs SET lease_until = 0")
    world.sweeper()()
    assert world.get(job.id, None).status is JobState.QUEUED


@pytest.mark.parametrize("notifier_down", [False, True])
def test_a_poison_job_is_dead_and_told(world: World, notifier_down: bool, caplog: pytest.LogCaptureFixture) -> None:
    world.notifier.down = notifier_down
    job = world.add(max_attempts=1)
    with caplog.at_level(logging.WARNING):
        ended = world.runner(ends(Crashed("signal 9")))("default")
    assert ended is not None
    assert ended.status is JobState.DEAD
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["job is dead"]
    if notifier_down:
        return
    ((subject, body),) = world.notifier.sent
    assert "note" in subject
    assert f"aitrader jobs show {job.id}" in body


def test_other_ends_are_not_told(world: World) -> None:
    world.add(max_attempts=1)
    world.runner(ends(Failed("x", "x")))("default")
    assert world.notifier.sent == []


def test_end_job_of_a_lost_lease_touches_nothing(world: World) -> None:
    job = world.claim()
    assert world.end(job, LeaseLost()) is None
    assert world.get(job.id, None) == job


def test_an_executor_that_raises_lets_the_lease_run_out(world: World) -> None:
    job = world.add()

    def explode(lease: Lease) -> Outcome:
        raise OSError("no more processes")

    with pytest.raises(OSError, match="no more processes"):
        world.runner(explode)("default")
    assert world.leases.held() == []
    assert world.get(job.id, None).status is JobState.RUNNING


def test_a_type_that_vanished_after_the_claim_is_not_swallowed(world: World) -> None:
    world.add()
    world.job_types.info = lambda name: (_ for _ in ()).throw(NotFound("gone"))  # type: ignore[method-assign]
    with pytest.raises(NotFound):
        world.runner(ends(Succeeded({})))("default")
