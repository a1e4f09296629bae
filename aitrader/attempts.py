"""Running one attempt of a job: the context it gets and how its end is read. The same in a thread and in a child."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aitrader.job_types import RegisteredJobTypes
from aitrader.redaction import redact_text
from aitrader.registry import Registry
from domain.common.errors import AITraderError, FieldError, Invalid
from domain.intelligence.inference import InferenceEngine
from domain.intelligence.news import StoredSentiment
from domain.intelligence.ports import AccountWorths, ModelShelf
from domain.intelligence.sentiment import SentimentEngine
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
    Record,
    Released,
    Succeeded,
)
from domain.market.ports import BarStore
from domain.pipeline.replay import ReplayResult, ReplaySpec
from domain.research.ports import Strategy

_ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class DeadlineExceeded(AITraderError):
    """The job ran longer than its deadline."""

    code = "deadline_exceeded"


class Control(Protocol):
    """What an attempt hears from, and tells, the process that holds its lease."""

    def verdict(self) -> Canceled | Released | LeaseLost | None:
        """Return why the job must stop now."""
        ...

    def report(self, fraction: float, message: str) -> None:
        """Pass progress on."""
        ...


RunReplay = Callable[[ReplaySpec, BarStore, Callable[[float, str], None]], ReplayResult]


class IntelligenceTools(Protocol):
    """What jobs of intelligence may ask for. Each is opened when it is first asked for."""

    @property
    def models(self) -> ModelShelf:
        """The installation's models."""
        ...

    @property
    def inference(self) -> InferenceEngine:
        """The engine that runs models."""
        ...

    @property
    def sentiment_engine(self) -> SentimentEngine:
        """The engine that scores texts."""
        ...

    def sentiment_of(self, user_id: str) -> StoredSentiment:
        """Return the scored texts and news of a user."""
        ...

    def accounts_of(self, user_id: str) -> AccountWorths:
        """Return what the accounts of a user are worth."""
        ...


def no_replay(spec: ReplaySpec, bars: BarStore, progress: Callable[[float, str], None]) -> ReplayResult:
    """Refuse: stands in where nothing is replayed, as in tests of other job types."""
    raise Invalid("nothing can be replayed here", code="no_replay")


@dataclass(frozen=True)
class Toolbox:
    """What job types may ask for. Bars, models and engines are opened only for types that need them."""

    job_types: RegisteredJobTypes
    strategies: Registry[Strategy]
    open_bars: Callable[[], BarStore]
    artifacts_dir: Path
    run_replay: RunReplay = no_replay
    intelligence: IntelligenceTools | None = None


