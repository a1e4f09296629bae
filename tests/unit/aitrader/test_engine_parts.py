"""Which engines the settings make, and that their calls are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.inference import RemoteInference
from adapters.engines.sentiment import RemoteSentiment
from adapters.onnx.transformer import TransformerSentiment
from aitrader.bootstrap import build
from aitrader.container import Container
from aitrader.settings import load_settings
from aitrader.testing.model_samples import BIAS, WEIGHTS, linear_onnx, published
from domain.common.errors import Invalid, Unavailable
from domain.engines.metered import MeteredSentiment
from domain.intelligence.sentiment import Polarity
from tests import tiny_transformer
from tests.scripted_engine import Engine, says

pytestmark = pytest.mark.usefixtures("clean")

FINBERT = [[{"label": "LABEL_0", "score": 0.25}, {"label": "LABEL_1", "score": 0.75}]]


@pytest.fixture
def server() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def made(tmp_path: Path, **settings: Any) -> Container:
    return build(load_settings(data_dir=tmp_path / "data", **settings))


def counted(container: Container) -> dict[tuple[str, str], int]:
    return {(item.engine, item.outcome): sum(item.counts) for item in container.engine_calls().calls()}


def test_models_run_here_and_questions_are_counted(tmp_path: Path) -> None:
    container = made(tmp_path)
    model = published(container.intelligence.folders(), linear_onnx())
    engine = container.intelligence.inference()
    row = np.ones((1, 3), np.float32)
    found = engine.infer(model.id, {"features": row}).outputs["probabilities"]
    np.testing.assert_allclose(found, row @ WEIGHTS + BIAS)
    assert counted(container) == {("local_inference", "ok"): 1}
    assert b'aitrader_engine_calls_total{engine="local_inference",outcome="ok"} 1.0' in container.metrics()()


def test_models_run_elsewhere_where_the_settings_say_so(tmp_path: Path, server: Engine) -> None:
    container = made(tmp_path, onnx_runner_url=server.url)
    engine = container.intelligence.inference()
    assert isinstance(engine, RemoteInference)
    server.pages["/v2/models/m"] = says({"inputs": [], "outputs": []})
    engine.signature("m")
    assert counted(container) == {("onnx_runner", "ok"): 1}
    # The server that AITrader itself is never asks another.
    assert container.intelligence.server_tools().inference.name == "built_in"


def test_texts_are_scored_elsewhere_where_the_settings_say_so(tmp_path: Path, server: Engine) -> None:
    server.pages["/info"] = says({"model_id": "m"})
    server.answers = [says(FINBERT)]
    container = made(
        tmp_path,
        sentiment_engine_url=server.url,
        sentiment_labels="LABEL_0=negative,LABEL_1=positive",
        sentiment_token="hf_secret",
    )
    engine = container.intelligence.sentiment_engine()
    assert isinstance(engine, RemoteSentiment)
    assert engine.score(["x"])[0].label is Polarity.POSITIVE
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer hf_secret"}
    assert counted(container)["sentiment_engine", "ok"] == len(server.paths)


def test_the_dialect_may_be_said(tmp_path: Path, server: Engine) -> None:
    server.answers = [says({"sentiment_score": 1})]
    container = made(tmp_path, sentiment_engine_url=server.url, sentiment_dialect="analyze")
    assert container.intelligence.sentiment_engine().score(["x"])[0].score == 1
    assert server.paths == ["/health", "/analyze"]


def test_a_transformer_scores_here_and_is_served(tmp_path: Path) -> None:
    folder = tiny_transformer.write(tmp_path / "finbert")
    container = made(tmp_path, sentiment_model=str(folder))
    engine = container.intelligence.sentiment_engine()
    assert isinstance(engine, MeteredSentiment)
    assert isinstance(engine.engine, TransformerSentiment)
    assert engine.score(["record profit"])[0].label is Polarity.POSITIVE
    assert counted(container) == {("local_sentiment", "ok"): 1}
    assert container.intelligence.server_tools().sentiment is engine.engine


def test_a_transformer_that_is_not_there_is_said(tmp_path: Path) -> None:
    container = made(tmp_path, sentiment_model=str(tmp_path / "nowhere"))
    with pytest.raises(Invalid, match=r"no model\.onnx in"):
        container.intelligence.sentiment_engine()


@pytest.mark.parametrize("setting", ["onnx_runner_url", "sentiment_engine_url", "strategy_engine_url"])
def test_an_engine_where_clouds_keep_credentials_is_never_asked(tmp_path: Path, setting: str) -> None:
    container = made(tmp_path, **{setting: "http://169.254.169.254"})
    engines = {
        "onnx_runner_url": lambda: container.intelligence.inference().signature("m"),
        "sentiment_engine_url": lambda: container.intelligence.sentiment_engine().score(["x"]),
        "strategy_engine_url": lambda: container.strategy_engines()["remote"]._http.get("/"),
    }
    with pytest.raises(Unavailable, match="link-local"):
        engines[setting]()
