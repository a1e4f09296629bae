from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.process.executor import ProcessExecutor
from aitrader.testing.executor import ExecutorContract, FakeLease, Verdict, held_job, probe_info
from aitrader.testing.waiting import together
from aitrader.thread_executor import ThreadExecutor
from domain.engines.calls import CallCounter
from domain.jobs.model import Canceled, Crashed, Failed, LeaseLost, Outcome, Released, Succeeded
from domain.jobs.ports import Executor
from tests import probe_plugin
from tests.processes import Process, eventually

CHILD = (sys.executable, "-m", "aitrader.child")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return not Path("/proc/self").exists()
    return state not in ("Z", "X") or threads > 1  # the first thread may be gone before the others are


def result_pid(outcome: Outcome) -> int:
    assert isinstance(outcome, Succeeded), outcome
    return int(outcome.result["pid"])


class TestThreadExecutor(ExecutorContract):
    @pytest.fixture
    def artifacts_dir(self, tmp_path: Path) -> Path:
        return tmp_path / "artifacts"

    @pytest.fixture
    def executor(self, artifacts_dir: Path) -> Iterator[Executor]:
        with closing(ThreadExecutor(probe_plugin.toolbox(artifacts_dir))) as executor:
            yield executor


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def env(data_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AITRADER_")}
    ours = {"AITRADER_DATA_DIR": str(data_dir), "AITRADER_PLUGINS_ONLY": "probe", "AITRADER_PLUGINS_STRICT": "1"}
    return {**inherited, **probe_plugin.install(data_dir / "plugin"), **ours}


@pytest.fixture(scope="module")
def shared_executor(env: dict[str, str]) -> Iterator[ProcessExecutor]:
    """Starting a child takes a second, so most tests share theirs."""
    with closing(ProcessExecutor(CHILD, env, grace_s=30.0)) as executor:
        yield executor


class TestProcessExecutor(ExecutorContract):
    @pytest.fixture
    def artifacts_dir(self, data_dir: Path) -> Path:
        return data_dir / "artifacts"

    @pytest.fixture
    def executor(self, shared_executor: ProcessExecutor) -> ProcessExecutor:
        return shared_executor

    @pytest.fixture
    def own_executor(self, env: dict[str, str]) -> Iterator[ProcessExecutor]:
        with closing(ProcessExecutor(CHILD, env, grace_s=30.0)) as executor:
            yield executor

    def test_jobs_share_a_child_that_is_not_this_process(self, run: Callable[..., Outcome]) -> None:
        pids = {result_pid(run("probe_noop")) for _ in range(3)}
        assert len(pids) == 1
        assert os.getpid() not in pids

    @pytest.mark.parametrize("verdict", [Canceled(), Released(), LeaseLost()], ids=lambda v: type(v).__name__)
    def test_a_deaf_job_is_killed(self, env: dict[str, str], verdict: Verdict) -> None:
        with closing(ProcessExecutor(CHILD, env, grace_s=0.1)) as executor:
            lease = FakeLease(held_job("probe_sleep"), on_report=verdict)
            assert executor.run(lease, probe_info("probe_sleep")) == verdict
            deaf = int(lease.reports[0][1])
            assert not is_running(deaf)
            after = executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))
            assert result_pid(after) != deaf

    def test_a_deaf_job_is_killed_at_its_deadline(self, executor: Executor) -> None:
        executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))
        lease = FakeLease(held_job("probe_sleep"))
        outcome = executor.run(lease, probe_info("probe_sleep", deadline_s=0.1))
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("deadline_exceeded", False)
        assert not is_running(int(lease.reports[0][1]))

    def test_a_crash_is_told_and_the_next_job_gets_a_new_child(
        self, executor: Executor, run: Callable[..., Outcome]
    ) -> None:
        before = result_pid(run("probe_noop"))
        lease = FakeLease(held_job("probe_crash"))
        outcome = executor.run(lease, probe_info("probe_crash"))
        assert isinstance(outcome, Crashed)
        assert "signal 9" in outcome.error
        assert int(lease.reports[0][1]) == before
        assert result_pid(run("probe_noop")) != before

    def test_a_crash_is_noticed_though_a_grandchild_holds_the_socket(self, executor: Executor) -> None:
        lease = FakeLease(held_job("probe_orphan"))
        outcome = executor.run(lease, probe_info("probe_orphan", deadline_s=120))
        assert isinstance(outcome, Crashed), outcome
        eventually(lambda: not is_running(int(lease.reports[0][1])), message="the grandchild is gone")

    def test_an_error_that_is_no_utf8_does_not_cost_the_child(self, run: Callable[..., Outcome]) -> None:
        pid = result_pid(run("probe_noop"))
        outcome = run("probe_fail", {"kind": "surrogate"})
        assert isinstance(outcome, Failed)
        assert outcome.code == "unexpected_error"
        assert result_pid(run("probe_noop")) == pid

    def test_a_child_that_died_idle_is_replaced(self, run: Callable[..., Outcome]) -> None:
        pid = result_pid(run("probe_noop"))
        os.kill(pid, 9)
        eventually(lambda: not is_running(pid))
        assert result_pid(run("probe_noop")) != pid

    def test_a_child_that_cannot_start_is_a_crash(self, env: dict[str, str]) -> None:
        with closing(ProcessExecutor((sys.executable, "-c", "raise SystemExit(7)"), env, 1.0)) as executor:
            outcome = executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))
        assert isinstance(outcome, Crashed)
        assert "exit code 7" in outcome.error

    def test_calls_to_engines_are_counted_in_the_parent(self, env: dict[str, str]) -> None:
        calls = CallCounter()
        with closing(ProcessExecutor(CHILD, env, 30.0, calls.add)) as executor:
            for name in ("probe_ask_model", "probe_noop", "probe_ask_model"):
                assert isinstance(executor.run(FakeLease(held_job(name)), probe_info(name)), Succeeded)
        found = {(item.engine, item.outcome): sum(item.counts) for item in calls.calls()}
        assert found == {("local_inference", "refused"): 2}

    def test_a_closed_executor_leaves_no_process_and_blames_no_job(self, env: dict[str, str]) -> None:
        executor = ProcessExecutor(CHILD, env, grace_s=30.0)
        busy = FakeLease(held_job("probe_sleep"))
        idle: list[int] = []

        def close() -> None:
            idle.append(result_pid(executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))))
            assert busy.reported.wait(60)
            executor.close()

        outcome, _ = together([lambda: executor.run(busy, probe_info("probe_sleep")), close])
        assert outcome == Released()
        for pid in (idle[0], int(busy.reports[0][1])):
            assert not is_running(pid)
        late = executor.run(FakeLease(held_job("probe_sleep")), probe_info("probe_sleep"))
        assert late == Released()

    def test_a_child_goes_when_its_parent_is_killed(self, env: dict[str, str], tmp_path: Path) -> None:
        program = tmp_path / "parent.py"
        program.write_text(_PARENT)
        with Process([sys.executable, str(program)], env=env) as parent:
            pids = [int(parent.wait_for_line(rf"^{name} (\d+)$", 60).group(1)) for name in ("idle", "busy")]
            assert all(is_running(pid) for pid in pids)
            parent.kill(group=False)
            eventually(lambda: not any(is_running(pid) for pid in pids), timeout=30)


_PARENT = """
import os, sys, threading
from adapters.process.executor import ProcessExecutor
from aitrader.testing.executor import FakeLease, held_job, probe_info

executor = ProcessExecutor((sys.executable, "-m", "aitrader.child"), os.environ, 30.0)
busy = FakeLease(held_job("probe_sleep"))
threading.Thread(target=executor.run, args=(busy, probe_info("probe_sleep"))).start()
idle = executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))
print("idle", idle.result["pid"], flush=True)
busy.reported.wait(60)
print("busy", busy.reports[0][1], flush=True)
threading.Event().wait()
"""
