"""The strategy engines: built in, and over real HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.http import EngineHttp
from adapters.engines.strategy import RemoteStrategyEngine
from aitrader.testing.strategy_engine import StrategyEngineContract, evidence, request
from domain.decisions.evidence import EvidenceEngine, weigh
from domain.decisions.model import Action
from domain.decisions.params import StrategyParams
from domain.decisions.ports import PATTERN, SENTIMENT, STRATEGY, StrategyEngine
from tests.processes import Process

# The predecessor's example: INTEROP of its :8082.
EXAMPLE = {
    "signals": [{"symbol": "INFY", "score": 0.8, "source": "pattern"}],
    "sentiment": [{"symbol": "INFY", "sentiment_score": 0.5, "authenticity_score": 0.9}],
    "strategy_weights": {"pattern": 0.6, "sentiment": 0.3, "strategy": 0.1},
}


class TestBuiltIn(StrategyEngineContract):
    @pytest.fixture
    def engine(self) -> StrategyEngine:
        return EvidenceEngine()

    def test_missing_evidence_counts_as_none(self) -> None:
        opinion = EvidenceEngine().decide(request(evidence(1.0, STRATEGY)))
        assert (opinion.action, opinion.confidence) == (Action.HOLD, 0.1)

    def test_kinds_are_averaged_then_weighed(self) -> None:
        opinion = weigh(
            [evidence(1.0), evidence(0.5), evidence(-1.0, SENTIMENT)], StrategyParams().weights, threshold=0.15
        )
        assert (opinion.action, opinion.confidence) == (Action.BUY, 0.15)

    @given(st.lists(st.floats(-1, 1), min_size=1, max_size=5), st.floats(0, 1))
    def test_turned_around_evidence_turns_the_opinion_around(self, scores: list[float], threshold: float) -> None:
        weights = StrategyParams().weights
        forward = weigh([evidence(score) for score in scores], weights, threshold)
        back = weigh([evidence(-score) for score in scores], weights, threshold)
        turned = {Action.BUY: Action.SELL, Action.SELL: Action.BUY, Action.HOLD: Action.HOLD}
        if threshold:
            assert (turned[forward.action], forward.confidence) == (back.action, back.confidence)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "aitrader", "engine", "serve", "strategy", "--port", "0"]
    process = Process(command, cwd=tmp_path_factory.mktemp("engine"))
    try:
        yield process.wait_for_line(r"^(http://\S+)$", 30).group(1)
    finally:
        process.close()


class TestServed(StrategyEngineContract):
    @pytest.fixture
    def engine(self, served: str) -> Iterator[StrategyEngine]:
        http = EngineHttp("strategy engine", served, 10.0)
        yield RemoteStrategyEngine(http)
        http.close()

    @pytest.mark.parametrize("scores", [(0.9,), (-0.5, 0.1), (0.333, -1.0, 0.25)])
    def test_it_says_what_the_built_in_one_says(self, engine: StrategyEngine, scores: tuple[float, ...]) -> None:
        kinds = (PATTERN, SENTIMENT, STRATEGY)
        asked = request(*(evidence(score, kind) for score, kind in zip(scores, kinds, strict=False)))
        assert engine.decide(asked) == EvidenceEngine().decide(asked)

    def test_the_example_of_the_predecessor(self, served: str) -> None:
        (answer,) = httpx2.post(f"{served}/decide", json=EXAMPLE).json()
        assert (answer["symbol"], answer["action"], answer["confidence"]) == ("INFY", "buy", 0.615)
        assert answer["rationale"].startswith("combined=+0.615")
        assert httpx2.post(f"{served}/decide", json={"signals": []}).json() == []

    def test_rewards_make_the_leaderboard(self, served: str) -> None:
        for model, reward in (("good", 0.5), ("good", 0.25), ("bad", -1.0)):
            query = {"symbol": "NSE:A", "model": model, "reward": str(reward)}
            assert httpx2.post(f"{served}/submit_reward", params=query).status_code == 200
        rows = [row for row in httpx2.get(f"{served}/leaderboard").json() if row["symbol"] == "NSE:A"]
        assert [(row["model"], row["rewards"], row["mean_reward"]) for row in rows] == [
            ("good", 2, 0.375),
            ("bad", 1, -1.0),
        ]
        assert len(httpx2.get(f"{served}/leaderboard", params={"top": 1}).json()) == 1

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'{"signals":[{"symbol":"A","score":2}]}', b'{"signals":[{"score":1}]}']
    )
    def test_nonsense_is_refused_with_words(self, served: str, body: bytes) -> None:
        answer = httpx2.post(f"{served}/decide", content=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
        assert httpx2.post(f"{served}/submit_reward", params={"symbol": "A"}).status_code == 422
        assert httpx2.get(f"{served}/leaderboard", params={"top": 0}).status_code == 422
        assert httpx2.get(f"{served}/health").json()["status"] == "ok"
