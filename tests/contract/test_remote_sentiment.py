"""Sentiment over real HTTP from a server of ours, in both dialects, with a transformer behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.sentiment import remote_sentiment
from adapters.onnx.transformer import TransformerSentiment
from aitrader.testing.sentiment_engine import SentimentEngineContract
from domain.common.errors import Invalid
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import Polarity, SentimentEngine
from tests import tiny_transformer
from tests.processes import Process

GOOD, BAD, NEITHER = "Infosys beats: record profit", "Fraud: shares plunges", "The meeting on results today"


@dataclass
class Served:
    """A server of ours in a process of its own, and the folder of its model."""

    url: str
    folder: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("sentiment")
    folder = tiny_transformer.write(home / "finbert")
    command = [sys.executable, "-m", "aitrader", "engine", "serve", "sentiment", "--port", "0"]
    command += ["--set", 'sources={"Reuters":0.9,"blog":0}', "--set", "batch=8", "--set", "most_bytes=100000"]
    env = {"AITRADER_DATA_DIR": str(home / "data"), "AITRADER_SENTIMENT_MODEL": str(folder)}
    process = Process(command, cwd=home, env=env)
    try:
        yield Served(process.wait_for_line(r"^(http://\S+)$", 60).group(1), folder)
    finally:
        process.close()


class _Remote(SentimentEngineContract):
    dialect = "auto"

    @pytest.fixture
    def engine(self, served: Served) -> Iterator[SentimentEngine]:
        http = EngineHttp("sentiment engine", served.url, 20.0)
        yield remote_sentiment(http, self.dialect, Labels())
        http.close()

    def test_the_best_known_texts_are_understood(self, engine: SentimentEngine) -> None:
        found = [item.label for item in engine.score([GOOD, BAD, NEITHER])]
        assert found == [Polarity.POSITIVE, Polarity.NEGATIVE, Polarity.NEUTRAL]

    def test_it_scores_as_the_engine_behind_it(self, engine: SentimentEngine, served: Served) -> None:
        texts = [GOOD, BAD, NEITHER, "profit the the today a", "loss profit", "नमस्ते \U0001f4c8"] * 5
        local = TransformerSentiment(served.folder, Labels()).score(texts)
        for ours, theirs in zip(local, engine.score(texts), strict=True):
            assert theirs.score == pytest.approx(ours.score)

    def test_it_tells_the_model_behind_it(self, engine: SentimentEngine, served: Served) -> None:
        assert engine.name == "remote"
        assert engine.model == TransformerSentiment(served.folder, Labels()).model

    def test_nothing_and_empty_texts(self, engine: SentimentEngine) -> None:
        assert engine.score([]) == []
        with pytest.raises(Invalid):
            engine.score([GOOD, " "])

    def test_half_a_surrogate_is_no_trouble(self, engine: SentimentEngine) -> None:
        assert len(engine.score(["\ud800 profit"])) == 1


class TestAuto(_Remote):
    """It finds out that the server tells probabilities."""

    def test_probabilities_come_whole(self, engine: SentimentEngine, served: Served) -> None:
        texts = [GOOD, BAD, NEITHER, "profit the the today a"]
        local = TransformerSentiment(served.folder, Labels()).score(texts)
        for ours, theirs in zip(local, engine.score(texts), strict=True):
            assert theirs.label is ours.label
            assert theirs.probabilities == pytest.approx(ours.probabilities)


class TestPredict(TestAuto):
    dialect = "predict"


class TestAnalyze(_Remote):
    dialect = "analyze"

    def test_what_was_cut_is_known(self, engine: SentimentEngine) -> None:
        assert [item.truncated for item in engine.score([GOOD, GOOD + " the" * 100])] == [False, True]


def post(served: Served, path: str, body: Any) -> httpx2.Response:
    return httpx2.post(f"{served.url}{path}", **({"content": body} if isinstance(body, bytes) else {"json": body}))


class TestPredictProtocol:
    """What clients of Text Embeddings Inference see."""

    def test_one_text(self, served: Served) -> None:
        found = post(served, "/predict", {"inputs": GOOD}).json()
        assert found[0]["label"] == "positive"
        assert {item["label"] for item in found} == {"negative", "neutral", "positive"}
        scores = [item["score"] for item in found]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
        assert post(served, "/predict", {"inputs": [GOOD]}).json() == found

    def test_a_batch(self, served: Served) -> None:
        good, bad = post(served, "/predict", {"inputs": [[GOOD], [BAD]], "truncate": True}).json()
        assert (good[0]["label"], bad[0]["label"]) == ("positive", "negative")
        assert post(served, "/predict", {"inputs": [[GOOD]]}).json() == [good]

    def test_raw_scores_become_probabilities_by_a_softmax(self, served: Served) -> None:
        import math

        plain = post(served, "/predict", {"inputs": "profit the the today a"}).json()
        raw = post(served, "/predict", {"inputs": "profit the the today a", "raw_scores": True}).json()
        total = sum(math.exp(item["score"]) for item in raw)
        shares = {item["label"]: math.exp(item["score"]) / total for item in raw}
        assert shares == pytest.approx({item["label"]: item["score"] for item in plain}, abs=1e-6)

    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            ({"inputs": ""}, 400, "Empty"),
            ({"inputs": " "}, 400, "Empty"),
            ({"inputs": []}, 400, "Empty"),
            ({"inputs": [[GOOD], [""]]}, 400, "Empty"),
            ({"inputs": [[GOOD]] * 9}, 413, "Validation"),
            ({"inputs": "the " * 50, "truncate": False}, 413, "Validation"),
            (b"x" * 200_000, 413, "Validation"),
            ({"inputs": [GOOD, BAD]}, 422, "Tokenizer"),
            ({"inputs": [[GOOD, BAD]]}, 422, "Tokenizer"),
            ({"inputs": [[GOOD], []]}, 422, "Tokenizer"),
            ({"inputs": [[GOOD], BAD]}, 422, "Tokenizer"),
            ({"inputs": [7]}, 422, "Tokenizer"),
            ({"inputs": None}, 422, "Tokenizer"),
            ({}, 422, "Tokenizer"),
            ({"inputs": GOOD, "truncate": "yes"}, 422, "Tokenizer"),
            ([], 422, "Tokenizer"),
            (b"{", 422, "Tokenizer"),
            (b'{"inputs":"\xff"}', 422, "Tokenizer"),
        ],
    )
    def test_nonsense_is_refused_as_tei_does(self, served: Served, body: Any, status: int, kind: str) -> None:
        answer = post(served, "/predict", body)
        assert (answer.status_code, answer.json()["error_type"]) == (status, kind), answer.text
        assert answer.json()["error"]
        assert "Traceback" not in answer.text

    def test_a_pair_is_told_apart_from_a_batch(self, served: Served) -> None:
        assert "[[text],[text]]" in post(served, "/predict", {"inputs": [GOOD, BAD]}).json()["error"]

    def test_what_clients_ask_first(self, served: Served) -> None:
        info = httpx2.get(f"{served.url}/info").json()
        assert info["max_client_batch_size"] == 8
        assert info["model_id"].startswith("finbert@")
        assert set(info["model_type"]["classifier"]["id2label"].values()) == {"negative", "neutral", "positive"}
        health = httpx2.get(f"{served.url}/health").json()
        assert (health["ok"], health["has_hf"]) == (True, True)
        assert httpx2.get(f"{served.url}/nothing").status_code == 404
        assert httpx2.get(f"{served.url}/predict").status_code == 405


class TestAnalyzeProtocol:
    """What clients of the predecessor see."""

    def test_a_text(self, served: Served) -> None:
        found = post(served, "/analyze", {"text": GOOD, "source": "reuters"}).json()
        assert (found["source"], found["authenticity_score"]) == ("reuters", 0.9)
        assert found["sentiment_score"] > 0.5
        assert (found["label"], found["summary"], found["truncated"]) == ("positive", GOOD, False)
        assert found["model"].startswith("finbert@")
        assert found["words"] == []

    @pytest.mark.parametrize(("source", "weight"), [("blog", 0.0), ("REUTERS", 0.9), ("nobody", 1.0), (None, 1.0)])
    def test_the_weight_of_a_source_is_what_was_set(self, served: Served, source: str | None, weight: float) -> None:
        found = post(served, "/analyze", {"text": GOOD, "source": source}).json()
        assert found["authenticity_score"] == weight
        assert found["source"] == (source or "unknown")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"text": ""}, 400),
            ({"text": 7}, 422),
            ({}, 422),
            ([], 422),
            (b"{", 422),
            ({"text": GOOD, "source": 7}, 422),
            ({"text": GOOD, "source": "x" * 1000}, 422),
        ],
    )
    def test_nonsense_is_refused_with_words(self, served: Served, body: Any, status: int) -> None:
        answer = post(served, "/analyze", body)
        assert answer.status_code == status
        assert answer.json()["error"]