class AttemptContext:
    """The ``JobContext`` of one attempt."""

    def __init__(self, job: Job, needs: tuple[str, ...], deadline_s: float, control: Control, tools: Toolbox) -> None:
        self.job_id = job.id
        self.user_id = job.user_id
        self.attempt = job.attempt
        self.logger = logging.LoggerAdapter(logging.getLogger("aitrader.job"), {"job_id": job.id})
        # The lease makes the folder unique: a frozen attempt must not write into that of a later one.
        self.directory = tools.artifacts_dir / job.id / f"{job.attempt}-{(job.lease_token or job.id)[-12:]}"
        self.media_types: dict[str, str] = {}
        self.records: list[Record] = []
        self.children: list[NewJob] = []
        self._needs = needs
        self._ends_at = time.monotonic() + deadline_s
        self._control = control
        self._tools = tools
        self._fraction = 0.0

    @property
    def bars(self) -> BarStore:
        """The market data store."""
        self._require("bars")
        return self._tools.open_bars()

    @property
    def models(self) -> ModelShelf:
        """The installation's models."""
        return self._intelligence("models").models

    @property
    def inference(self) -> InferenceEngine:
        """The engine that runs models."""
        return self._intelligence("inference").inference

    @property
    def sentiment_engine(self) -> SentimentEngine:
        """The engine that scores texts."""
        return self._intelligence("sentiment_engine").sentiment_engine

    @property
    def sentiment(self) -> StoredSentiment:
        """Scored texts and news of the job's user."""
        return self._intelligence("sentiment").sentiment_of(self.user_id)

    @property
    def accounts(self) -> AccountWorths:
        """What the accounts of the job's user are worth."""
        return self._intelligence("accounts").accounts_of(self.user_id)

    @property
    def now_ms(self) -> int:
        """The time, milliseconds UTC."""
        return time.time_ns() // 1_000_000

    def _intelligence(self, need: str) -> IntelligenceTools:
        self._require(need)
        if self._tools.intelligence is None:
            raise Invalid("there are no models and engines here", code="no_intelligence")
        return self._tools.intelligence

    def _require(self, need: str) -> None:
        if need not in self._needs:
            raise Invalid(f"the job type must list {need!r} in needs to use it", code="not_needed")

    def strategy(self, name: str) -> Strategy:
        """Return a registered strategy."""
        return self._tools.strategies.get(name)

    def replay(self, spec: ReplaySpec, first: float, last: float) -> ReplayResult:
        """Run the pipeline over stored bars."""

        def progress(fraction: float, message: str) -> None:
            self.progress(first + (last - first) * fraction, message)

        return self._tools.run_replay(spec, self.bars, progress)

    def progress(self, fraction: float, message: str = "") -> None:
        """Report how far the job is."""
        self._fraction = max(self._fraction, min(1.0, max(0.0, fraction)))
        self._control.report(self._fraction, message[:200])
        self.check()

    def check(self) -> None:
        """Stop here if the job should not go on."""
        verdict = self._control.verdict()
        if isinstance(verdict, Canceled):
            raise JobCanceled()
        if verdict is not None:
            raise JobLeaseLost()
        if time.monotonic() > self._ends_at:
            raise DeadlineExceeded()

    def artifact(self, name: str, media_type: str) -> Path:
        """Return the path to write a file to."""
        if not _ARTIFACT_NAME.fullmatch(name):
            raise Invalid(f"{name!r} is not a plain file name", errors=[FieldError("name", "not a file name")])
        self.directory.mkdir(parents=True, exist_ok=True)
        self.media_types[name] = media_type
        return self.directory / name

    def record(self, row: Record) -> None:
        """Store a row with the end of the job."""
        if not isinstance(row, Record):
            raise Invalid(f"a job cannot record a {type(row).__name__}", code="unknown_record")
        self.records.append(row)

    def enqueue(self, job_type: str, payload: Mapping[str, Any]) -> None:
        """Submit a child job with the end of this one."""
        payload = self._tools.job_types.validate(job_type, payload)
        self.children.append(NewJob(user_id=self.user_id, job_type=job_type, payload=payload, parent_id=self.job_id))


def run_attempt(job: Job, control: Control, tools: Toolbox) -> Outcome:
    """Run one attempt to its end. Never raises for what the job itself did."""
    job_type = tools.job_types.get(job.job_type)
    context = AttemptContext(job, job_type.needs, job_type.deadline_s, control, tools)
    try:
        context.check()
        _remove_earlier(context.directory, job.attempt)
        payload = tools.job_types.parse(job.job_type, job.payload)
        result = job_type.run(context, payload)
        context.check()
        return Succeeded(
            result=tools.job_types.dump_result(job.job_type, result),
            artifacts=_collect(context, tools.artifacts_dir),
            records=tuple(context.records),
            children=tuple(context.children),
        )
    except (Exception, SystemExit) as error:
        shutil.rmtree(context.directory, ignore_errors=True)
        return outcome_of(error, control, context.logger)


def outcome_of(
    error: Exception | SystemExit, control: Control, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
) -> Outcome:
    """Return how an attempt that raised has ended."""
    match error:
        case JobCanceled():
            return Canceled()
        case JobLeaseLost():
            return Released() if isinstance(control.verdict(), Released) else LeaseLost()
        case AITraderError():
            return Failed(error.code, redact_text(error.detail, lines=True), error.retryable)
    logger.exception("the job raised")
    text = redact_text(f"{type(error).__name__}: {error}", lines=True)
    return Failed("unexpected_error", text[:500], retryable=True)


def _remove_earlier(directory: Path, attempt: int) -> None:
    """Remove what earlier attempts of this job left behind; never what a later one has published."""
    for left in directory.parent.glob("*-*"):
        number = left.name.partition("-")[0]
        if left == directory or (number.isdigit() and int(number) < attempt):
            shutil.rmtree(left, ignore_errors=True)


def _collect(context: AttemptContext, root: Path) -> tuple[Artifact, ...]:
    collected = []
    for name, media_type in context.media_types.items():
        path = context.directory / name
        if not path.is_file():
            raise Invalid(f"the job announced the artifact {name!r} but did not write it", code="artifact_missing")
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        relative = path.relative_to(root).as_posix()
        collected.append(Artifact(name, media_type, path.stat().st_size, digest, relative))
    return tuple(collected)
