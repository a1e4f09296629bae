"""Workers that die, freeze or do not obey: what happens to their jobs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.processes import Process, eventually
from tests.stack import Stack

pytestmark = pytest.mark.once

Start = Callable[..., Process]


@pytest.fixture
def scaled(tmp_path: Path, start_process: Start, postgres_url: str, redis_url: str) -> Stack:
    stack = Stack(start_process, tmp_path, database=postgres_url, redis=redis_url)
    stack.migrate()
    stack.api()
    return stack


@pytest.fixture(params=["embedded", "scaled"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, start_process: Start) -> Stack:
    """A running installation with one worker, of both kinds."""
    if request.param == "embedded":
        made = Stack(start_process, tmp_path, database=None, redis=None)
        made.api("up")
    else:
        made = request.getfixturevalue("scaled")
        made.worker()
    return made


def status(stack: Stack, job_id: str) -> str:
    return str(stack.job(job_id)["status"])


def wait_for(stack: Stack, job_id: str, wanted: str, timeout: float = 30) -> None:
    eventually(lambda: status(stack, job_id) == wanted, timeout, 0.1, f"job is {wanted}")


def test_a_frozen_worker_cannot_store_its_result(scaled: Stack) -> None:
    """P4: paused past its lease, another worker finishes the job; the first wakes up and is fenced."""
    frozen = scaled.worker()
    job_id = scaled.post("effect", "frozen", pause_s=1.0, stubborn=True)
    wait_for(scaled, job_id, "running")
    frozen.stop()
    scaled.worker()
    wait_for(scaled, job_id, "succeeded")
    assert scaled.job(job_id)["attempt"] == 2

    frozen.cont()
    frozen.wait_for_line("lease lost", 20)
    assert scaled.job(job_id)["result"] == {"attempt": 2}
    scaled.assert_each_effect_once(1)


def test_a_job_that_kills_its_worker_is_dead_and_blocks_nobody(scaled: Stack) -> None:
    """P5: poison in a thread takes the whole worker down, each time; after the last attempt it is dead."""
    poison = scaled.post("kill_worker", "poison")
    for _ in range(2):
        worker = scaled.run("worker", "--threads", "4")  # it may die before it says that it is ready
        eventually(lambda worker=worker: not worker.running, 30, message="the worker died of its job")
    scaled.worker()
    wait_for(scaled, poison, "dead")
    assert scaled.job(poison)["error_code"] == "worker_died"
    good = scaled.post("effect", "good")
    wait_for(scaled, good, "succeeded")


def test_a_job_that_kills_its_child_is_dead_and_the_worker_lives(stack: Stack) -> None:
    poison = stack.post("kill_child", "poison")
    wait_for(stack, poison, "dead")
    job = stack.job(poison)
    assert (job["attempt"], job["error_code"]) == (2, "worker_died")
    good = stack.post("effect_cpu", "good")
    wait_for(stack, good, "succeeded")


def test_cancel_stops_even_a_job_that_never_asks(stack: Stack) -> None:
    """P6: a process job that ignores cancel is killed after the grace period."""
    job_id = stack.post("effect_cpu", "stubborn", pause_s=600, stubborn=True)
    wait_for(stack, job_id, "running")
    answer = httpx2.post(f"{stack.url}/jobs/{job_id}/cancel", headers=stack.headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "running")
    wait_for(stack, job_id, "canceled")
    assert stack.query("SELECT count(*) FROM backtest_results")[0][0] == 0


def test_cancel_of_a_cooperative_thread_job(stack: Stack) -> None:
    job_id = stack.post("effect", "cooperative", pause_s=600)
    wait_for(stack, job_id, "running")
    httpx2.post(f"{stack.url}/jobs/{job_id}/cancel", headers=stack.headers)
    wait_for(stack, job_id, "canceled")


def test_cancel_racing_with_the_end_gives_one_end(stack: Stack) -> None:
    """P6: succeeded or canceled, never both, and never tried again."""
    ids = [stack.post("effect", f"race-{number}", pause_s=0.02) for number in range(60)]
    with httpx2.Client() as client, ThreadPoolExecutor(4) as pool:
        client.headers.update(stack.headers)
        answers = list(pool.map(lambda job_id: client.post(f"{stack.url}/jobs/{job_id}/cancel"), ids))
    assert {answer.status_code for answer in answers} == {200}
    eventually(lambda: sum(stack.counts().get(end, 0) for end in ("succeeded", "canceled")) == 60, 30)
    effects = stack.query("SELECT count(*) FROM backtest_results")[0][0]
    assert stack.counts().get("succeeded", 0) == effects
    assert stack.query("SELECT max(attempt) FROM jobs")[0][0] <= 1


def test_a_stopped_worker_hands_its_job_back_without_losing_an_attempt(scaled: Stack) -> None:
    first = scaled.worker()
    job_id = scaled.post("effect_cpu", "long", pause_s=25)
    wait_for(scaled, job_id, "running")
    first.terminate()
    assert first.wait(25) == 0
    job = scaled.job(job_id)
    assert (job["status"], job["attempt"]) == ("queued", 0)
    scaled.worker()
    wait_for(scaled, job_id, "running")
    httpx2.post(f"{scaled.url}/jobs/{job_id}/cancel", headers=scaled.headers)
    wait_for(scaled, job_id, "canceled")


def test_a_killed_worker_leaves_no_child_behind(scaled: Stack) -> None:
    worker = scaled.worker()
    job_id = scaled.post("effect_cpu", "orphan", pause_s=600)
    wait_for(scaled, job_id, "running")
    children = eventually(lambda: _children_of(worker.pid), message="the job runs in a child")
    worker.kill()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 15)


def _children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found
