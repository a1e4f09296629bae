"""The sentiment engines in this process; those over HTTP are in `test_remote_sentiment`."""

from __future__ import annotations

import pytest

from adapters.onnx.transformer import TransformerSentiment
from adapters.sentiment.built_in import BuiltInSentiment
from aitrader.testing.sentiment_engine import SentimentEngineContract
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import SentimentEngine
from tests import tiny_transformer


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> SentimentEngine:
    folder = tiny_transformer.write(tmp_path_factory.mktemp("model") / "finbert")
    return TransformerSentiment(folder, Labels())


class TestBuiltIn(SentimentEngineContract):
    @pytest.fixture
    def engine(self) -> SentimentEngine:
        return BuiltInSentiment()


class TestTransformer(SentimentEngineContract):
    @pytest.fixture
    def engine(self, transformer: SentimentEngine) -> SentimentEngine:
        return transformer
