"""A sentiment engine for tests: it counts good and bad words, and always says the same."""

from __future__ import annotations

from collections.abc import Sequence

from domain.common.errors import Unavailable
from domain.intelligence.sentiment import Sentiment, sentiment_of

GOOD = frozenset({"good", "gains", "wins", "raises", "record", "profit", "strong"})
BAD = frozenset({"bad", "falls", "loses", "fraud", "loss", "weak", "fine", "bankruptcy"})


class WordEngine:
    """``down``: how many calls are answered before it does not answer any more."""

    name = "words"
    model = "words-1"

    def __init__(self, down: int | None = None) -> None:
        self.calls: list[int] = []
        self._down = down

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what the words say."""
        if self._down is not None and len(self.calls) >= self._down:
            raise Unavailable("the engine does not answer", code="engine_unavailable")
        self.calls.append(len(texts))
        return [_scored(text) for text in texts]


def _scored(text: str) -> Sentiment:
    words = text.lower().split()
    found = [(word, 1.0 if word in GOOD else -1.0) for word in words if word in GOOD | BAD]
    good = sum(weight > 0 for _, weight in found)
    total = len(found) + 0.5
    bad, long = len(found) - good, len(words) > 500
    return sentiment_of(bad / total, 0.5 / total, good / total, tuple(found), truncated=long)
