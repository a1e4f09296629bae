from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.intelligence.labels import Labels, parse_labels
from domain.intelligence.sentiment import Polarity, sentiment_of

part = st.floats(0, 1)


@given(part, part, part)
def test_probabilities_come_back(first: float, second: float, third: float) -> None:
    total = first + second + third or 1.0
    given_ = [value / total for value in (first, second, third)] if first + second + third else [1.0, 0.0, 0.0]
    found = sentiment_of(*given_).probabilities
    assert [found[item] for item in (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)] == pytest.approx(
        given_, abs=1e-9
    )
    assert all(0 <= value <= 1 for value in found.values())


@pytest.mark.parametrize("label", ["positive", "Positive", " POSITIVE ", "bullish", "Bullish"])
def test_names_of_labels(label: str) -> None:
    assert Labels().polarity(label) is Polarity.POSITIVE


@pytest.mark.parametrize("label", ["LABEL_0", "pos", "", "very positive", "1"])
def test_a_label_that_nobody_explained(label: str) -> None:
    with pytest.raises(Invalid, match="AITRADER_SENTIMENT_LABELS"):
        Labels().polarity(label)


def test_labels_are_explained_in_settings() -> None:
    found = parse_labels(["LABEL_0=negative", "1 star = Negative"])
    assert found == {"LABEL_0": Polarity.NEGATIVE, "1 star": Polarity.NEGATIVE}
    assert Labels(found).polarity("label_0") is Polarity.NEGATIVE


@pytest.mark.parametrize("pair", ["", "LABEL_0", "LABEL_0=", "LABEL_0=good", "=positive", "a=b=positive"])
def test_what_explains_nothing_is_refused(pair: str) -> None:
    with pytest.raises(Invalid, match="LABEL_0=negative"):
        parse_labels([pair])


def test_rounded_probabilities_are_taken() -> None:
    found = Labels().sentiment([("positive", 0.333), ("negative", 0.333), ("neutral", 0.333)])
    assert sum(found.probabilities.values()) == pytest.approx(1)
