"""The part of the composition root that makes engines, ours and those of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from adapters.security.urls import GuardedUrls
from aitrader.settings import Settings
from domain.decisions.evidence import EvidenceEngine
from domain.decisions.ports import StrategyEngine
from domain.engines.metered import MeteredInference, MeteredSentiment
from domain.engines.ports import REMOTE, EngineMeter
from domain.intelligence.inference import InferenceEngine
from domain.intelligence.sentiment import SentimentEngine

if TYPE_CHECKING:
    from adapters.engines.http import EngineHttp


class EngineAddresses:
    """Makes clients of engines that the settings name. Their addresses are the operator's: private ones are allowed.

    Args:
        meter: counts their calls.
    """

    def __init__(self, settings: Settings, meter: EngineMeter, urls: GuardedUrls) -> None:
        self._timeout_s = settings.engine_timeout_seconds
        self._meter = meter
        self._find_host = partial(urls.check_host, operator=True)

    def client(self, name: str, url: object, *, token: str | None = None, most_bytes: int = 1 << 20) -> EngineHttp:
        """Return a client. ``token`` proves to the engine who we are."""
        from adapters.engines.http import EngineHttp  # costly to import, and most have no engines of others

        return EngineHttp(
            name,
            str(url),
            self._timeout_s,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            most_bytes=most_bytes,
            meter=self._meter,
            find_host=self._find_host,
        )


def strategy_engines(settings: Settings, addresses: EngineAddresses) -> dict[str, StrategyEngine]:
    """Return the strategy engines by name: the built-in one, and the one that the settings name."""
    built_in = EvidenceEngine()
    if settings.strategy_engine_url is None:
        return {built_in.name: built_in}
    from adapters.engines.strategy import RemoteStrategyEngine

    remote = RemoteStrategyEngine(addresses.client("strategy engine", settings.strategy_engine_url))
    return {built_in.name: built_in, REMOTE: remote}


def inference(
    settings: Settings, addresses: EngineAddresses, local: Callable[[], InferenceEngine], meter: EngineMeter
) -> InferenceEngine:
    """Return the engine that runs models: the server that the settings name, or the one of this process."""
    if settings.onnx_runner_url is None:
        return MeteredInference(local(), meter, "local_inference")
    from adapters.engines.inference import MOST_ANSWER_BYTES, RemoteInference

    return RemoteInference(addresses.client("onnx runner", settings.onnx_runner_url, most_bytes=MOST_ANSWER_BYTES))


def sentiment(
    settings: Settings, addresses: EngineAddresses, local: Callable[[], SentimentEngine], meter: EngineMeter
) -> SentimentEngine:
    """Return the engine that scores texts: the server that the settings name, or the one of this process."""
    if settings.sentiment_engine_url is None:
        return MeteredSentiment(local(), meter, "local_sentiment")
    from adapters.engines.sentiment import remote_sentiment

    http = addresses.client("sentiment engine", settings.sentiment_engine_url, token=settings.sentiment_token)
    return remote_sentiment(http, settings.sentiment_dialect, settings.labels)


def local_sentiment(settings: Settings, built_in: Callable[[], SentimentEngine]) -> SentimentEngine:
    """Return the engine of this process: the transformer that the settings name, or the built-in one."""
    if settings.sentiment_model is None:
        return built_in()
    from adapters.onnx.transformer import TransformerSentiment

    return TransformerSentiment(settings.sentiment_model, settings.labels)
