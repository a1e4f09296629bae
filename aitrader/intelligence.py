"""The part of the composition root that makes models, engines and what is made of them.

Everything heavy is imported when it is first made: no process needs all of it, and most need none.
"""

from __future__ import annotations

from typing import Any

from dependency_injector import containers, providers

from aitrader import engine_parts
from aitrader.intelligence_tools import OpenIntelligence, ServerTools
from aitrader.settings import Settings
from domain.intelligence.inference import InferenceEngine
from domain.intelligence.managing import ActivateModel, ReadModels, ReadSuggestions
from domain.intelligence.models import ModelFolders
from domain.intelligence.reading_sentiment import ReadSentiment
from domain.intelligence.resolving import ResolveSuggestions
from domain.intelligence.scorecards import ReadScorecard
from domain.intelligence.sentiment import SentimentEngine
from domain.intelligence.storing_news import ImportNews, ReadNews


def _folders(settings: Settings) -> ModelFolders:
    from adapters.onnx.folders import FolderModels

    return FolderModels(settings.models_dir)


def _local_inference(folders: ModelFolders) -> InferenceEngine:
    from adapters.onnx.local import LocalInference

    return LocalInference(folders)


def _built_in_sentiment() -> SentimentEngine:
    from adapters.sentiment.built_in import BuiltInSentiment

    return BuiltInSentiment()


class Intelligence(containers.DeclarativeContainer):
    """Providers are synchronous; singletons are thread-safe."""

    settings: providers.Provider[Settings] = providers.Dependency()
    unit_of_work: providers.Provider[Any] = providers.Dependency()
    read_work: providers.Provider[Any] = providers.Dependency()
    read_trading: providers.Provider[Any] = providers.Dependency()
    clock: providers.Provider[Any] = providers.Dependency()
    bars: providers.Provider[Any] = providers.Dependency()
    meter: providers.Provider[Any] = providers.Dependency()
    addresses: providers.Provider[Any] = providers.Dependency()

    folders: providers.Provider[Any] = providers.ThreadSafeSingleton(_folders, settings)
    local_inference: providers.Provider[Any] = providers.ThreadSafeSingleton(_local_inference, folders)
    inference: providers.Provider[Any] = providers.ThreadSafeSingleton(
        engine_parts.inference, settings, addresses, local_inference.provider, meter
    )
    built_in_sentiment: providers.Provider[Any] = providers.ThreadSafeSingleton(_built_in_sentiment)
    local_sentiment: providers.Provider[Any] = providers.ThreadSafeSingleton(
        engine_parts.local_sentiment, settings, built_in_sentiment.provider
    )
    sentiment_engine: providers.Provider[Any] = providers.ThreadSafeSingleton(
        engine_parts.sentiment, settings, addresses, local_sentiment.provider, meter
    )
    read_models: providers.Provider[ReadModels] = providers.Factory(ReadModels, read_work.provider)
    activate_model: providers.Provider[ActivateModel] = providers.Factory(ActivateModel, unit_of_work.provider, clock)
    read_scorecard: providers.Provider[ReadScorecard] = providers.Factory(ReadScorecard, read_work.provider)
    read_suggestions: providers.Provider[ReadSuggestions] = providers.Factory(ReadSuggestions, read_work.provider)
    resolve_suggestions: providers.Provider[ResolveSuggestions] = providers.Factory(
        ResolveSuggestions, unit_of_work.provider, read_work.provider, bars
    )
    import_news: providers.Provider[ImportNews] = providers.Factory(ImportNews, unit_of_work.provider)
    read_news: providers.Provider[ReadNews] = providers.Factory(ReadNews, read_work.provider)
    read_sentiment: providers.Provider[ReadSentiment] = providers.Factory(ReadSentiment, read_work.provider, clock)
    tools: providers.Provider[OpenIntelligence] = providers.Factory(
        OpenIntelligence,
        read_work=read_work.provider,
        folders=folders.provider,
        open_inference=inference.provider,
        open_sentiment=sentiment_engine.provider,
        read_trading=read_trading.provider,
    )
    server_tools: providers.Provider[ServerTools] = providers.Factory(
        ServerTools, open_inference=local_inference.provider, open_sentiment=local_sentiment.provider
    )
