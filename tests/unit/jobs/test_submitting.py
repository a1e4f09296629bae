from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.common.errors import AITraderError, Conflict, Invalid, NotFound
from domain.jobs.model import JobFilter, JobState, NewJob
from domain.jobs.services import MAX_PAYLOAD_BYTES, ListJobs, SubmitJob, SubmitJobs, Submitted
from tests.unit.jobs.support import World

YEAR_MS = 366 * 24 * 3_600_000


def test_a_prepared_job_has_everything(world: World) -> None:
    job = world.new("crunch", payload={"a": 1}, priority=5, idempotency_key="k", trace="t")
    assert (job.queue, job.max_attempts, job.status, job.attempt) == ("cpu", 3, JobState.QUEUED, 0)
    assert job.payload == {"filled": True, "a": 1}
    assert job.run_at == job.created_at == world.clock.now_ms()
    assert (job.priority, job.idempotency_key, job.trace) == (5, "k", "t")
    assert world.new("note").queue == "default"


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("user_id", ["a", "x" * 64], ["", "x" * 65]),
        ("priority", [-100, 0, 100], [-101, 101]),
        ("run_at", [0, "now", "year"], [-1, "later"]),
        ("max_attempts", [1, 20], [0, 21, -1]),
        ("idempotency_key", ["k", "k" * 255], ["", "k" * 256]),
    ],
)
def test_limits(world: World, field: str, good: list[Any], bad: list[Any]) -> None:
    now = world.clock.now_ms()
    times = {"now": now, "year": now + YEAR_MS, "later": now + YEAR_MS + 1}
    for value in good:
        value = times.get(value, value)
        assert getattr(world.new(**{field: value}), field) == value
    for value in bad:
        with pytest.raises(Invalid) as caught:
            world.new(**{field: times.get(value, value)})
        assert caught.value.code == "invalid_job"
        shown = "Idempotency-Key" if field == "idempotency_key" else field
        assert [error.field for error in caught.value.errors] == [shown]


def test_all_problems_are_told_at_once(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        world.new(user_id="", priority=1000, max_attempts=0)
    assert [error.field for error in caught.value.errors] == ["user_id", "priority", "max_attempts"]


def test_a_payload_has_a_largest_size(world: World) -> None:
    world.new(payload={"text": "x" * (MAX_PAYLOAD_BYTES - 200)})
    with pytest.raises(Invalid) as caught:
        world.new(payload={"text": "x" * MAX_PAYLOAD_BYTES})
    assert caught.value.code == "payload_too_large"
    assert caught.value.errors[0].field == "payload"


def test_an_unknown_type_or_payload_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="there is no job type"):
        world.new("nonsense")
    with pytest.raises(Invalid) as caught:
        world.new(payload={"bad": 1})
    assert caught.value.errors[0].field == "payload.bad"


def test_submitted_jobs_are_stored_hinted_and_told(world: World) -> None:
    jobs = [world.new(), world.new("crunch"), world.new()]
    results = world.submit(jobs)
    assert results == [Submitted(job, created=True) for job in jobs]
    assert [world.get(job.id, "ann") for job in jobs] == jobs
    assert sorted(world.queue.hints) == [("cpu", [jobs[1].id]), ("default", [jobs[0].id, jobs[2].id])]
    assert [event["job_id"] for event in world.events()] == [job.id for job in jobs]


def test_nothing_to_submit(world: World) -> None:
    assert world.submit([]) == []
    assert world.queue.hints == []


def test_the_same_key_and_body_give_the_same_job(world: World) -> None:
    first = world.add(payload={"a": 1, "b": 2}, idempotency_key="k")
    again = world.new(payload={"b": 2, "a": 1}, idempotency_key="k")
    assert world.submit([again]) == [Submitted(first, created=False)]
    assert world.count() == 1
    assert world.queue.hints == [("default", [first.id])]


@pytest.mark.parametrize(
    "other", [{"payload": {"a": 2}}, {"priority": 1}, {"max_attempts": 2}, {"job_type": "crunch"}, {"run_at": 1}]
)
def test_the_same_key_and_another_body_are_refused(world: World, other: dict[str, Any]) -> None:
    world.add(idempotency_key="k")
    (refused,) = world.submit([world.new(idempotency_key="k", **other)])
    assert isinstance(refused, Invalid)
    assert refused.code == "idempotency_key_reused"
    assert world.count() == 1


def test_keys_belong_to_a_user(world: World) -> None:
    world.add(idempotency_key="k")
    (other,) = world.submit([world.new(user_id="bob", payload={"a": 2}, idempotency_key="k")])
    assert isinstance(other, Submitted)
    assert other.created


