from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.common.errors import Unavailable
from domain.jobs.leases import HeldLease, LeaseKeeper, Verdict
from domain.jobs.model import Canceled, LeaseLost, Released
from domain.jobs.ports import JobsWork
from tests.unit.jobs.support import LEASE_S, World


def down() -> JobsWork:
    raise Unavailable("the database did not answer")


def test_a_lease_is_good_for_two_thirds_of_its_time(world: World) -> None:
    lease = world.leases.hold(world.claim())
    world.clock.advance(LEASE_S * 2 / 3)
    assert lease.verdict() is None
    world.clock.advance(0.001)
    assert lease.verdict() == LeaseLost()


def test_a_heartbeat_keeps_it(world: World) -> None:
    lease = world.leases.hold(world.claim())
    for _ in range(10):
        world.clock.advance(LEASE_S / 2)
        world.leases.beat()
    assert lease.verdict() is None


def test_the_time_counts_from_when_the_heartbeat_was_asked_for(world: World) -> None:
    lease = world.leases.hold(world.claim())

    def slow() -> JobsWork:
        world.clock.advance(15)
        return world.work()

    keeper = LeaseKeeper(slow, world.clock, LEASE_S)
    lease = keeper.hold(lease.job)
    keeper.beat()
    world.clock.advance(6)
    assert lease.verdict() == LeaseLost()


def test_a_database_that_is_down_loses_the_lease_in_the_end(world: World) -> None:
    keeper = LeaseKeeper(down, world.clock, LEASE_S)
    lease = keeper.hold(world.claim())
    for _ in range(4):
        world.clock.advance(5)
        with pytest.raises(Unavailable):
            keeper.beat()
        assert lease.verdict() is None
    world.clock.advance(1)
    assert lease.verdict() == LeaseLost()


def test_a_heartbeat_for_nothing_asks_nobody(world: World) -> None:
    LeaseKeeper(down, world.clock, LEASE_S).beat()


def test_a_lease_that_another_took_is_lost(world: World) -> None:
    lease = world.leases.hold(world.claim())
    world.execute("UPDATE jobs SET lease_token = 'another'")
    world.leases.beat()
    assert lease.verdict() == LeaseLost()


def test_a_heartbeat_hears_of_a_cancel(world: World) -> None:
    lease = world.leases.hold(world.claim())
    world.cancel(lease.job.id, "ann")
    assert lease.verdict() is None
    world.leases.beat()
    assert lease.verdict() == Canceled()


def test_the_shortcut_cancels_at_once_and_ignores_jobs_held_elsewhere(world: World) -> None:
    lease = world.leases.hold(world.claim())
    world.leases.cancel("someone else's")
    assert lease.verdict() is None
    world.leases.cancel(lease.job.id)
    assert lease.verdict() == Canceled()


def test_a_verdict_wakes_who_waits(world: World) -> None:
    lease = world.leases.hold(world.claim())
    lease.stop(Released())
    lease.wait(3600)


def test_release_all_tells_every_job(world: World) -> None:
    leases = [world.leases.hold(world.claim()), world.leases.hold(world.claim())]
    world.leases.release_all()
    assert [lease.verdict() for lease in leases] == [Released(), Released()]


def test_a_dropped_lease_is_not_renewed(world: World) -> None:
    lease = world.leases.hold(world.claim())
    world.leases.drop(lease)
    world.leases.drop(lease)
    assert world.leases.held() == []
    world.clock.advance(LEASE_S)
    world.leases.beat()
    assert lease.verdict() == LeaseLost()


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (Canceled(), Released(), Canceled()),
        (Released(), Canceled(), Released()),
        (Canceled(), LeaseLost(), LeaseLost()),
        (Released(), LeaseLost(), LeaseLost()),
        (LeaseLost(), Canceled(), LeaseLost()),
        (LeaseLost(), Released(), LeaseLost()),
    ],
)
def test_the_first_verdict_stays_but_a_lost_lease_outranks_all(
    world: World, first: Verdict, second: Verdict, stays: Verdict
) -> None:
    lease = HeldLease(world.new(), world.leases)
    lease.stop(first)
    lease.stop(second)
    assert lease.verdict() == stays


@pytest.mark.parametrize("verdict", [Canceled(), Released()])
def test_a_lease_that_runs_out_is_lost_whatever_was_asked_before(world: World, verdict: Verdict) -> None:
    lease = world.leases.hold(world.claim())
    lease.stop(verdict)
    world.clock.advance(LEASE_S)
    assert lease.verdict() == LeaseLost()


def progress_of(world: World, lease: HeldLease) -> tuple[float, str, int]:
    job = world.get(lease.job.id, None)
    return job.progress, job.progress_message, job.progress_seq


def test_progress_is_stored_at_most_twice_a_second(world: World) -> None:
    lease = world.leases.hold(world.claim())
    for step in range(1, 9):
        lease.report(step / 100, f"step {step}")
        world.clock.advance(0.125)
    assert progress_of(world, lease) == (0.05, "step 5", 2)
    lease.report(0.5, "half")
    assert progress_of(world, lease) == (0.5, "half", 3)


def test_progress_is_an_event_and_never_goes_back(world: World) -> None:
    lease = world.leases.hold(world.claim())
    lease.report(0.8, "")
    world.clock.advance(1)
    lease.report(0.2, "back")
    assert [event["progress"] for event in world.events()[-2:]] == [0.8, 0.8]


def test_a_report_hears_of_a_cancel_and_of_a_lost_lease(world: World) -> None:
    canceled = world.leases.hold(world.claim())
    world.cancel(canceled.job.id, "ann")
    canceled.report(0.1, "")
    assert canceled.verdict() == Canceled()
    lost = world.leases.hold(world.claim())
    world.execute("UPDATE jobs SET lease_token = 'another'")
    lost.report(0.1, "")
    assert lost.verdict() == LeaseLost()


def test_a_report_that_cannot_be_stored_costs_only_itself(world: World) -> None:
    answers: list[Callable[[], JobsWork]] = [down, world.work]
    keeper = LeaseKeeper(lambda: answers.pop(0)(), world.clock, LEASE_S)
    lease = keeper.hold(world.claim())
    lease.report(0.1, "lost")
    world.clock.advance(1)
    lease.report(0.2, "kept")
    assert lease.verdict() is None
    assert progress_of(world, lease) == (0.2, "kept", 1)
