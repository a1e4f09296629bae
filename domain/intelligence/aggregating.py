"""What all scored texts of a symbol add up to, as of a moment.

At t a text counts w = source weight × 2^(−(t − available) ÷ half-life), if it was available at or before t and
not longer ago than the window. Then

    score = Σ w·s ÷ Σ w,    weight = Σ w,    dispersion = √(Σ w·(s − score)² ÷ Σ w).

**What counts at t is what was available at or before t**, here and wherever sentiment is asked for as of a time:
of a bar that is its close. Repositories read what was available *before* a time, so they are asked for t + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.common.time import rfc3339
from domain.intelligence.news import SentimentColumns
from domain.intelligence.sentiment import Polarity
from domain.market.model import FloatColumn, TimeColumn
from domain.research.sentiment import HOUR_MS, Decay, SentimentAtBars

NEUTRAL_BELOW = 0.1
"""A score nearer to 0 than this is called neutral. A convention, not a finding."""

DEFAULT_DECAY = Decay()

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SentimentAggregate:
    """What the texts about a symbol add up to as of a moment. None where that is not defined.

    Args:
        score: −1…1; None without texts in the window.
        weight: Σ w: how much stands behind the score. A new text of a source of full weight counts 1.
        count: texts in the window that weigh anything.
        dispersion: weighted standard deviation of their scores; None below two texts.
        change: score minus the score one half-life before; None where either is.
        newest_at: when the newest of them was available.
    """

    symbol: str
    as_of: int
    score: float | None
    weight: float
    count: int
    dispersion: float | None
    change: float | None
    newest_at: int | None

    @property
    def label(self) -> Polarity | None:
        """The score in a word."""
        return None if self.score is None else label_of(self.score)


def label_of(score: float) -> Polarity:
    """Return an aggregated score in a word."""
    if abs(score) < NEUTRAL_BELOW:
        return Polarity.NEUTRAL
    return Polarity.POSITIVE if score > 0.0 else Polarity.NEGATIVE


def sentiment_since_ms(at_ms: int, decay: Decay) -> int:
    """Return from when on texts matter to the aggregate at a moment, its change included."""
    return at_ms - decay.window_ms - decay.half_life_ms


def sentiment_as_of(
    symbol: str, texts: SentimentColumns, at_ms: int, decay: Decay = DEFAULT_DECAY
) -> SentimentAggregate:
    """Return what the texts add up to as of ``at_ms``; texts available later do not count."""
    now, before = _mean(texts, at_ms, decay), _mean(texts, at_ms - decay.half_life_ms, decay)
    if now is None:
        return SentimentAggregate(symbol, at_ms, None, 0.0, 0, None, None, None)
    return SentimentAggregate(
        symbol=symbol,
        as_of=at_ms,
        score=now.score,
        weight=float(now.weights.sum()),
        count=len(now.counted),
        dispersion=_dispersion(now) if len(now.counted) > 1 else None,
        change=None if before is None else now.score - before.score,
        newest_at=int(now.counted.time[-1]),
    )


@dataclass(frozen=True, slots=True)
class _Mean:
    counted: SentimentColumns
    weights: FloatColumn
    score: float


def _mean(texts: SentimentColumns, at_ms: int, decay: Decay) -> _Mean | None:
    used = (texts.time <= at_ms) & (texts.time >= at_ms - decay.window_ms) & (texts.weight > 0.0)
    counted = SentimentColumns(texts.time[used], texts.score[used], texts.weight[used])
    weights = counted.weight * np.exp2((counted.time - at_ms) / float(decay.half_life_ms))
    total = float(weights.sum())
    # A sum may round to 0 where the weights themselves were close to it.
    return _Mean(counted, weights, _within(float((weights * counted.score).sum()) / total)) if total > 0.0 else None


def _within(score: float) -> float:
    return min(1.0, max(-1.0, score))


def _dispersion(mean: _Mean) -> float:
    squares = np.square(mean.counted.score - mean.score)
    return float(np.sqrt((mean.weights * squares).sum() / mean.weights.sum()))


def sentiment_at_times(texts: SentimentColumns, times: TimeColumn, decay: Decay = DEFAULT_DECAY) -> SentimentAtBars:
    """Return what the texts added up to as of each time, without NaN: 0 where nothing counts.

    Value i depends, to the last bit, only on texts that were available at or before times[i]. Takes
    O((texts + times)·log texts) steps.

    Args:
        texts: of one symbol, ascending by time.
        times: milliseconds UTC, shape (n,), in any order.
        decay: half-life and window.
    """
    weighing = texts.weight > 0.0
    at, weight = texts.time[weighing], texts.weight[weighing]
    terms = np.stack([weight, weight * texts.score[weighing]])
    sums, count = _decayed_sums(at, terms, times, decay)
    total = sums[0]
    count = np.where(total > 0.0, count, 0)
    score = np.divide(sums[1], total, out=np.zeros(len(times)), where=count > 0)
    return SentimentAtBars(np.clip(score, -1.0, 1.0), np.where(count > 0, total, 0.0), count)


def joined_sentiment(texts: SentimentColumns, more: SentimentColumns) -> SentimentColumns:
    """Return the texts of both, ascending by time; of equal times those of ``texts`` first."""
    time = np.concatenate((texts.time, more.time))
    score, weight = np.concatenate((texts.score, more.score)), np.concatenate((texts.weight, more.weight))
    order = np.argsort(time, kind="stable")
    return SentimentColumns(time[order], score[order], weight[order])


def _decayed_sums(at: TimeColumn, terms: FloatColumn, times: TimeColumn, decay: Decay) -> tuple[FloatColumn, Whole]:
    """Return Σ term·2^(−age ÷ half-life) over what is in the window of each time, and how many those are.

    Time is cut into blocks as long as the window. A window then covers the end of one block and the beginning of
    the next, and both are running sums inside their block: nothing is ever subtracted, and no power of two leaves
    the range of float64 (van Herk 1992 and Gil & Werman 1993 do the same for running extremes).
    """
    window, half_life = decay.window_ms, float(decay.half_life_ms)
    begin = times // window * window
    oldest, middle = np.searchsorted(at, times - window, "left"), np.searchsorted(at, begin, "left")
    end = np.searchsorted(at, times, "right")
    age = at - at // window * window
    rising = _running(at // window, terms * np.exp2(age / half_life), _forwards)
    falling = _running(at // window, terms * np.exp2((age - window) / half_life), _backwards)
    inside, before = end > middle, middle > oldest
    sums = np.zeros((len(terms), len(times)))
    sums[:, inside] += rising[:, end[inside] - 1]
    sums[:, before] += falling[:, oldest[before]]
    return sums * np.exp2((begin - times) / half_life), (end - oldest).astype(np.int64)


def _running(block: Whole, values: FloatColumn, cumulate: Callable[[FloatColumn], FloatColumn]) -> FloatColumn:
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(block)]
    sums = np.empty_like(values)
    for first, last in pairwise(edges):
        sums[:, first:last] = cumulate(values[:, first:last])
    return sums


def _forwards(values: FloatColumn) -> FloatColumn:
    return np.cumsum(values, axis=1)


def _backwards(values: FloatColumn) -> FloatColumn:
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]


def aggregate_view(found: SentimentAggregate) -> dict[str, Any]:
    """Return an aggregate as JSON types."""
    return {
        "symbol": found.symbol,
        "as_of": rfc3339(found.as_of),
        "score": found.score,
        "label": None if found.label is None else found.label.value,
        "weight": found.weight,
        "count": found.count,
        "dispersion": found.dispersion,
        "change": found.change,
        "newest_at": None if found.newest_at is None else rfc3339(found.newest_at),
    }


def decay_view(decay: Decay) -> dict[str, float]:
    """Return a decay as JSON types, in hours."""
    return {"half_life_hours": decay.half_life_ms / HOUR_MS, "window_hours": decay.window_ms / HOUR_MS}
