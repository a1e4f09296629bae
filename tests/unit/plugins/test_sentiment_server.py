from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from domain.common.errors import Unavailable
from domain.intelligence.sentiment import Sentiment, sentiment_of
from plugins.sentiment_server.app import make_app
from plugins.sentiment_server.options import SentimentOptions
from plugins.sentiment_server.wire import summary


class FakeEngine:
    """Scores by the first word; ``fails`` and ``waits`` do so."""

    name = "fake"
    model = "fake@1"

    def __init__(self) -> None:
        self.release = threading.Event()

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        if "fails" in texts:
            raise Unavailable("the engine behind is away")
        if "breaks" in texts:
            raise RuntimeError("secret detail")
        if "waits" in texts:
            assert self.release.wait(20)
        return [sentiment_of(0.125, 0.25, 0.625, (("profit", 1.5),)) for _ in texts]


def asked(*questions: tuple[str, Any], **options: Any) -> list[tuple[int, Any]]:
    async def scenario() -> list[tuple[int, Any]]:
        app = make_app(SentimentOptions(**options), FakeEngine())
        async with app.test_app() as running:
            found = []
            for path, body in questions:
                answer = await running.test_client().post(path, json=body)
                found.append((answer.status_code, await answer.get_json()))
            return found

    return asyncio.run(scenario())


def test_words_and_numbers_are_those_of_the_engine() -> None:
    ((status, found),) = asked(("/analyze", {"text": "Profit!"}), authenticity=0.5)
    assert status == 200
    assert found == {
        "source": "unknown",
        "authenticity_score": 0.5,
        "sentiment_score": 0.5,
        "summary": "Profit!",
        "label": "positive",
        "confidence": 0.625,
        "words": [["profit", 1.5]],
        "truncated": False,
        "model": "fake@1",
    }
    ((_, predicted),) = asked(("/predict", {"inputs": "Profit!"}))
    assert predicted == [
        {"label": "positive", "score": 0.625},
        {"label": "neutral", "score": 0.25},
        {"label": "negative", "score": 0.125},
    ]


def test_an_engine_that_fails_is_said_and_nothing_of_its_inside() -> None:
    failed, broken = asked(("/predict", {"inputs": "fails"}), ("/predict", {"inputs": "breaks"}))
    assert failed == (424, {"error": "the engine behind is away", "error_type": "Backend"})
    assert broken[0] == 500
    assert "secret" not in broken[1]["error"]


def test_too_many_questions_at_once_are_refused() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        app = make_app(SentimentOptions(threads=1, waiting=1), engine)
        async with app.test_app() as running:
            client = running.test_client()
            tasks = [asyncio.create_task(client.post("/predict", json={"inputs": "waits"})) for _ in range(3)]
            (first,), others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            answer = first.result()
            assert (answer.status_code, (await answer.get_json())["error_type"]) == (429, "Overloaded")
            assert (await client.get("/health")).status_code == 200
            engine.release.set()
            assert [(await task).status_code for task in others] == [200, 200]

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("One.", "One."),
        ("One.  Two!\nThree?", "One. Two! Three?"),
        ("a" * 200 + ". " + "b" * 200 + ".", "a" * 200 + "."),
        ("word " * 100, "word " * 54 + "word…"),
        ("x" * 1000, "x" * 279 + "…"),
    ],
)
def test_a_summary_is_the_first_sentences(text: str, short: str) -> None:
    assert summary(text) == short
    assert len(summary(text)) <= 280
