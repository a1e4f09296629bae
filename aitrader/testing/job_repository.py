"""The part of the `JobsWork` contract about storing, finding, claiming, canceling and retrying jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aitrader.testing.job_samples import (
    FAR_MS,
    HOUR_MS,
    LEASE_MS,
    LONG_AGO_MS,
    Age,
    Work,
    add,
    claim,
    do,
    end,
    get,
    in_state,
    make_job,
    running,
)
from domain.common.errors import Conflict, NotFound
from domain.common.ids import new_id
from domain.jobs.model import Ending, Job, JobFilter, JobState

_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.DEAD)


def _find(work: Work, filter: JobFilter, *, before_id: str | None = None, limit: int = 100) -> list[Job]:
    with work() as unit:
        return unit.jobs.find(filter, before_id=before_id, limit=limit)


class RepositoryContract:
    """Tests for any `JobRepository`; see `JobsWorkContract`."""

    def test_returns_a_job_as_it_was_stored(self, work: Work) -> None:
        job = make_job(
            priority=-7, idempotency_key="k" * 255, parent_id=new_id(), trace="t" * 64, max_attempts=20, run_at=FAR_MS
        )
        add(work, job)
        assert get(work, job.id) == job

    def test_stores_a_payload_of_any_json(self, work: Work) -> None:
        payload = {
            "": "",
            "a b": [[], {}, [None]],
            "big": 2**53,
            "tiny": 5e-324,
            "nul": "\x00",
            "text": "'\";--\\ 💥",
        }
        job = add(work, make_job(payload=payload))
        assert get(work, job.id).payload == payload

    def test_storing_nothing_is_allowed(self, work: Work) -> None:
        do(work, lambda unit: unit.jobs.add([]))

    def test_gets_only_what_belongs_to_the_user(self, work: Work) -> None:
        job = add(work, make_job(user_id="alice"))
        with work() as unit:
            assert unit.jobs.get(job.id, "alice") == job
            for job_id, user_id in ((job.id, "bob"), (job.id, ""), (new_id(), "alice"), (new_id(), None)):
                with pytest.raises(NotFound) as caught:
                    unit.jobs.get(job_id, user_id)
                assert caught.value.code == "job_not_found"

    def test_an_idempotency_key_is_taken_once_per_user(self, work: Work) -> None:
        add(work, make_job(idempotency_key="k"), make_job(idempotency_key="k", user_id="bob"))
        add(work, make_job(), make_job())
        with pytest.raises(Conflict) as caught:
            add(work, make_job(), make_job(idempotency_key="k"))
        assert caught.value.code == "idempotency_race"
        with work() as unit:
            assert unit.jobs.counts()[JobState.QUEUED] == 4

    def test_finds_jobs_by_their_keys(self, work: Work) -> None:
        one, two = make_job(idempotency_key="1"), make_job(idempotency_key="2")
        add(work, one, two, make_job(idempotency_key="3"), make_job(idempotency_key="1", user_id="bob"))
        with work() as unit:
            assert unit.jobs.by_keys("alice", ["1", "2", "x"]) == {"1": one, "2": two}
            assert unit.jobs.by_keys("carol", ["1"]) == {}
            assert unit.jobs.by_keys("alice", []) == {}

    def test_lists_the_newest_first_and_page_by_page(self, work: Work) -> None:
        stored = [make_job() for _ in range(7)]
        add(work, *reversed(stored))
        newest_first = sorted(stored, key=lambda job: job.id, reverse=True)
        assert _find(work, JobFilter()) == newest_first
        assert _find(work, JobFilter(), limit=3) == newest_first[:3]
        assert _find(work, JobFilter(), limit=3, before_id=newest_first[2].id) == newest_first[3:6]
        assert _find(work, JobFilter(), limit=3, before_id=newest_first[5].id) == newest_first[6:]
        assert _find(work, JobFilter(), limit=3, before_id=newest_first[6].id) == []

    def test_lists_by_each_filter_and_by_all_together(self, work: Work) -> None:
        running_job = running(work, user_id="bob", job_type="other", created_at=5000)
        one = add(work, make_job(created_at=1000))
        two = add(work, make_job(created_at=2000, job_type="other"))
        assert _find(work, JobFilter(user_id="bob")) == [running_job]
        assert _find(work, JobFilter(user_id="")) == []
        assert _find(work, JobFilter(status=JobState.RUNNING)) == [running_job]
        assert _find(work, JobFilter(status=JobState.QUEUED)) == [two, one]
        assert _find(work, JobFilter(job_type="other")) == [two, running_job]
        assert _find(work, JobFilter(created_after=2000)) == [two, running_job]
        assert _find(work, JobFilter(created_before=2000)) == [one]
        assert _find(work, JobFilter(created_after=0, created_before=5001)) == [two, one, running_job]
        together = JobFilter("alice", JobState.QUEUED, "other", 1500, 2500)
        assert _find(work, together, limit=1) == [two]
        assert _find(work, together, before_id=two.id) == []

    def test_claims_the_most_urgent_then_the_oldest(self, work: Work) -> None:
        order = [
            make_job(priority=5, run_at=3000),
            make_job(priority=0, run_at=1000),
            make_job(priority=0, run_at=2000),
            make_job(priority=-5, run_at=500),
        ]
        add(work, order[2], order[0], order[3], order[1])
        assert [held.id for held in (claim(work) for _ in range(4)) if held] == [job.id for job in order]
        assert claim(work) is None

    def test_a_claim_says_who_holds_the_job_and_for_how_long(self, work: Work) -> None:
        job = add(work, make_job())
        with work() as unit:
            held = unit.jobs.claim("default", ["noop"], owner="host:1", token="token", lease_ms=LEASE_MS)
            unit.commit()
        assert held is not None
        assert (held.status, held.attempt) == (JobState.RUNNING, 1)
        assert (held.lease_token, held.lease_owner) == ("token", "host:1")
        assert held.started_at is not None
        assert held.lease_until is not None
        assert held.lease_until - held.started_at == pytest.approx(LEASE_MS, abs=1000)
        assert get(work, job.id) == held

    def test_claims_only_known_types_in_the_right_queue(self, work: Work) -> None:
        job = add(work, make_job(job_type="known", queue="cpu"))
        assert claim(work, "unknown", queue="cpu") is None
        assert claim(work, "known", queue="default") is None
        with work() as unit:
            assert unit.jobs.claim("cpu", [], owner="w", token="t", lease_ms=1) is None
        held = claim(work, "other", "known", queue="cpu")
        assert held is not None
        assert held.id == job.id

    def test_an_unknown_type_does_not_block_others(self, work: Work) -> None:
        add(work, make_job(job_type="unknown", priority=100))
        job = add(work, make_job())
        held = claim(work)
        assert held is not None
        assert held.id == job.id

    def test_postponed_jobs_wait_until_they_are_due(self, work: Work, age: Age) -> None:
        job = add(work, make_job(run_at=FAR_MS))
        assert claim(work) is None
        age(job.id, FAR_MS - LONG_AGO_MS)
        assert claim(work) is not None

    @pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
    def test_only_queued_jobs_are_claimed(self, work: Work, state: JobState) -> None:
        in_state(work, state)
        assert claim(work) is None

    def test_a_queued_job_is_canceled_at_once(self, work: Work) -> None:
        job = add(work, make_job())
        canceled, changed = do(work, lambda unit: unit.jobs.cancel(job.id, "alice"))
        assert changed
        assert canceled.status is JobState.CANCELED
        assert canceled.finished_at is not None
        assert canceled.cancel_requested_at is not None
        assert get(work, job.id) == canceled
        assert claim(work) is None

    def test_a_running_job_is_asked_to_stop(self, work: Work) -> None:
        held = running(work)
        asked, changed = do(work, lambda unit: unit.jobs.cancel(held.id, None))
        assert changed
        assert asked == replace(held, cancel_requested_at=asked.cancel_requested_at)
        assert asked.cancel_requested_at is not None
        again, changed = do(work, lambda unit: unit.jobs.cancel(held.id, None))
        assert (again, changed) == (asked, False)

    @pytest.mark.parametrize("state", _ENDED)
    def test_an_ended_job_stays_as_it_is_when_canceled(self, work: Work, state: JobState) -> None:
        job = in_state(work, state)
        assert do(work, lambda unit: unit.jobs.cancel(job.id, "alice")) == (job, False)
        assert get(work, job.id) == job

    def test_cancels_and_retries_only_what_belongs_to_the_user(self, work: Work) -> None:
        queued = add(work, make_job(run_at=FAR_MS))
        failed = in_state(work, JobState.FAILED)
        for job_id, user_id in ((queued.id, "bob"), (new_id(), "alice"), (new_id(), None)):
            with work() as unit, pytest.raises(NotFound):
                unit.jobs.cancel(job_id, user_id)
        for job_id, user_id in ((failed.id, "bob"), (new_id(), "alice"), (new_id(), None)):
            with work() as unit, pytest.raises(NotFound):
                unit.jobs.requeue(job_id, user_id)
        assert get(work, queued.id) == queued
        assert get(work, failed.id) == failed

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD, JobState.CANCELED])
    def test_a_job_that_did_not_succeed_can_run_again_as_new(self, work: Work, state: JobState) -> None:
        held = running(work)
        do(work, lambda unit: unit.jobs.cancel(held.id, None))
        do(work, lambda unit: unit.jobs.report(held.id, str(held.lease_token), 0.5, "half"))
        ended = end(work, held, Ending(state, error_code="oops", error="it broke"))
        assert ended is not None
        again = do(work, lambda unit: unit.jobs.requeue(held.id, "alice"))
        stored = make_job(id=held.id, run_at=again.run_at, progress_seq=again.progress_seq)
        assert again == stored
        assert again.progress_seq >= ended.progress_seq
        second = claim(work)
        assert second is not None
        assert second.attempt == 1

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED])
    def test_no_other_job_can_run_again(self, work: Work, state: JobState) -> None:
        job = in_state(work, state)
        with work() as unit, pytest.raises(Conflict, match=state.value) as caught:
            unit.jobs.requeue(job.id, "alice")
        assert caught.value.code == "job_not_retryable"
        assert get(work, job.id) == job

    def test_counts_due_jobs_by_queue(self, work: Work) -> None:
        running(work)
        add(
            work, make_job(), make_job(), make_job(queue="cpu"), make_job(run_at=FAR_MS), make_job(job_type="unknown")
        )
        with work() as unit:
            assert unit.jobs.due(["noop", "other"]) == {"default": 2, "cpu": 1}
            assert unit.jobs.due([]) == {}

    def test_says_when_the_next_postponed_job_is_due(self, work: Work, age: Age) -> None:
        def wait() -> int | None:
            with work() as unit:
                return unit.jobs.next_run_at()

        add(work, make_job())
        assert wait() is None
        later = add(work, make_job(run_at=FAR_MS + HOUR_MS))
        far = wait()
        assert far is not None
        add(work, make_job(run_at=FAR_MS))
        near = wait()
        assert near is not None
        assert far - near == pytest.approx(HOUR_MS, abs=60_000)
        age(later.id, 2 * HOUR_MS)
        nearer = wait()
        assert nearer is not None
        assert near - nearer == pytest.approx(HOUR_MS, abs=60_000)

    def test_counts_jobs_in_every_state(self, work: Work) -> None:
        with work() as unit:
            assert unit.jobs.counts() == dict.fromkeys(JobState, 0)
        for state in _ENDED:
            in_state(work, state)
        running(work)
        add(work, make_job(), make_job())
        with work() as unit:
            assert unit.jobs.counts() == {**dict.fromkeys(JobState, 1), JobState.QUEUED: 2}
