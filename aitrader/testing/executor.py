"""What every `Executor` does. Subclass `ExecutorContract` and override its fixtures."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from aitrader.testing.job_samples import make_job
from aitrader.testing.probes import ARTIFACT_NAME, effect
from aitrader.testing.waiting import together
from domain.common.ids import new_id
from domain.jobs.model import (
    Canceled,
    Failed,
    Isolation,
    Job,
    JobState,
    JobTypeInfo,
    LeaseLost,
    Outcome,
    Released,
    Succeeded,
)
from domain.jobs.ports import Executor

Verdict = Canceled | Released | LeaseLost


class FakeLease:
    """A `Lease` that is told its verdict by the test; with ``on_report``, at the first sign of progress."""

    def __init__(self, job: Job, *, on_report: Verdict | None = None) -> None:
        self._job = job
        self._on_report = on_report
        self._verdict: Verdict | None = None
        self._changed = threading.Event()
        self.reported = threading.Event()
        self.reports: list[tuple[float, str]] = []

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        return self._job

    def verdict(self) -> Verdict | None:
        """Return why the job must stop now."""
        return self._verdict

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is a verdict, or the time is up."""
        self._changed.wait(timeout_s)

    def report(self, fraction: float, message: str) -> None:
        """Remember progress."""
        self.reports.append((fraction, message))
        self.reported.set()
        if self._on_report is not None:
            self.stop(self._on_report)

    def stop(self, verdict: Verdict) -> None:
        """Tell the job to stop."""
        self._verdict = verdict
        self._changed.set()


