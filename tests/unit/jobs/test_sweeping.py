from __future__ import annotations

import pytest

from domain.common.errors import Unavailable
from domain.jobs.model import JobState
from tests.unit.jobs.support import World


@pytest.mark.parametrize(
    ("due", "waiting", "hinted"),
    [(0, 0, 0), (3, 0, 3), (3, 1, 2), (3, 3, 0), (3, 7, 0), (12, 0, 10), (12, 5, 7), (30, 15, 10)],
)
def test_hints_are_topped_up_to_the_number_of_due_jobs(world: World, due: int, waiting: int, hinted: int) -> None:
    world.submit([world.new() for _ in range(due)])
    world.queue.hints.clear()
    world.queue.waiting["default"] = waiting
    world.sweeper(most_hints=10)()
    assert [(queue, len(ids)) for queue, ids in world.queue.hints] == ([("default", hinted)] if hinted else [])


def test_each_queue_is_topped_up_on_its_own(world: World) -> None:
    world.submit([world.new(), world.new(), world.new("crunch")])
    world.queue.hints.clear()
    world.queue.waiting["cpu"] = 1
    world.sweeper()()
    assert world.queue.hints == [("default", ["sweep", "sweep"])]


def test_jobs_of_types_that_are_not_here_are_not_hinted(world: World) -> None:
    world.add("note")
    world.job_types._names = ("crunch",)
    world.queue.hints.clear()
    world.sweeper()()
    assert world.queue.hints == []


def test_says_when_the_next_postponed_job_is_due(world: World) -> None:
    assert world.sweeper()() is None
    world.add()
    assert world.sweeper()() is None
    world.execute("UPDATE jobs SET run_at = 9000000000000")
    wait = world.sweeper()()
    assert wait is not None
    assert wait > 3_600_000


def test_takes_back_what_dead_workers_held(world: World) -> None:
    again, dead, canceled, held = (
        world.claim(max_attempts=2),
        world.claim(max_attempts=1),
        world.claim(),
        world.claim(),
    )
    world.cancel(canceled.id, None)
    world.execute(f"UPDATE jobs SET lease_until = 1 WHERE id != '{held.id}'")
    world.queue.hints.clear()
    world.sweeper()()
    states = [world.get(job.id, None).status for job in (again, dead, canceled, held)]
    assert states == [JobState.QUEUED, JobState.DEAD, JobState.CANCELED, JobState.RUNNING]
    assert [body for _, body in world.notifier.sent if dead.id in body]
    assert len(world.notifier.sent) == 1
    assert world.queue.hints == [("default", ["sweep"])]
    assert {event["status"] for event in world.events()[-3:]} == {"queued", "dead", "canceled"}


def test_takes_back_in_batches(world: World) -> None:
    for _ in range(5):
        world.claim()
    world.execute("UPDATE jobs SET lease_until = 1")
    sweep = world.sweeper(batch=2)
    running = []
    for _ in range(3):
        sweep()
        with world.work() as work:
            running.append(work.jobs.counts()[JobState.RUNNING])
    assert running == [3, 1, 0]


def test_a_transport_that_is_down_does_not_undo_what_was_taken_back(world: World) -> None:
    job = world.claim()
    world.execute("UPDATE jobs SET lease_until = 1")
    world.queue.down = True
    with pytest.raises(Unavailable):
        world.sweeper()()
    assert world.get(job.id, None).status is JobState.QUEUED
