from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aitrader import attempts
from aitrader.attempts import Toolbox, run_attempt
from aitrader.job_types import RegisteredJobTypes
from aitrader.registry import Registry
from aitrader.testing.clock import FakeClock
from domain.common.errors import Conflict, Invalid, NotFound, Unavailable
from domain.jobs.model import (
    Artifact,
    Canceled,
    Failed,
    Job,
    JobCanceled,
    JobLeaseLost,
    LeaseLost,
    NewJob,
    Outcome,
    Released,
    Succeeded,
)
from domain.research.model import BacktestResult
from tests.unit.aitrader.kinds import CountJob, HalfStrategy, Report

ROW = BacktestResult("sma", {}, ["X"], "1d", 0, 1, {"sharpe": None}, "hash", "0.1")


class Control:
    """Remembers reports; gives the verdict it is told to give."""

    def __init__(self) -> None:
        self.now: Canceled | Released | LeaseLost | None = None
        self.reports: list[tuple[float, str]] = []

    def verdict(self) -> Canceled | Released | LeaseLost | None:
        return self.now

    def report(self, fraction: float, message: str) -> None:
        self.reports.append((fraction, message))


class Bench:
    """Runs attempts of a job type whose work is a function."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.control = Control()
        self.opened = 0
        self.job = Job("job-1", "ann", "count", "default", {}, "", 0, 3, 0, attempt=2)

    def open_bars(self) -> Any:
        self.opened += 1
        return "the store"

    def __call__(self, do: Callable[..., Any], *, payload: Any = None, **limits: Any) -> Outcome:
        job_type = CountJob(do)
        for name, value in limits.items():
            setattr(job_type, name, value)
        registry: Registry[Any] = Registry("job type")
        registry.add("count", job_type)
        strategies: Registry[Any] = Registry("strategy")
        strategies.add("half", HalfStrategy())
        tools = Toolbox(RegisteredJobTypes(registry), strategies, self.open_bars, self.root)
        return run_attempt(replace(self.job, payload=payload or {}), self.control, tools)

    @property
    def files(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def good(context: Any, payload: Any) -> Report:
    return Report(total=payload.count)


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def test_a_good_end(bench: Bench) -> None:
    def do(context: Any, payload: Any) -> Report:
        assert (context.job_id, context.user_id, context.attempt) == ("job-1", "ann", 2)
        context.artifact("a.txt", "text/plain").write_text("hello")
        context.record(ROW)
        context.enqueue("count", {"count": 2})
        return good(context, payload)

    outcome = bench(do, payload={"count": 5})
    digest = hashlib.sha256(b"hello").hexdigest()
    child = {"count": 2, "text": "", "ratio": 0.5, "legs": [], "extra": {}}
    assert outcome == Succeeded(
        {"total": 5.0, "note": ""},
        (Artifact("a.txt", "text/plain", 5, digest, "job-1/2-job-1/a.txt"),),
        (ROW,),
        (NewJob("ann", "count", child, parent_id="job-1"),),
    )
    assert bench.files == ["job-1/2-job-1/a.txt"]


@pytest.mark.parametrize("name", ["a", "a.b-c_d.csv", "x" * 128, "9"])
def test_plain_file_names(bench: Bench, name: str) -> None:
    def do(context: Any, payload: Any) -> Report:
        context.artifact(name, "text/plain").write_text("")
        return good(context, payload)

    assert isinstance(bench(do), Succeeded)
    assert bench.files == [f"job-1/2-job-1/{name}"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "/etc/passwd", ".hidden", "a\\b", "a b", "a\n", "a\x00", "ä", "x" * 129, "-a"],
)
def test_names_that_lead_elsewhere_are_refused(bench: Bench, name: str) -> None:
    outcome = bench(lambda context, payload: context.artifact(name, "text/plain"))
    assert failure(outcome).code == "invalid"
    assert "is not a plain file name" in failure(outcome).error
    assert bench.files == []


def test_an_announced_file_must_be_there(bench: Bench) -> None:
    def do(context: Any, payload: Any) -> Report:
        context.artifact("there.txt", "text/plain").write_text("x")
        context.artifact("not.txt", "text/plain")
        return good(context, payload)

    outcome = failure(bench(do))
    assert (outcome.code, outcome.retryable) == ("artifact_missing", False)
    assert "'not.txt'" in outcome.error
    assert bench.files == []


def test_files_of_failed_and_of_earlier_attempts_are_removed(bench: Bench) -> None:
    other = bench.root / "job-1" / "1-dead" / "left.txt"
    other.parent.mkdir(parents=True)
    other.write_text("x")

    def do(context: Any, payload: Any) -> Report:
        context.artifact("a.txt", "text/plain").write_text("hello")
        raise ValueError("boom")

    failure(bench(do))
    assert bench.files == []


def test_files_of_an_attempt_that_was_killed_do_not_count(bench: Bench) -> None:
    stale = bench.root / "job-1" / "2-job-1" / "a.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("stale")

    def do(context: Any, payload: Any) -> Report:
        context.artifact("a.txt", "text/plain")
        return good(context, payload)

    assert failure(bench(do)).code == "artifact_missing"


def test_bars_are_opened_only_for_types_that_need_them(bench: Bench) -> None:
    def do(context: Any, payload: Any) -> Report:
        assert context.bars == "the store"
        return good(context, payload)

    assert "must list 'bars' in needs" in failure(bench(do)).error
    assert bench.opened == 0
    assert isinstance(bench(do, needs=("bars",)), Succeeded)
    assert isinstance(bench(good, needs=("bars",)), Succeeded)
    assert bench.opened == 1


def test_strategies_by_name(bench: Bench) -> None:
    def do(context: Any, payload: Any) -> Report:
        assert context.strategy("half").name == "half"
        context.strategy("none")
        return good(context, payload)

    assert failure(bench(do)) == Failed("unknown_strategy", "there is no strategy 'none'; known: half", False)


def test_progress_stays_between_0_and_1_and_never_goes_back(bench: Bench) -> None:
    def do(context: Any, payload: Any) -> Report:
        for fraction in (0.1, -5, 0.5, 0.2, float("nan"), 7):
            context.progress(fraction, "m" * 500)
        return good(context, payload)

    assert isinstance(bench(do), Succeeded)
    assert [fraction for fraction, _ in bench.control.reports] == [0.1, 0.1, 0.5, 0.5, 0.5, 1.0]
    assert {len(message) for _, message in bench.control.reports} == {200}


@pytest.mark.parametrize("verdict", [Canceled(), Released(), LeaseLost()])
@pytest.mark.parametrize("step", ["progress", "check", "at the end"])
def test_a_verdict_stops_the_job(bench: Bench, verdict: Any, step: str) -> None:
    went_on = []

    def do(context: Any, payload: Any) -> Report:
        bench.control.now = verdict
        if step == "progress":
            context.progress(0.5)
        if step == "check":
            context.check()
        went_on.append(step)
        return good(context, payload)

    assert bench(do) == verdict
    assert went_on == (["at the end"] if step == "at the end" else [])


def test_a_job_is_stopped_at_its_deadline(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(attempts, "time", SimpleNamespace(monotonic=clock.monotonic))

    def do(context: Any, payload: Any) -> Report:
        clock.advance(10)
        context.check()
        clock.advance(0.1)
        context.check()
        return good(context, payload)

    assert failure(bench(do, deadline_s=10.0)) == Failed(
        "deadline_exceeded", "The job ran longer than its deadline.", retryable=False
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (JobCanceled(), Canceled()),
        (JobLeaseLost(), LeaseLost()),
        (Invalid("no", code="wrong"), Failed("wrong", "no", retryable=False)),
        (NotFound("no"), Failed("not_found", "no", retryable=False)),
        (Conflict("no"), Failed("conflict", "no", retryable=False)),
        (Unavailable("no"), Failed("unavailable", "no", retryable=True)),
        (ValueError("boom"), Failed("unexpected_error", "ValueError: boom", retryable=True)),
        (MemoryError(), Failed("unexpected_error", "MemoryError: ", retryable=True)),
    ],
)
def test_what_an_exception_means(bench: Bench, error: Exception, outcome: Outcome) -> None:
    def do(context: Any, payload: Any) -> Report:
        raise error

    assert bench(do) == outcome


def test_an_unexpected_error_is_logged_with_its_traceback_and_cut_short(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def do(context: Any, payload: Any) -> Report:
        raise ValueError("x" * 10_000)

    with caplog.at_level(logging.ERROR):
        assert len(failure(bench(do)).error) == 500
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.job_id == "job-1"  # type: ignore[attr-defined]


def test_a_payload_that_no_longer_fits_fails_for_good(bench: Bench) -> None:
    outcome = failure(bench(good, payload={"count": 0}))
    assert (outcome.code, outcome.retryable) == ("invalid_payload", False)


def test_a_result_off_schema_is_a_failure(bench: Bench) -> None:
    outcome = failure(bench(lambda context, payload: {"wrong": 1}))
    assert outcome.code == "unexpected_error"
    assert "off its schema" in outcome.error


@pytest.mark.parametrize(
    ("do", "code"),
    [
        (lambda context, payload: context.record({"not": "a row"}), "unknown_record"),
        (lambda context, payload: context.enqueue("none", {}), "unknown_job_type"),
        (lambda context, payload: context.enqueue("count", {"count": 0}), "invalid_payload"),
    ],
)
def test_effects_are_checked_when_they_are_asked_for(bench: Bench, do: Any, code: str) -> None:
    outcome = failure(bench(do))
    assert (outcome.code, outcome.retryable) == (code, False)
