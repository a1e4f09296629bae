from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.jobs.model import (
    Artifact,
    Canceled,
    Crashed,
    Ending,
    Failed,
    Job,
    JobState,
    LeaseLost,
    Outcome,
    Released,
    Succeeded,
)
from domain.jobs.running import backoff_ms, ending_of

JOB = Job(
    id="0190a4f2-0000-7000-8000-000000000001",
    user_id="ann",
    job_type="note",
    queue="default",
    payload={},
    payload_hash="",
    run_at=0,
    max_attempts=3,
    created_at=0,
    status=JobState.RUNNING,
    lease_token="t",
)
FILE = Artifact("a.txt", "text/plain", 1, "00", "x/1/a.txt")
SUCCESS = Succeeded({"n": 1}, artifacts=(FILE,))
RETRY = Failed("slow", "too slow")
FINAL = Failed("wrong", "all wrong", retryable=False)
CRASH = Crashed("killed")

Q, S, F, C, D = JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.DEAD

TABLE: list[tuple[Outcome, int, JobState | None]] = [
    # outcome, attempt of three, next state
    (SUCCESS, 1, S),
    (SUCCESS, 2, S),
    (SUCCESS, 3, S),
    (RETRY, 1, Q),
    (RETRY, 2, Q),
    (RETRY, 3, F),
    (FINAL, 1, F),
    (FINAL, 2, F),
    (FINAL, 3, F),
    (CRASH, 1, Q),
    (CRASH, 2, Q),
    (CRASH, 3, D),
    (Canceled(), 1, C),
    (Canceled(), 2, C),
    (Canceled(), 3, C),
    (Released(), 1, Q),
    (Released(), 2, Q),
    (Released(), 3, Q),
    (LeaseLost(), 1, None),
    (LeaseLost(), 2, None),
    (LeaseLost(), 3, None),
]


@pytest.mark.parametrize(("outcome", "attempt", "state"), TABLE)
def test_next_state(outcome: Outcome, attempt: int, state: JobState | None) -> None:
    ending = ending_of(replace(JOB, attempt=attempt), outcome)
    assert (ending and ending.status) == state
    if ending is None:
        return
    postponed = state is Q and not isinstance(outcome, Released)
    assert ending.delay_ms == (backoff_ms(JOB.id, attempt) if postponed else 0)
    assert ending.refund_attempt == isinstance(outcome, Released)
    assert (ending.result is not None) == (state is S)


def test_the_table_covers_every_outcome() -> None:
    assert {type(outcome) for outcome, _, _ in TABLE} == {Succeeded, Failed, Crashed, Canceled, Released, LeaseLost}


def test_a_success_carries_result_and_files() -> None:
    assert ending_of(replace(JOB, attempt=1), SUCCESS) == Ending(S, result={"n": 1}, artifacts=(FILE,))


@pytest.mark.parametrize("attempt", [1, 3])
def test_an_error_is_kept_with_its_code(attempt: int) -> None:
    ending = ending_of(replace(JOB, attempt=attempt), RETRY)
    assert ending is not None
    assert (ending.error_code, ending.error) == ("slow", "too slow")


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_crash_is_told_as_the_death_of_the_worker(attempt: int) -> None:
    ending = ending_of(replace(JOB, attempt=attempt), CRASH)
    assert ending is not None
    assert (ending.error_code, ending.error) == ("worker_died", "killed")


def test_a_job_with_one_attempt_is_never_tried_again() -> None:
    job = replace(JOB, attempt=1, max_attempts=1)
    states = [ending.status for outcome in (RETRY, CRASH) if (ending := ending_of(job, outcome))]
    assert states == [F, D]


def test_only_queued_and_running_are_not_the_end() -> None:
    assert [state for state in JobState if not state.is_terminal] == [JobState.QUEUED, JobState.RUNNING]


def test_backoff_starts_at_two_seconds_and_doubles() -> None:
    waits = [backoff_ms("", attempt) for attempt in range(1, 10)]
    assert waits == [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000]


@given(job_id=st.uuids().map(str), attempt=st.integers(1, 10_000))
def test_backoff_is_monotone_capped_and_the_same_every_time(job_id: str, attempt: int) -> None:
    wait = backoff_ms(job_id, attempt)
    assert wait == backoff_ms(job_id, attempt)
    assert wait <= backoff_ms(job_id, attempt + 1)
    assert 2_000 <= wait <= 375_000


def test_backoff_spreads_jobs_that_failed_together() -> None:
    ids = [f"0190a4f2-0000-7000-8000-{number:012d}" for number in range(100)]
    assert len({backoff_ms(job_id, 5) for job_id in ids}) > 10