def test_one_batch_may_hold_a_key_twice(world: World) -> None:
    first = world.new(idempotency_key="k")
    same = world.new(idempotency_key="k")
    other = world.new(idempotency_key="k", priority=9)
    free = world.new()
    results = world.submit([first, same, other, free])
    assert results[:2] == [Submitted(first, created=True), Submitted(first, created=False)]
    assert isinstance(results[2], Invalid)
    assert results[3] == Submitted(free, created=True)
    assert world.count() == 2


def test_jobs_without_a_key_never_meet(world: World) -> None:
    world.submit([world.new(), world.new()])
    assert world.count() == 2


class Racing:
    """A unit of work factory in which another process takes the key between our look and our insert."""

    def __init__(self, world: World, rival: Any) -> None:
        self._world = world
        self._rival = rival
        self.opened = 0

    def __call__(self) -> Any:
        self.opened += 1
        work = self._world.work()
        if self.opened == 1:
            enter = work.__enter__

            def entered() -> Any:
                enter()
                work.jobs.by_keys = lambda user_id, keys: {}  # the look happened before the rival committed
                return work

            return _Entered(work, entered)
        return work


class _Entered:
    def __init__(self, work: Any, enter: Any) -> None:
        self._work = work
        self._enter = enter

    def __enter__(self) -> Any:
        return self._enter()

    def __exit__(self, *error: Any) -> None:
        self._work.__exit__(*error)


def test_a_lost_race_for_a_key_is_settled_one_by_one(world: World) -> None:
    rival = world.add(idempotency_key="k")
    racing = Racing(world, rival)
    free, same, other = (
        world.new(),
        world.new(idempotency_key="k"),
        world.new(idempotency_key="k", payload={"x": 1}),
    )
    results = SubmitJobs(racing, world.queue)([free, same, other])
    assert results[:2] == [Submitted(free, created=True), Submitted(rival, created=False)]
    assert isinstance(results[2], AITraderError)
    assert racing.opened == 4
    assert world.count() == 2


def test_any_other_conflict_is_passed_on(world: World) -> None:
    def broken() -> Any:
        raise Conflict("deadlock", code="serialization_conflict")

    with pytest.raises(Conflict, match="deadlock"):
        SubmitJobs(broken, world.queue)([world.new()])


def test_submit_job_raises_what_was_refused(world: World) -> None:
    submit = SubmitJob(world.prepare, world.submit)
    assert submit(NewJob("ann", "note", {}, idempotency_key="k")).created
    assert not submit(NewJob("ann", "note", {}, idempotency_key="k")).created
    with pytest.raises(Invalid):
        submit(NewJob("ann", "note", {"other": 1}, idempotency_key="k"))


def test_a_job_is_hidden_from_others(world: World) -> None:
    job = world.add()
    assert world.get(job.id, None) == job
    for use in (world.get, world.cancel, world.retry):
        with pytest.raises(NotFound):
            use(job.id, "bob")
    assert world.get(job.id, None) == job


def test_pages(world: World) -> None:
    jobs = [world.add() for _ in range(5)]
    newest = [job.id for job in reversed(jobs)]
    listing = ListJobs(world.work)
    page, after = listing(JobFilter(user_id="ann"), before_id=None, limit=3)
    assert ([job.id for job in page], after) == (newest[:3], newest[2])
    page, after = listing(JobFilter(user_id="ann"), before_id=after, limit=3)
    assert ([job.id for job in page], after) == (newest[3:], None)
    assert listing(JobFilter(user_id="bob"), before_id=None, limit=3) == ([], None)
    page, after = listing(JobFilter(), before_id=None, limit=5)
    assert (len(page), after) == (5, None)


def test_cancel_ends_a_queued_job_and_asks_a_running_one(world: World) -> None:
    running = world.claim()
    queued = world.add()
    assert world.cancel(queued.id, "ann").status is JobState.CANCELED
    asked = world.cancel(running.id, "ann")
    assert asked.status is JobState.RUNNING
    assert asked.cancel_requested_at is not None
    told = len(world.events())
    assert world.cancel(queued.id, "ann").status is JobState.CANCELED
    assert world.cancel(running.id, "ann") == asked
    assert len(world.events()) == told


def test_retry_queues_again_and_hints(world: World) -> None:
    job = world.add()
    with pytest.raises(Conflict):
        world.retry(job.id, "ann")
    world.cancel(job.id, "ann")
    again = world.retry(job.id, "ann")
    assert (again.status, again.attempt, again.cancel_requested_at) == (JobState.QUEUED, 0, None)
    assert world.queue.hints[-1] == ("default", [job.id])
    assert replace(again, run_at=job.run_at) == job
