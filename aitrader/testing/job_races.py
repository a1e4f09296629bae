"""The part of the `JobsWork` contract about many threads at once, as many processes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from aitrader.testing.job_samples import (
    HOUR_MS,
    LEASE_MS,
    Age,
    Work,
    add,
    claim,
    do,
    end,
    get,
    make_job,
    running,
)
from aitrader.testing.waiting import together
from domain.common.errors import Conflict
from domain.jobs.model import Ending, Job, JobState


class RacesContract:
    """Tests for any `JobRepository`; see `JobsWorkContract`."""

    def test_each_job_is_claimed_exactly_once(self, work: Work) -> None:
        jobs = [make_job(priority=number % 3) for number in range(64)]
        add(work, *jobs)

        def take_all() -> list[str]:
            mine = []
            while (held := claim(work)) is not None:
                mine.append(held.id)
            return mine

        taken = Counter(job_id for mine in together([take_all] * 8) for job_id in mine)
        # Who finds every waiting row locked by others may go home early, so a last look is due.
        taken.update(take_all())
        assert taken == Counter(job.id for job in jobs)

    def test_one_job_and_many_claims_give_one_owner(self, work: Work) -> None:
        for _ in range(10):
            job = add(work, make_job())
            winners = [held for held in together([lambda: claim(work)] * 8) if held is not None]
            assert [held.id for held in winners] == [job.id]
            assert get(work, job.id) == winners[0]

    def test_cancel_and_success_at_once_give_one_end(self, work: Work) -> None:
        states: Counter[JobState] = Counter()
        for _ in range(200):
            held = running(work)

            def finish(held: Job = held) -> Job | None:
                return end(work, held, Ending(JobState.SUCCEEDED, result={"n": 1}))

            def cancel(held: Job = held) -> Job | None:
                return do(work, lambda unit: unit.jobs.cancel(held.id, None))[0]

            ended, canceled = together([finish, cancel])
            final = get(work, held.id)
            assert ended is not None
            assert final.status is JobState.SUCCEEDED
            assert final.result == {"n": 1}
            assert canceled is not None
            assert canceled.status in (JobState.RUNNING, JobState.SUCCEEDED)
            states[canceled.status] += 1
        assert claim(work) is None

    def test_cancel_and_another_try_at_once_never_lose_the_cancel(self, work: Work) -> None:
        for _ in range(200):
            held = running(work)
            actions: list[Callable[[], object]] = [
                lambda held=held: end(work, held, Ending(JobState.QUEUED, error="e")),  # type: ignore[misc]
                lambda held=held: do(work, lambda unit: unit.jobs.cancel(held.id, None)),  # type: ignore[misc]
            ]
            together(actions)
            final = get(work, held.id)
            assert final.status is JobState.CANCELED
            assert final.lease_token is None

    def test_cancel_and_claim_at_once_never_lose_the_cancel(self, work: Work) -> None:
        for _ in range(50):
            job = add(work, make_job())
            actions: list[Callable[[], object]] = [
                lambda: claim(work),
                lambda job=job: do(work, lambda unit: unit.jobs.cancel(job.id, None)),  # type: ignore[misc]
            ]
            together(actions)
            final = get(work, job.id)
            assert final.cancel_requested_at is not None
            assert final.status in (JobState.CANCELED, JobState.RUNNING)

    def test_cancel_and_expiry_at_once_never_lose_the_cancel(self, work: Work, age: Age) -> None:
        for _ in range(50):
            held = running(work)
            age(held.id, HOUR_MS)
            actions: list[Callable[[], object]] = [
                lambda: do(work, lambda unit: unit.jobs.expire(10)),
                lambda held=held: do(work, lambda unit: unit.jobs.cancel(held.id, None)),  # type: ignore[misc]
            ]
            together(actions)
            do(work, lambda unit: unit.jobs.expire(10))
            assert get(work, held.id).status is JobState.CANCELED

    def test_an_expired_lease_has_one_new_owner_and_the_late_end_loses(self, work: Work, age: Age) -> None:
        for _ in range(20):
            held = running(work)
            age(held.id, HOUR_MS)

            def finish(held: Job = held) -> bool:
                return end(work, held, Ending(JobState.SUCCEEDED, result={"by": "first"})) is not None

            def take_over() -> bool:
                return bool(do(work, lambda unit: unit.jobs.expire(10)))

            finished, taken = together([finish, take_over])
            assert finished != taken
            assert get(work, held.id).status is (JobState.SUCCEEDED if finished else JobState.QUEUED)
            if taken:
                assert claim(work) is not None

    def test_sweepers_at_once_take_back_each_job_once(self, work: Work, age: Age) -> None:
        held = [running(work) for _ in range(20)]
        for job in held:
            age(job.id, HOUR_MS)
        found = together([lambda: do(work, lambda unit: unit.jobs.expire(100))] * 6)
        taken = Counter(job.id for jobs in found for job in jobs)
        taken.update(job.id for job in do(work, lambda unit: unit.jobs.expire(100)))
        assert taken == Counter(job.id for job in held)

    def test_one_idempotency_key_is_taken_once(self, work: Work) -> None:
        def submit() -> str:
            try:
                add(work, make_job(idempotency_key="k"))
            except Conflict as error:
                return error.code
            return "stored"

        assert sorted(together([submit] * 8)) == ["idempotency_race"] * 7 + ["stored"]

    def test_heartbeats_and_progress_at_once_lose_nothing(self, work: Work) -> None:
        held = running(work)
        token = str(held.lease_token)

        def beat() -> None:
            for _ in range(10):
                assert do(work, lambda unit: unit.jobs.renew({held.id: token}, lease_ms=LEASE_MS)) == {held.id: False}

        def report() -> None:
            for step in range(10):
                assert do(work, lambda unit, step=step: unit.jobs.report(held.id, token, step / 10, "")) is not None  # type: ignore[misc]

        together([beat, report, report])
        final = get(work, held.id)
        assert (final.progress, final.progress_seq) == (0.9, 20)
