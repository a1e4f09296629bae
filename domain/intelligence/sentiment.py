"""The sentiment engine port, and what an engine says of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Polarity(StrEnum):
    """What a text says of its subject's prospects."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


@dataclass(frozen=True, slots=True)
class Sentiment:
    """What an engine says of one text.

    Args:
        score: p(positive) − p(negative), −1…1.
        label: the most probable polarity.
        confidence: its probability, 0…1.
        words: (word, weight) of what decided, the heaviest first; a weight above zero speaks for positive. Empty
            where the engine cannot say.
        truncated: whether the engine read only the beginning of the text.
    """

    score: float
    label: Polarity
    confidence: float
    words: tuple[tuple[str, float], ...] = ()
    truncated: bool = False

    @property
    def probabilities(self) -> dict[Polarity, float]:
        """The three probabilities that score, label and confidence were made of."""
        match self.label:
            case Polarity.POSITIVE:
                positive, negative = self.confidence, self.confidence - self.score
            case Polarity.NEGATIVE:
                positive, negative = self.confidence + self.score, self.confidence
            case Polarity.NEUTRAL:
                rest = 1 - self.confidence
                positive, negative = (rest + self.score) / 2, (rest - self.score) / 2
        neutral = self.confidence if self.label is Polarity.NEUTRAL else 1 - positive - negative
        found = {Polarity.NEGATIVE: negative, Polarity.NEUTRAL: neutral, Polarity.POSITIVE: positive}
        return {polarity: min(1.0, max(0.0, value)) for polarity, value in found.items()}


class SentimentEngine(Protocol):
    """Scores texts. Keeps nothing: the same text has the same answer. Safe for threads.

    ``name`` is what it is called in settings and rows, ``model`` what exactly scored, such as a name and a version.
    """

    @property
    def name(self) -> str:
        """What the engine is called."""
        ...

    @property
    def model(self) -> str:
        """What exactly scores."""
        ...

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what it says of each text, in their order.

        Raises:
            Invalid: a text is empty.
            Unavailable: no usable answer in time; never a neutral answer in its place.
        """
        ...


def sentiment_of(
    negative: float,
    neutral: float,
    positive: float,
    words: tuple[tuple[str, float], ...] = (),
    *,
    truncated: bool = False,
) -> Sentiment:
    """Return what three probabilities say; they add up to 1."""
    confidence = max(negative, neutral, positive)
    if confidence == negative:
        label = Polarity.NEGATIVE
    else:
        label = Polarity.NEUTRAL if confidence == neutral else Polarity.POSITIVE
    return Sentiment(positive - negative, label, confidence, words, truncated)
