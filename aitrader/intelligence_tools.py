"""What jobs and servers of intelligence are given: models, engines, stored sentiment; each opened when asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from domain.intelligence.inference import InferenceEngine
from domain.intelligence.models import Manifest, Model, ModelFolders
from domain.intelligence.news import (
    NewsFilter,
    NewsItem,
    ScoredText,
    SentimentColumns,
    SentimentFilter,
    StoredSentiment,
)
from domain.intelligence.ports import AccountWorth, AccountWorths, ModelShelf
from domain.intelligence.sentiment import SentimentEngine
from domain.intelligence.work import IntelligenceWork
from domain.trading.model import Mode
from domain.trading.queries import ReadTrading

ReadWork = Callable[[], IntelligenceWork]


@dataclass(frozen=True, slots=True)
class StoredModels:
    """``ModelShelf`` over the database and the model folders."""

    read_work: ReadWork
    folders: Callable[[], ModelFolders]

    def get(self, name_or_id: str) -> Model:
        """Return a model by id, or by name."""
        with self.read_work() as work:
            return work.models.get(name_or_id)

    def active(self, timeframe: str) -> Sequence[Model]:
        """Return the active models of a timeframe."""
        with self.read_work() as work:
            return work.models.active(timeframe)

    def publish(self, manifest: Manifest, onnx: bytes) -> None:
        """Write a model's folder."""
        self.folders().publish(manifest, onnx)


@dataclass(frozen=True, slots=True)
class SentimentOf:
    """``StoredSentiment`` of one user."""

    user_id: str
    read_work: ReadWork

    def columns(
        self, symbol: str, *, until_ms: int, since_ms: int | None = None, without: Collection[str] = ()
    ) -> SentimentColumns:
        """Return what was available of a symbol before then, and since then; leave these keys out."""
        with self.read_work() as work:
            return work.sentiments.columns(self.user_id, symbol, until_ms, since_ms=since_ms, without=without)

    def newest(self, symbol: str, *, until_ms: int, limit: int) -> Sequence[ScoredText]:
        """Return the newest texts that were available before then."""
        with self.read_work() as work:
            wanted = SentimentFilter(self.user_id, symbol=symbol, until_ms=until_ms)
            return work.sentiments.newest(wanted, before=None, limit=limit)

    def news(
        self,
        symbol: str | None,
        *,
        since_ms: int | None,
        until_ms: int | None,
        limit: int,
        source: str | None = None,
    ) -> Sequence[NewsItem]:
        """Return news that was available since then and before then, the oldest first."""
        with self.read_work() as work:
            wanted = NewsFilter(self.user_id, symbol=symbol, source=source, since_ms=since_ms, until_ms=until_ms)
            return work.news.between(wanted, limit)


@dataclass(frozen=True, slots=True)
class AccountsOf:
    """``AccountWorths`` of one user."""

    user_id: str
    read: ReadTrading

    def worth(self, account: str | None) -> AccountWorth | None:
        """Return an account of the user, or their only one on paper."""
        if account is None:
            paper = [item.account for item in self.read.accounts(self.user_id) if item.account.mode is Mode.PAPER]
            if len(paper) != 1:
                return None
            account = paper[0].id
        found = self.read.account(account, self.user_id).account
        return AccountWorth(found.id, self.read.worth(found.id, self.user_id).equity, found.currency)


@dataclass(frozen=True, slots=True)
class OpenIntelligence:
    """What jobs may ask for. The makers are called when something is first asked for."""

    read_work: ReadWork
    folders: Callable[[], ModelFolders]
    open_inference: Callable[[], InferenceEngine]
    open_sentiment: Callable[[], SentimentEngine]
    read_trading: Callable[[], ReadTrading]

    @property
    def models(self) -> ModelShelf:
        """The installation's models."""
        return StoredModels(self.read_work, self.folders)

    @property
    def inference(self) -> InferenceEngine:
        """The engine that runs models."""
        return self.open_inference()

    @property
    def sentiment_engine(self) -> SentimentEngine:
        """The engine that scores texts."""
        return self.open_sentiment()

    def sentiment_of(self, user_id: str) -> StoredSentiment:
        """Return the scored texts and news of a user."""
        return SentimentOf(user_id, self.read_work)

    def accounts_of(self, user_id: str) -> AccountWorths:
        """Return what the accounts of a user are worth."""
        return AccountsOf(user_id, self.read_trading())


@dataclass(frozen=True, slots=True)
class ServerTools:
    """``EngineTools``: what servers of plugins may use."""

    open_inference: Callable[[], InferenceEngine]
    open_sentiment: Callable[[], SentimentEngine]

    @property
    def inference(self) -> InferenceEngine:
        """Inference in this process."""
        return self.open_inference()

    @property
    def sentiment(self) -> SentimentEngine:
        """Sentiment in this process."""
        return self.open_sentiment()
