"""Job types that show how jobs are run: they succeed, fail, hang and crash on request. For tests only.

The module is a plugin: the entry point ``probe = aitrader.testing.probes`` in the group ``aitrader`` offers all of
them. Names ending in ``_thread`` do the same in a thread of the worker.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from aitrader.api import (
    BacktestResult,
    Invalid,
    Isolation,
    JobCanceled,
    JobContext,
    JobLeaseLost,
    JobType,
    NotFound,
    Registry,
    Unavailable,
    hookimpl,
)

ARTIFACT_NAME = "effect.txt"


class Echo(BaseModel):
    """What to give back, and in how many steps."""

    value: str = ""
    steps: int = Field(4, ge=0, le=10_000)


class Failure(BaseModel):
    """How to fail: ``unavailable`` may be tried again, ``invalid`` not, ``bug`` is an exception of its own."""

    times: int = Field(1, ge=0)
    kind: str = "unavailable"


class Effect(BaseModel):
    """What to leave behind."""

    name: str = "effect"
    text: str = "what the job wrote\n"
    fail: bool = False


class Family(BaseModel):
    """How many children to submit, of which type."""

    count: int = Field(3, ge=0, le=100)
    job_type: str = "probe_noop"


class Nothing(BaseModel):
    """Nothing to say."""


class Done(BaseModel):
    """What a probe did, in which process and attempt."""

    value: str = ""
    pid: int
    attempt: int


def done(context: JobContext, value: str = "") -> Done:
    """Return the result of a probe."""
    return Done(value=value, pid=os.getpid(), attempt=context.attempt)


class Noop(JobType):
    """Ends at once."""

    name = "probe_noop"
    title = "Probe: nothing"
    payload_type: type[Any] = Nothing
    result_type: type[Any] = Done
    isolation = Isolation.THREAD

    def run(self, context: JobContext, payload: Any) -> Any:
        """Do nothing."""
        return done(context)


class Cpu(Noop):
    """Reports progress step by step and gives its payload back."""

    name = "probe_cpu"
    title = "Probe: steps"
    payload_type = Echo
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Echo) -> Done:
        """Take the steps."""
        for step in range(payload.steps):
            context.progress((step + 1) / payload.steps, f"step {step + 1}")
        return done(context, payload.value)


class Wait(Noop):
    """Runs until it is told to stop, and stops at once then. Reports its process id as progress."""

    name = "probe_wait"
    title = "Probe: until canceled"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Wait for the end."""
        context.progress(0.1, str(os.getpid()))
        while True:
            context.check()
            time.sleep(0.005)


class Deadline(Wait):
    """As ``probe_wait``, but its deadline is half a second."""

    name = "probe_deadline"
    title = "Probe: deadline"
    deadline_s = 0.5


class Sleep(Noop):
    """Never ends and never looks whether it should. Reports its process id as progress."""

    name = "probe_sleep"
    title = "Probe: deaf"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Spin for ever."""
        with contextlib.suppress(JobCanceled, JobLeaseLost):
            context.progress(0.1, str(os.getpid()))
        while True:
            pass


class Crash(Noop):
    """Kills its own process. Reports its process id as progress."""

    name = "probe_crash"
    title = "Probe: crash"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Die."""
        context.progress(0.1, str(os.getpid()))
        os.kill(os.getpid(), 9)


class Orphan(Noop):
    """Kills its own process and leaves one behind that holds on to everything. Reports that one's id as progress."""

    name = "probe_orphan"
    title = "Probe: crash with a child"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Start a process, die."""
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
        context.progress(0.1, str(left.pid))
        os.kill(os.getpid(), 9)


class Fail(Noop):
    """Fails so many times, then succeeds."""

    name = "probe_fail"
    title = "Probe: failure"
    payload_type = Failure
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Failure) -> Done:
        """Fail in the way asked for."""
        if context.attempt > payload.times:
            return done(context)
        if payload.kind == "unavailable":
            raise Unavailable("the probe is not available", code="probe_unavailable")
        if payload.kind == "invalid":
            raise Invalid("the probe does not like this", code="probe_invalid")
        if payload.kind == "text":
            raise RuntimeError("nul \x00 and line\nbreak")
        if payload.kind == "surrogate":
            raise RuntimeError("lone \udcff surrogate")
        raise RuntimeError("the probe has a bug")


class BadResult(Noop):
    """Returns something off its own schema."""

    name = "probe_bad_result"
    title = "Probe: wrong result"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Return nonsense."""
        return {"pid": "not a number"}


class Record(Noop):
    """Records one result row named ``effect`` and writes one artifact; then fails if asked to."""

    name = "probe_record"
    title = "Probe: effect"
    payload_type = Effect
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Effect) -> Done:
        """Leave an effect."""
        context.record(effect(payload.name))
        path = context.artifact(ARTIFACT_NAME, "text/plain")
        path.write_text(payload.text, encoding="utf-8")
        if payload.fail:
            raise Unavailable("the probe failed after its effects", code="probe_unavailable")
        return done(context, str(path))


class NoArtifact(Noop):
    """Announces an artifact and does not write it."""

    name = "probe_no_artifact"
    title = "Probe: missing file"
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Any) -> Any:
        """Forget to write."""
        Path(context.artifact(ARTIFACT_NAME, "text/plain")).unlink(missing_ok=True)
        return done(context)


class Children(Noop):
    """Submits children."""

    name = "probe_children"
    title = "Probe: children"
    payload_type = Family
    isolation = Isolation.PROCESS

    def run(self, context: JobContext, payload: Family) -> Done:
        """Submit them."""
        for _ in range(payload.count):
            context.enqueue(payload.job_type, {})
        return done(context)


class AskModel(Noop):
    """Asks a model that is not there, and goes on."""

    name = "probe_ask_model"
    title = "Probe: a question to an engine"
    isolation = Isolation.PROCESS
    needs = ("inference",)

    def run(self, context: JobContext, payload: Any) -> Any:
        """Ask."""
        with contextlib.suppress(NotFound):
            context.inference.infer("nobody", {})
        return done(context)


def effect(name: str = "effect") -> BacktestResult:
    """Return the row that ``probe_record`` records."""
    return BacktestResult(
        strategy=name,
        params={"n": 1},
        symbols=["X"],
        timeframe="1d",
        start_ms=0,
        end_ms=86_400_000,
        metrics={"sharpe": 1.5, "undefined": None},
        data_hash="0" * 64,
        code_version="probe",
        step=name,
    )


def _in_thread(probe: type[Noop]) -> Noop:
    members = {"__doc__": probe.__doc__, "name": f"{probe.name}_thread", "isolation": Isolation.THREAD}
    made: Noop = type(f"{probe.__name__}Thread", (probe,), members)()
    return made


def job_types() -> list[Noop]:
    """Return every probe."""
    both: tuple[type[Noop], ...] = (Cpu, Wait, Deadline, Fail, BadResult, Record, NoArtifact, Children)
    only_in_a_process: tuple[type[Noop], ...] = (Sleep, Crash, Orphan, AskModel)
    return [Noop(), *(probe() for probe in (*both, *only_in_a_process)), *map(_in_thread, both)]


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer the probes."""
    for probe in job_types():
        registry.add(probe.name, probe)
