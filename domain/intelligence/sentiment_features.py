"""Sentiment as features: what the texts that were available at each close add up to."""

from __future__ import annotations

import numpy as np

from domain.intelligence.aggregating import DEFAULT_DECAY, sentiment_at_times
from domain.intelligence.news import SentimentColumns
from domain.market.model import FloatColumn, TimeColumn


def sentiment_features(closes: TimeColumn, sentiment: SentimentColumns) -> dict[str, FloatColumn]:
    """Return the score, the weight that it rests on, and how the score moved; all 0 where there is nothing."""
    now = sentiment_at_times(sentiment, closes)
    before = sentiment_at_times(sentiment, closes - DEFAULT_DECAY.half_life_ms)
    known = (now.count > 0) & (before.count > 0)
    return {
        "sentiment_score": now.score,
        "sentiment_weight": np.log1p(now.weight),
        "sentiment_change": np.where(known, now.score - before.score, 0.0),
    }
