"""What every `SentimentEngine` does. Subclass `SentimentEngineContract` and override its fixture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.common.errors import Invalid
from domain.intelligence.sentiment import Polarity, Sentiment, SentimentEngine

TEXTS = (
    "Net profit rises 20% as sales beat estimates",
    "Company files for bankruptcy after fraud",
    "Board meets on Tuesday",
    "Losses narrowed in the third quarter",
    "$ABC cut to sell, price target lowered",
    "Ünïcode ₹ 5 crore 🚀📉 “quoted”",
    "!!!",
    "profit " * 300,
)


def assert_same(one: Sentiment, other: Sentiment) -> None:
    """Assert that two answers are the same but for rounding."""
    assert one.label == other.label
    assert one.score == pytest.approx(other.score, abs=1e-6)
    assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
    assert [word for word, _ in one.words] == [word for word, _ in other.words]
    assert one.truncated == other.truncated


class SentimentEngineContract:
    """Tests for any `SentimentEngine`, whatever it makes of the texts."""

    @pytest.fixture
    def engine(self) -> SentimentEngine:
        """Return the engine."""
        raise NotImplementedError("override the engine fixture")

    def test_it_has_a_name_and_a_model(self, engine: SentimentEngine) -> None:
        assert engine.name
        assert engine.model

    def test_answers_are_within_their_bounds(self, engine: SentimentEngine) -> None:
        for said in engine.score(TEXTS):
            assert -1 <= said.score <= 1
            assert 1 / 3 - 1e-6 <= said.confidence <= 1
            assert said.label in Polarity
            if said.label is Polarity.NEUTRAL:
                assert abs(said.score) <= 1 - said.confidence + 1e-6
            else:
                assert (said.score > 0) == (said.label is Polarity.POSITIVE)

    def test_nothing_asked_is_nothing_said(self, engine: SentimentEngine) -> None:
        assert engine.score([]) == []

    def test_the_order_is_kept(self, engine: SentimentEngine) -> None:
        forward, backward = engine.score(TEXTS), engine.score(TEXTS[::-1])
        for one, other in zip(forward, backward[::-1], strict=True):
            assert_same(one, other)

    def test_many_are_scored_as_one_by_one(self, engine: SentimentEngine) -> None:
        many = TEXTS * 5
        for text, said in zip(many, engine.score(many), strict=True):
            (alone,) = engine.score([text])
            assert_same(alone, said)

    @pytest.mark.parametrize("text", ["", " ", "\n\t"])
    def test_an_empty_text_is_refused(self, engine: SentimentEngine, text: str) -> None:
        with pytest.raises(Invalid):
            engine.score(["Profit rises", text])

    def test_the_same_text_has_the_same_answer(self, engine: SentimentEngine) -> None:
        assert engine.score(TEXTS) == engine.score(TEXTS)

    def test_threads_do_not_disturb_each_other(self, engine: SentimentEngine) -> None:
        expected = engine.score(TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for said in pool.map(engine.score, [TEXTS] * 32):
                assert said == expected
