"""The part of the `JobsWork` contract about held jobs: heartbeat, progress, end, and what expires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aitrader.testing.job_samples import (
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
    make_job,
    running,
)
from domain.jobs.model import Artifact, Ending, Job, JobState

_ARTIFACTS = (
    Artifact("a.png", "image/png", 12, "ab" * 32, "x/1/a.png"),
    Artifact("b.csv", "text/csv", 0, "cd" * 32, "x/1/b.csv"),
)


def _token(job: Job) -> str:
    return str(job.lease_token)


def _expire(work: Work, limit: int = 100) -> list[Job]:
    return do(work, lambda unit: unit.jobs.expire(limit))


def _report(work: Work, held: Job, fraction: float, message: str = "") -> Job | None:
    return do(work, lambda unit: unit.jobs.report(held.id, _token(held), fraction, message))


class LeasesContract:
    """Tests for any `JobRepository`; see `JobsWorkContract`."""

    def test_a_heartbeat_extends_the_lease(self, work: Work, age: Age) -> None:
        held = running(work)
        age(held.id, HOUR_MS)
        assert do(work, lambda unit: unit.jobs.renew({held.id: _token(held)}, lease_ms=LEASE_MS)) == {held.id: False}
        renewed = get(work, held.id)
        assert renewed.lease_until is not None
        assert held.lease_until is not None
        assert renewed.lease_until >= held.lease_until
        assert _expire(work) == []

    def test_a_heartbeat_tells_what_is_to_be_canceled_and_leaves_out_what_is_lost(self, work: Work) -> None:
        kept, canceled, stolen, ended = (running(work) for _ in range(4))
        do(work, lambda unit: unit.jobs.cancel(canceled.id, None))
        end(work, ended, Ending(JobState.SUCCEEDED, result={}))
        held = {job.id: _token(job) for job in (kept, canceled, ended)} | {stolen.id: "another token"}
        answer = do(work, lambda unit: unit.jobs.renew(held, lease_ms=LEASE_MS))
        assert answer == {kept.id: False, canceled.id: True}
        assert do(work, lambda unit: unit.jobs.renew({}, lease_ms=LEASE_MS)) == {}

    def test_a_heartbeat_does_not_mix_up_tokens_of_two_jobs(self, work: Work) -> None:
        one, two = running(work), running(work)
        crossed = {one.id: _token(two), two.id: "lost"}
        assert do(work, lambda unit: unit.jobs.renew(crossed, lease_ms=LEASE_MS)) == {}

    def test_progress_goes_forward_only(self, work: Work) -> None:
        held = running(work)
        seen = [_report(work, held, fraction, f"at {fraction}") for fraction in (0.25, 0.1, 0.5, 0.5)]
        assert [job.progress for job in seen if job] == [0.25, 0.25, 0.5, 0.5]
        assert [job.progress_seq for job in seen if job] == [1, 2, 3, 4]
        assert [job.progress_message for job in seen if job] == ["at 0.25", "at 0.1", "at 0.5", "at 0.5"]
        assert get(work, held.id) == seen[-1]

    def test_progress_begins_again_with_each_attempt(self, work: Work) -> None:
        held = running(work)
        _report(work, held, 0.9, "almost")
        end(work, held, Ending(JobState.QUEUED))
        again = claim(work)
        assert again is not None
        assert (again.progress, again.progress_message, again.progress_seq) == (0.0, "", 1)
        third = _report(work, again, 0.1)
        assert third is not None
        assert (third.progress, third.progress_seq) == (0.1, 2)

    def test_progress_tells_whether_cancel_was_requested(self, work: Work) -> None:
        held = running(work)
        do(work, lambda unit: unit.jobs.cancel(held.id, None))
        job = _report(work, held, 0.5)
        assert job is not None
        assert job.cancel_requested_at is not None

    @pytest.mark.parametrize("text", ["nul \x00 inside", "lone \udcff surrogate", "₹ 💥", "x" * 5000])
    def test_any_text_can_be_a_message_or_an_error(self, work: Work, text: str) -> None:
        held = running(work)
        reported = _report(work, held, 0.5, text)
        assert reported is not None
        ended = end(work, held, Ending(JobState.FAILED, error_code="oops", error=text))
        assert ended is not None
        for stored in (reported.progress_message, ended.error):
            assert stored is not None
            assert stored[:3] == text[:3]
            assert len(stored) >= len(text)

    @pytest.mark.parametrize(
        ("ending", "expected"),
        [
            (
                Ending(JobState.SUCCEEDED, result={"n": [1, None]}, artifacts=_ARTIFACTS),
                {"result": {"n": [1, None]}, "artifacts": _ARTIFACTS, "progress": 1.0, "progress_message": ""},
            ),
            (Ending(JobState.FAILED, error_code="c", error="e"), {"error_code": "c", "error": "e"}),
            (Ending(JobState.DEAD, error_code="c", error="e"), {"error_code": "c", "error": "e"}),
            (Ending(JobState.CANCELED, error_code="canceled"), {"error_code": "canceled"}),
        ],
        ids=lambda value: value.status.value if isinstance(value, Ending) else "",
    )
    def test_a_held_job_ends(self, work: Work, ending: Ending, expected: dict[str, Any]) -> None:
        held = running(work)
        ended = end(work, held, ending)
        assert ended is not None
        assert ended.finished_at is not None
        free = {"lease_token": None, "lease_until": None, "lease_owner": None}
        finished: dict[str, Any] = {"status": ending.status, "finished_at": ended.finished_at, **free, **expected}
        assert ended == replace(held, **finished)
        assert get(work, held.id) == ended
        assert claim(work) is None

    def test_a_held_job_goes_back_for_another_try_later(self, work: Work, age: Age) -> None:
        held = running(work)
        queued = end(work, held, Ending(JobState.QUEUED, delay_ms=HOUR_MS, error_code="c", error="e"))
        assert queued is not None
        assert (queued.status, queued.attempt, queued.finished_at) == (JobState.QUEUED, 1, None)
        assert (queued.lease_token, queued.lease_until, queued.lease_owner) == (None, None, None)
        assert (queued.error_code, queued.error) == ("c", "e")
        assert held.started_at is not None
        assert queued.run_at - held.started_at == pytest.approx(HOUR_MS, abs=60_000)
        assert claim(work) is None
        age(held.id, 2 * HOUR_MS)
        again = claim(work)
        assert again is not None
        assert (again.attempt, again.started_at) == (2, held.started_at)

    def test_a_job_that_is_handed_back_loses_no_attempt(self, work: Work) -> None:
        held = running(work, max_attempts=1)
        queued = end(work, held, Ending(JobState.QUEUED, refund_attempt=True))
        assert queued is not None
        assert (queued.status, queued.attempt) == (JobState.QUEUED, 0)
        again = claim(work)
        assert again is not None
        assert again.attempt == 1

    def test_cancel_beats_another_try_but_not_success(self, work: Work) -> None:
        for ending, state in (
            (Ending(JobState.QUEUED, delay_ms=5, error_code="c", error="e"), JobState.CANCELED),
            (Ending(JobState.QUEUED, refund_attempt=True), JobState.CANCELED),
            (Ending(JobState.SUCCEEDED, result={}), JobState.SUCCEEDED),
            (Ending(JobState.FAILED, error="e"), JobState.FAILED),
            (Ending(JobState.CANCELED), JobState.CANCELED),
        ):
            held = running(work)
            do(work, lambda unit, held=held: unit.jobs.cancel(held.id, None))  # type: ignore[misc]
            ended = end(work, held, ending)
            assert ended is not None
            assert ended.status is state
            assert ended.finished_at is not None
            assert claim(work) is None

    @pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.RUNNING])
    def test_who_lost_the_lease_can_store_nothing(self, work: Work, age: Age, state: JobState) -> None:
        held = running(work)
        age(held.id, HOUR_MS)
        assert [job.id for job in _expire(work)] == [held.id]
        taken_over = claim(work, owner="w2")
        assert taken_over is not None
        assert end(work, held, Ending(state, result={"from": "the past"})) is None
        assert _report(work, held, 0.9) is None
        assert get(work, held.id) == taken_over
        assert end(work, taken_over, Ending(JobState.SUCCEEDED, result={})) is not None
        assert end(work, held, Ending(state)) is None
        assert get(work, held.id).status is JobState.SUCCEEDED

    def test_a_job_ends_once(self, work: Work) -> None:
        held = running(work)
        ended = end(work, held, Ending(JobState.SUCCEEDED, result={"n": 1}))
        assert end(work, held, Ending(JobState.FAILED, error="late")) is None
        assert _report(work, held, 0.5) is None
        assert get(work, held.id) == ended

    def test_only_leases_that_ran_out_expire(self, work: Work, age: Age) -> None:
        add(work, make_job(queue="cpu"))
        alive, dead = running(work), running(work)
        age(dead.id, LEASE_MS + HOUR_MS)
        assert [job.id for job in _expire(work)] == [dead.id]
        assert get(work, alive.id) == alive
        assert _expire(work) == []

    def test_an_expired_job_is_tried_again_until_its_attempts_are_used_up(self, work: Work, age: Age) -> None:
        held = running(work, max_attempts=2)
        age(held.id, HOUR_MS)
        (queued,) = _expire(work)
        assert (queued.status, queued.attempt, queued.finished_at) == (JobState.QUEUED, 1, None)
        assert (queued.lease_token, queued.lease_until, queued.lease_owner) == (None, None, None)
        assert queued.error_code == "worker_died"
        assert queued.run_at > LONG_AGO_MS
        again = claim(work)
        assert again is not None
        assert again.attempt == 2
        age(held.id, HOUR_MS)
        (dead,) = _expire(work)
        assert (dead.status, dead.attempt) == (JobState.DEAD, 2)
        assert dead.finished_at is not None
        assert claim(work) is None
        assert get(work, held.id) == dead

    def test_an_expired_job_that_was_to_be_canceled_is_canceled(self, work: Work, age: Age) -> None:
        held = running(work)
        do(work, lambda unit: unit.jobs.cancel(held.id, None))
        age(held.id, HOUR_MS)
        (canceled,) = _expire(work)
        assert canceled.status is JobState.CANCELED
        assert canceled.finished_at is not None
        assert claim(work) is None

    def test_no_more_expire_at_once_than_asked_for_and_the_oldest_first(self, work: Work, age: Age) -> None:
        held = [running(work) for _ in range(7)]
        for place, job in enumerate(held):
            age(job.id, HOUR_MS * (10 - place))
        seen = []
        for expected in (3, 3, 1, 0):
            expired = _expire(work, 3)
            assert len(expired) == expected
            seen.append({job.id for job in expired})
        assert seen[:3] == [{job.id for job in held[start : start + 3]} for start in (0, 3, 6)]
