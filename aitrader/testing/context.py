"""A job context for unit tests of job types."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.common.errors import NotFound
from domain.intelligence.inference import InferenceEngine
from domain.intelligence.news import StoredSentiment
from domain.intelligence.ports import AccountWorths, ModelShelf
from domain.intelligence.sentiment import SentimentEngine
from domain.jobs.model import JobCanceled, Record
from domain.market.ports import BarStore
from domain.pipeline.replay import ReplayResult, ReplaySpec
from domain.research.ports import Strategy


@dataclass
class FakeJobContext:
    """Remembers what a job did. ``cancel_after`` raises ``JobCanceled`` at that call of check or progress."""

    directory: Path
    store: BarStore | None = None
    cancel_after: int | None = None
    job_id: str = "00000000-0000-7000-8000-000000000001"
    user_id: str = "tester"
    attempt: int = 1
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("job"))
    reports: list[tuple[float, str]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    artifacts: dict[str, str] = field(default_factory=dict)
    strategies: dict[str, Strategy] = field(default_factory=dict)
    children: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    checks: int = 0
    now_ms: int = 1_700_000_000_000
    shelf: ModelShelf | None = None
    inference_engine: InferenceEngine | None = None
    text_engine: SentimentEngine | None = None
    scored: StoredSentiment | None = None
    worths: AccountWorths | None = None

    @property
    def bars(self) -> BarStore:
        """The store given to the fake."""
        assert self.store is not None, "give FakeJobContext a store"
        return self.store

    @property
    def models(self) -> ModelShelf:
        """The shelf given to the fake."""
        assert self.shelf is not None, "give FakeJobContext a shelf"
        return self.shelf

    @property
    def inference(self) -> InferenceEngine:
        """The inference engine given to the fake."""
        assert self.inference_engine is not None, "give FakeJobContext an inference_engine"
        return self.inference_engine

    @property
    def sentiment_engine(self) -> SentimentEngine:
        """The sentiment engine given to the fake."""
        assert self.text_engine is not None, "give FakeJobContext a text_engine"
        return self.text_engine

    @property
    def sentiment(self) -> StoredSentiment:
        """The scored texts given to the fake."""
        assert self.scored is not None, "give FakeJobContext scored texts"
        return self.scored

    @property
    def accounts(self) -> AccountWorths:
        """The accounts given to the fake."""
        assert self.worths is not None, "give FakeJobContext worths"
        return self.worths

    def strategy(self, name: str) -> Strategy:
        """Return the strategy given to the fake under this name; raise NotFound as the real one does."""
        if name not in self.strategies:
            known = ", ".join(sorted(self.strategies)) or "none"
            raise NotFound(f"there is no strategy {name[:64]!r}; known: {known}", code="unknown_strategy")
        return self.strategies[name]

    def replay(self, spec: ReplaySpec, first: float, last: float) -> ReplayResult:
        """Run a real replay over the store of the fake."""
        from aitrader.bootstrap import ready
        from aitrader.replaying import replay_bars
        from aitrader.settings import load_settings

        def progress(fraction: float, message: str) -> None:
            self.progress(first + (last - first) * fraction, message)

        return replay_bars(ready, load_settings(), spec, self.bars, progress)

    def progress(self, fraction: float, message: str = "") -> None:
        """Remember the report."""
        assert 0.0 <= fraction <= 1.0, fraction
        self.reports.append((fraction, message))
        self.check()

    def check(self) -> None:
        """Count the call; raise JobCanceled when told to."""
        self.checks += 1
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise JobCanceled()

    def artifact(self, name: str, media_type: str) -> Path:
        """Return a path in the fake's directory."""
        self.artifacts[name] = media_type
        return self.directory / name

    def record(self, row: Record) -> None:
        """Remember the row."""
        self.records.append(row)

    def enqueue(self, job_type: str, payload: Mapping[str, Any]) -> None:
        """Remember the child."""
        self.children.append((job_type, dict(payload)))
