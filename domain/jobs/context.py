"""What a running job may use."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Protocol

from domain.intelligence.inference import InferenceEngine
from domain.intelligence.news import StoredSentiment
from domain.intelligence.ports import AccountWorths, ModelShelf
from domain.intelligence.sentiment import SentimentEngine
from domain.jobs.model import Record
from domain.market.ports import BarStore
from domain.pipeline.replay import ReplayResult, ReplaySpec
from domain.research.ports import Strategy


class JobContext(Protocol):
    """What a running job may use. Belongs to one attempt of one job; use it from the job's own thread."""

    @property
    def job_id(self) -> str:
        """The id of the job."""
        ...

    @property
    def user_id(self) -> str:
        """The user whom the job belongs to."""
        ...

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        ...

    @property
    def logger(self) -> Logger | LoggerAdapter[Logger]:
        """A logger that carries the job id."""
        ...

    @property
    def bars(self) -> BarStore:
        """The market data store. The job type must list ``bars`` in ``needs``."""
        ...

    @property
    def models(self) -> ModelShelf:
        """The installation's models. The job type must list ``models`` in ``needs``."""
        ...

    @property
    def inference(self) -> InferenceEngine:
        """The engine that runs models. The job type must list ``inference`` in ``needs``."""
        ...

    @property
    def sentiment_engine(self) -> SentimentEngine:
        """The engine that scores texts. The job type must list ``sentiment_engine`` in ``needs``."""
        ...

    @property
    def sentiment(self) -> StoredSentiment:
        """Scored texts and news of the job's user. The job type must list ``sentiment`` in ``needs``."""
        ...

    @property
    def accounts(self) -> AccountWorths:
        """What the accounts of the job's user are worth. The job type must list ``accounts`` in ``needs``."""
        ...

    @property
    def now_ms(self) -> int:
        """The time, milliseconds UTC."""
        ...

    def strategy(self, name: str) -> Strategy:
        """Return a registered strategy.

        Raises:
            NotFound: no plugin registered it; the message lists what there is.
        """
        ...

    def replay(self, spec: ReplaySpec, first: float, last: float) -> ReplayResult:
        """Run the pipeline over stored bars, with progress from ``first`` to ``last``.

        The job type must list ``bars`` in ``needs``.

        Raises:
            NotFound: no bars are stored of a symbol.
            Invalid: no bars are in the range, or an option of the account cannot be.
            JobCanceled, JobLeaseLost: see ``progress``.
        """
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Report how far the job is, 0…1; it never goes back within an attempt. Cheap: call it often.

        Raises:
            JobCanceled: cancel was requested.
            JobLeaseLost: another worker owns the job now.
        """
        ...

    def check(self) -> None:
        """Stop here if the job should not go on.

        Raises:
            JobCanceled: cancel was requested.
            JobLeaseLost: another worker owns the job now.
        """
        ...

    def artifact(self, name: str, media_type: str) -> Path:
        """Return the path to write a file to; it is published when the job succeeds.

        Raises:
            Invalid: the name is not a plain file name.
        """
        ...

    def record(self, row: Record) -> None:
        """Store a row in the transaction that ends the job: once, or not at all."""
        ...

    def enqueue(self, job_type: str, payload: Mapping[str, Any]) -> None:
        """Submit a child job in the transaction that ends this one."""
        ...
