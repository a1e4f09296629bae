"""Sentiment engines that hang, lie, die and come back, over real HTTP, in both dialects."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.sentiment import remote_sentiment
from domain.common.errors import Invalid, Unavailable
from domain.intelligence.labels import Labels, parse_labels
from domain.intelligence.sentiment import Polarity, SentimentEngine
from tests.scripted_engine import LATE_S, Answer, Engine, breaks_off, says, stops_short

pytestmark = pytest.mark.once

INFO = says({"model_id": "ProsusAI/finbert", "max_client_batch_size": 2})
HEALTHY = says({"ok": True, "has_hf": True})
FINBERT = [
    {"label": "positive", "score": 0.7},
    {"label": "negative", "score": 0.1},
    {"label": "neutral", "score": 0.2},
]
ANALYZED = {"source": "x", "authenticity_score": 0.1, "sentiment_score": 0.75, "summary": "…"}


@pytest.fixture
def server() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def client(
    server: Engine, dialect: str = "auto", timeout_s: float = LATE_S, labels: str = "", **options: Any
) -> SentimentEngine:
    http = EngineHttp("sentiment engine", server.url, timeout_s, **options)
    return remote_sentiment(http, dialect, Labels(parse_labels(labels.split(",") if labels else [])))


class TestPredict:
    @pytest.fixture(autouse=True)
    def speaks(self, server: Engine) -> None:
        server.pages["/info"] = INFO

    def test_batches_are_lists_of_lists_as_large_as_the_server_takes(self, server: Engine) -> None:
        server.answers = [says([FINBERT, FINBERT]), says([FINBERT])]
        found = client(server).score(["a", "b", "c"])
        assert [item.label for item in found] == [Polarity.POSITIVE] * 3
        assert found[0].score == pytest.approx(0.6)
        assert found[0].confidence == pytest.approx(0.7)
        assert server.bodies == [
            {"inputs": [["a"], ["b"]], "truncate": True, "raw_scores": False},
            {"inputs": [["c"]], "truncate": True, "raw_scores": False},
        ]
        assert server.paths.count("/info") == 2  # which dialect, and how many at once

    def test_without_a_size_there_are_32_in_a_batch(self, server: Engine) -> None:
        server.pages["/info"] = says({"model_id": "m"})
        server.answers = [says([FINBERT] * 32), says([FINBERT] * 8)]
        assert len(client(server).score(["a"] * 40)) == 40

    def test_the_model_is_the_servers(self, server: Engine) -> None:
        assert client(server).model == "ProsusAI/finbert"

    def test_one_text_may_be_answered_flat(self, server: Engine) -> None:
        server.answers = [says(FINBERT)]
        (found,) = client(server).score(["a"])
        assert found.label is Polarity.POSITIVE

    @pytest.mark.parametrize(
        ("labels", "more", "expected"),
        [
            ([("Positive", 0.1), ("Negative", 0.2), ("Neutral", 0.7)], "", (-0.1, "neutral", 0.7)),
            ([("BULLISH", 0.5), ("bearish", 0.2), ("neutral", 0.3)], "", (0.3, "positive", 0.5)),
            ([("NEGATIVE", 0.75), ("POSITIVE", 0.25)], "", (-0.5, "negative", 0.75)),
            ([("LABEL_1", 0.6), ("LABEL_0", 0.4)], "LABEL_0=negative,label_1=positive", (0.2, "positive", 0.6)),
            (
                [("1 star", 0.3), ("2 stars", 0.3), ("3 stars", 0.2), ("5 stars", 0.2)],
                "1 star=negative,2 stars=negative,3 stars=neutral,5 stars=positive",
                (-0.4, "negative", 0.6),
            ),
        ],
    )
    def test_labels_count_by_name(self, server: Engine, labels: Any, more: str, expected: Any) -> None:
        server.answers = [says([[{"label": name, "score": score} for name, score in labels]])]
        (found,) = client(server, labels=more).score(["a"])
        assert (found.score, found.label.value, found.confidence) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ([[{"label": "LABEL_0", "score": 1.0}]], "AITRADER_SENTIMENT_LABELS=LABEL_0=positive"),
            ([[{"label": "positive", "score": 0.99}]], "all labels, not only the best"),
            ([{"label": "positive", "score": 0.99}], "all labels, not only the best"),
            ([[{"label": "positive", "score": 0.9}, {"label": "neutral", "score": 0.1}]], "not only the best"),
            ([[{"label": "positive", "score": 2.5}, {"label": "negative", "score": -1.5}]], "no probabilities"),
            ([[{"label": "positive", "score": 0.9}, {"label": "negative", "score": 0.9}]], "no probabilities"),
            ([[{"label": "positive", "score": None}, {"label": "negative", "score": 0.9}]], "no score"),
            ([[{"label": "positive", "score": True}, {"label": "negative", "score": 0}]], "no score"),
            ([[{"label": 1, "score": 0.1}]], "no name"),
            ([["positive"]], "no name"),
            ([["positive", 0.5]], "no name"),
            ([[]], "not only the best"),
            ([], "does not answer each text"),
            ([FINBERT, FINBERT], "does not answer each text"),
            ({"label": "positive"}, "does not answer each text"),
            ([7], "does not list labels"),
        ],
    )
    def test_an_answer_that_cannot_be_used_is_unavailable(self, server: Engine, answer: Any, reason: str) -> None:
        server.answers = [says(answer)]
        with pytest.raises(Unavailable, match=reason) as caught:
            client(server).score(["a"])
        assert caught.value.code == "engine_answer_unusable"

    @pytest.mark.parametrize("status", [400, 413, 422, 424])
    def test_what_the_server_refuses_is_said_and_not_tried_again(self, server: Engine, status: int) -> None:
        server.answers = [says({"error": "too long a batch", "error_type": "Validation"}, status)]
        with pytest.raises(Unavailable, match="too long a batch"):
            client(server).score(["a"])
        assert len(server.bodies) == 1

    def test_a_token_proves_who_we_are(self, server: Engine) -> None:
        server.answers = [says([FINBERT])]
        client(server, headers={"Authorization": "Bearer hf_secret"}).score(["a"])
        assert {headers["Authorization"] for headers in server.headers} == {"Bearer hf_secret"}


class TestAnalyze:
    @pytest.fixture(autouse=True)
    def speaks(self, server: Engine) -> None:
        server.pages["/health"] = HEALTHY

    def test_one_call_for_each_text_in_their_order(self, server: Engine) -> None:
        def echo(handler: BaseHTTPRequestHandler) -> None:
            says({**ANALYZED, "sentiment_score": 0.5})(handler)

        server.answers = [echo]
        found = client(server).score([f"text {number}" for number in range(9)])
        assert len(found) == 9
        assert sorted(body["text"] for body in server.bodies) == [f"text {number}" for number in range(9)]
        assert set(server.paths) == {"/info", "/health", "/analyze"}

    @pytest.mark.parametrize(
        ("score", "expected"),
        [
            (0.75, (0.75, "positive", 0.75)),
            (-1, (-1, "negative", 1.0)),
            (0.25, (0.25, "neutral", 0.75)),
            (0, (0, "neutral", 1.0)),
        ],
    )
    def test_a_score_alone_leaves_the_rest_to_neutral(self, server: Engine, score: float, expected: Any) -> None:
        server.answers = [says({**ANALYZED, "sentiment_score": score})]
        (found,) = client(server).score(["a"])
        assert (found.score, found.label.value, found.confidence) == expected

    @pytest.mark.parametrize(
        "answer", [{}, [], {"sentiment_score": None}, {"sentiment_score": 1.5}, {"sentiment_score": "0.5"}]
    )
    def test_an_answer_that_cannot_be_used_is_unavailable(self, server: Engine, answer: Any) -> None:
        server.answers = [says(answer)]
        with pytest.raises(Unavailable, match="sentiment_score must be"):
            client(server).score(["a"])

    def test_an_engine_without_a_model_is_not_believed(self, server: Engine) -> None:
        server.pages["/health"] = says({"ok": True, "has_hf": False})
        server.answers = [says({**ANALYZED, "sentiment_score": 0.0})]
        with pytest.raises(Unavailable, match="has no model"):
            client(server).score(["a"])
        assert server.bodies == []

    def test_the_model_is_what_it_says_or_where_it_is(self, server: Engine) -> None:
        assert client(server).model == f"analyze at {server.url.removeprefix('http://')}"
        server.pages["/health"] = says({"ok": True, "has_hf": True, "model": "mood@3"})
        assert client(server).model == "mood@3"

    def test_one_text_that_fails_fails_all(self, server: Engine) -> None:
        server.answers = [says(ANALYZED), says({}, 422)]
        with pytest.raises(Unavailable):
            client(server).score(["a"] * 6)


def test_what_neither_dialect_answers_is_said(server: Engine) -> None:
    server.pages["/health"] = says(b"")
    with pytest.raises(Unavailable, match="AITRADER_SENTIMENT_DIALECT"):
        client(server).score(["a"])


def test_a_dialect_that_was_not_found_is_looked_for_again(server: Engine) -> None:
    server.pages["/info"] = says({}, 500)
    engine = client(server)
    with pytest.raises(Unavailable):
        engine.score(["a"])
    server.pages["/info"] = INFO
    server.answers = [says([FINBERT])]
    assert engine.score(["a"])[0].label is Polarity.POSITIVE
    server.pages["/info"] = says({}, 404)
    server.pages["/health"] = HEALTHY
    assert engine.score(["a"])[0].label is Polarity.POSITIVE  # found once, it stays


@pytest.mark.parametrize("dialect", ["analyze", "predict"])
class TestBoth:
    @pytest.fixture(autouse=True)
    def speaks(self, server: Engine) -> None:
        server.pages |= {"/health": HEALTHY, "/info": INFO}

    def good(self, dialect: str) -> Answer:
        return says([FINBERT]) if dialect == "predict" else says(ANALYZED)

    def test_an_empty_text_is_not_sent(self, server: Engine, dialect: str) -> None:
        with pytest.raises(Invalid, match="empty"):
            client(server, dialect).score(["a", "  "])
        assert client(server, dialect).score([]) == []
        assert server.paths == []

    @pytest.mark.parametrize("bad", [breaks_off, stops_short, says({}, 500), says({}, 429), says(b"<html>")])
    def test_one_failure_is_tried_again(self, server: Engine, dialect: str, bad: Answer) -> None:
        server.answers = [bad, self.good(dialect)]
        (found,) = client(server, dialect).score(["a"])
        assert found.label is Polarity.POSITIVE
        assert len(server.bodies) == 2

    @pytest.mark.parametrize("bad", [says({}, 500), says({}, 302), says(b"{"), breaks_off, stops_short])
    def test_a_failure_is_never_a_neutral_answer(self, server: Engine, dialect: str, bad: Answer) -> None:
        server.answers = [bad]
        with pytest.raises(Unavailable):
            client(server, dialect).score(["a"])

    def test_a_hanging_engine_is_left_within_the_deadline(self, server: Engine, dialect: str) -> None:
        server.answers = [server.hang]
        started = time.monotonic()
        with pytest.raises(Unavailable):
            client(server, dialect, 0.3).score(["a"])
        assert time.monotonic() - started < LATE_S * 2

    def test_after_five_failures_it_is_left_alone(self, server: Engine, dialect: str) -> None:
        server.answers = [says({}, 500)]
        engine = client(server, dialect)
        for _ in range(5):
            with pytest.raises(Unavailable):
                engine.score(["a"])
        asked = len(server.bodies)
        with pytest.raises(Unavailable, match="left alone"):
            engine.score(["a"])
        assert len(server.bodies) == asked

    def test_refusals_never_open_the_breaker(self, server: Engine, dialect: str) -> None:
        server.answers = [says({"error": "no"}, 422)]
        engine = client(server, dialect)
        for _ in range(8):
            with pytest.raises(Unavailable, match="no"):
                engine.score(["a"])
        server.answers = [self.good(dialect)]
        assert engine.score(["a"])

    def test_only_so_many_calls_wait_at_once(self, server: Engine, dialect: str) -> None:
        server.answers = [server.hang]
        engine = client(server, dialect, 1.0)
        assert engine.model
        failures: list[str] = []

        def call() -> None:
            try:
                engine.score(["a"])
            except Unavailable as error:
                failures.append(error.detail)

        threads = [threading.Thread(target=call) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(failures) == 12
        assert len(server.bodies) <= 8
