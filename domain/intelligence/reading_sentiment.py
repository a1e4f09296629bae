"""Looking at sentiment: what it is, what it was, and which texts it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.common.errors import FieldError, Invalid
from domain.common.time import Clock
from domain.intelligence.aggregating import (
    SentimentAggregate,
    sentiment_as_of,
    sentiment_at_times,
    sentiment_since_ms,
)
from domain.intelligence.news import ScoredText, SentimentFilter
from domain.intelligence.work import IntelligenceWork
from domain.research.sentiment import Decay

MOST_SYMBOLS = 200
MOST_POINTS = 2000

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class SentimentPoint:
    """What it was at one moment; ``score`` None where nothing counted."""

    at: int
    score: float | None
    weight: float
    count: int


@dataclass(frozen=True, slots=True)
class ReadSentiment:
    """Look at the scored texts of a user."""

    read_work: Callable[[], IntelligenceWork]
    clock: Clock

    def now(self, user_id: str, symbols: Sequence[str], as_of: int, decay: Decay) -> list[SentimentAggregate]:
        """Return what the texts of each symbol add up to as of then; of the first 200 that are known without any."""
        with self.read_work() as work:
            names = symbols or work.sentiments.symbols(user_id)[:MOST_SYMBOLS]
            return [
                sentiment_as_of(
                    symbol,
                    work.sentiments.columns(user_id, symbol, as_of + 1, since_ms=sentiment_since_ms(as_of, decay)),
                    as_of,
                    decay,
                )
                for symbol in names
            ]

    def history(
        self, user_id: str, symbol: str, start: int, end: int, step_ms: int, decay: Decay
    ) -> list[SentimentPoint]:
        """Return what it was at start, start + step, … up to end.

        Raises:
            Invalid: that is nothing, or more than 2000 points.
        """
        count = (end - start) // step_ms + 1
        if not 1 <= count <= MOST_POINTS:
            raise Invalid(
                f"from, to and step make {max(count, 0)} points; 1 to {MOST_POINTS} are allowed",
                code="invalid_query",
                errors=[FieldError("step_hours", f"must make 1 to {MOST_POINTS} points")],
            )
        times = start + step_ms * np.arange(count, dtype=np.int64)
        with self.read_work() as work:
            texts = work.sentiments.columns(user_id, symbol, end + 1, since_ms=sentiment_since_ms(start, decay))
        found = sentiment_at_times(texts, times, decay)
        rows = zip(times.tolist(), found.score.tolist(), found.weight.tolist(), found.count.tolist(), strict=True)
        return [SentimentPoint(at, score if texts else None, weight, texts) for at, score, weight, texts in rows]

    def items(
        self, wanted: SentimentFilter, *, before: Place | None, limit: int
    ) -> tuple[Sequence[ScoredText], Place | None]:
        """Return scored texts, available last first, and the place to go on from; None at the end."""
        with self.read_work() as work:
            found = work.sentiments.newest(wanted, before=before, limit=limit + 1)
        more = len(found) > limit
        return found[:limit], (found[limit - 1].available_at, found[limit - 1].id) if more else None