def held_job(job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> Job:
    """Return a job as a worker holds it, in its first attempt."""
    given: dict[str, Any] = {"attempt": 1, "status": JobState.RUNNING, "lease_token": new_id(), **fields}
    return make_job(job_type=job_type, payload=payload or {}, **given)


def probe_info(name: str, **fields: Any) -> JobTypeInfo:
    """Return what an executor is told about a probe."""
    info = JobTypeInfo(name, name, name, Isolation.PROCESS, 3, 3600.0)
    return replace(info, **fields)


class ExecutorContract:
    """Tests for any `Executor` whose jobs know the probes of `aitrader.testing.probes`."""

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        """Yield an executor that is closed after the test."""
        raise NotImplementedError("override the executor fixture")

    @pytest.fixture
    def own_executor(self, executor: Executor) -> Executor:
        """Return an executor that this test may close; override it if tests share ``executor``."""
        return executor

    @pytest.fixture
    def artifacts_dir(self) -> Path:
        """Return the directory of artifacts."""
        raise NotImplementedError("override the artifacts_dir fixture")

    @pytest.fixture
    def run(self, executor: Executor) -> Callable[..., Outcome]:
        """Return ``run(job_type, payload, on_report=…, **fields of the job)``, which runs a probe to its end."""

        def run(job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> Outcome:
            lease = FakeLease(held_job(job_type, payload, **fields))
            return executor.run(lease, probe_info(job_type))

        return run

    def test_returns_the_result(self, run: Callable[..., Outcome]) -> None:
        outcome = run("probe_cpu", {"value": "₹ ☃ \"'", "steps": 2}, attempt=2)
        assert isinstance(outcome, Succeeded)
        assert outcome.result["value"] == "₹ ☃ \"'"
        assert outcome.result["attempt"] == 2
        assert (outcome.artifacts, outcome.records, outcome.children) == ((), (), ())

    def test_passes_progress_on_in_order(self, executor: Executor) -> None:
        lease = FakeLease(held_job("probe_cpu", {"steps": 5}))
        assert isinstance(executor.run(lease, probe_info("probe_cpu")), Succeeded)
        assert lease.reports == [((step + 1) / 5, f"step {step + 1}") for step in range(5)]

    def test_publishes_records_and_artifacts_of_a_success(
        self, run: Callable[..., Outcome], artifacts_dir: Path
    ) -> None:
        job_id = new_id()
        outcome = run("probe_record", {"text": "what it wrote ₹"}, id=job_id, attempt=2)
        assert isinstance(outcome, Succeeded)
        assert outcome.records == (effect(),)
        (artifact,) = outcome.artifacts
        content = (artifacts_dir / artifact.path).read_bytes()
        assert content.decode() == "what it wrote ₹"
        assert (artifact.name, artifact.media_type) == (ARTIFACT_NAME, "text/plain")
        assert artifact.size_bytes == len(content)
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()
        parts = PurePosixPath(artifact.path).parts
        assert (parts[0], parts[-1]) == (job_id, ARTIFACT_NAME)

    def test_attempts_under_different_leases_do_not_share_files(
        self, run: Callable[..., Outcome], artifacts_dir: Path
    ) -> None:
        paths = []
        for text in ("first", "second"):
            outcome = run("probe_record", {"text": text}, id="0" * 36, attempt=1)
            assert isinstance(outcome, Succeeded)
            paths.append(outcome.artifacts[0].path)
        assert len(set(paths)) == 2
        assert (artifacts_dir / paths[1]).read_text() == "second"

    def test_a_failure_leaves_no_artifact(self, run: Callable[..., Outcome], artifacts_dir: Path) -> None:
        job_id = new_id()
        outcome = run("probe_record", {"fail": True}, id=job_id)
        assert outcome == Failed("probe_unavailable", "the probe failed after its effects", retryable=True)
        assert [path for path in artifacts_dir.rglob(f"{job_id}/**/*") if path.is_file()] == []

    def test_an_artifact_that_was_not_written_is_a_failure(self, run: Callable[..., Outcome]) -> None:
        outcome = run("probe_no_artifact")
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("artifact_missing", False)

    def test_hands_over_children(self, run: Callable[..., Outcome]) -> None:
        job_id = new_id()
        outcome = run("probe_children", {"count": 2}, id=job_id, user_id="bob")
        assert isinstance(outcome, Succeeded)
        assert [(child.job_type, child.user_id, child.parent_id) for child in outcome.children] == [
            ("probe_noop", "bob", job_id)
        ] * 2

    def test_children_off_schema_fail_the_parent(self, run: Callable[..., Outcome]) -> None:
        outcome = run("probe_children", {"job_type": "there_is_none"})
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("unknown_job_type", False)

    @pytest.mark.parametrize(
        ("kind", "code", "retryable"),
        [
            ("unavailable", "probe_unavailable", True),
            ("invalid", "probe_invalid", False),
            ("bug", "unexpected_error", True),
            ("text", "unexpected_error", True),
        ],
    )
    def test_errors_keep_their_category(
        self, run: Callable[..., Outcome], kind: str, code: str, retryable: bool
    ) -> None:
        outcome = run("probe_fail", {"kind": kind})
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == (code, retryable)
        assert isinstance(run("probe_fail", {"kind": kind}, attempt=2), Succeeded)

    def test_a_result_off_schema_is_a_failure_that_says_so(self, run: Callable[..., Outcome]) -> None:
        outcome = run("probe_bad_result")
        assert isinstance(outcome, Failed)
        assert "schema" in outcome.error

    def test_a_stored_payload_that_fits_no_more_fails_at_once(self, run: Callable[..., Outcome]) -> None:
        outcome = run("probe_cpu", {"steps": "many"})
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("invalid_payload", False)

    @pytest.mark.parametrize("verdict", [Canceled(), Released(), LeaseLost()], ids=lambda v: type(v).__name__)
    def test_a_job_that_looks_stops_when_told(self, executor: Executor, verdict: Verdict) -> None:
        lease = FakeLease(held_job("probe_wait"), on_report=verdict)
        assert executor.run(lease, probe_info("probe_wait")) == verdict
        assert len(lease.reports) == 1

    def test_a_job_canceled_before_its_start_stops(self, executor: Executor) -> None:
        lease = FakeLease(held_job("probe_wait"))
        lease.stop(Canceled())
        assert executor.run(lease, probe_info("probe_wait")) == Canceled()

    def test_a_job_stopped_once_does_not_stop_the_next(self, executor: Executor, run: Callable[..., Outcome]) -> None:
        for _ in range(2):
            lease = FakeLease(held_job("probe_wait"), on_report=Canceled())
            assert executor.run(lease, probe_info("probe_wait")) == Canceled()
            assert isinstance(run("probe_cpu"), Succeeded)

    def test_a_job_ends_at_its_deadline(self, run: Callable[..., Outcome], executor: Executor) -> None:
        lease = FakeLease(held_job("probe_deadline"))
        outcome = executor.run(lease, probe_info("probe_deadline", deadline_s=0.5))
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("deadline_exceeded", False)

    def test_runs_jobs_side_by_side(self, executor: Executor) -> None:
        leases = [FakeLease(held_job("probe_wait")) for _ in range(2)]

        def stop() -> None:
            for lease in leases:
                assert lease.reported.wait(60)  # both run at the same time, or this would never come
            for lease in leases:
                lease.stop(Canceled())

        outcomes: list[Outcome | None] = together(
            [*(lambda lease=lease: executor.run(lease, probe_info("probe_wait")) for lease in leases), stop]
        )
        assert outcomes == [Canceled(), Canceled(), None]

    def test_closing_twice_is_harmless(self, own_executor: Executor) -> None:
        own_executor.run(FakeLease(held_job("probe_noop")), probe_info("probe_noop"))
        own_executor.close()
        own_executor.close()
