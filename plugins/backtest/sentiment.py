"""What a strategy may know of sentiment: at each bar what was available at its close."""

from __future__ import annotations

import hashlib

import numpy as np

from aitrader.api import (
    Bars,
    Decay,
    NotFound,
    SentimentAtBars,
    SentimentColumns,
    StoredSentiment,
    Timeframe,
    sentiment_at_times,
)
from plugins.backtest.payload import SentimentUsed

_HOUR_MS = 3_600_000


def sentiment_of_bars(
    stored: StoredSentiment, symbol: str, bars: Bars, timeframe: Timeframe, decay: Decay
) -> tuple[SentimentAtBars, SentimentUsed]:
    """Return the sentiment of a symbol as of the close of each bar, open plus timeframe, and what it was made of.

    Raises:
        NotFound: no text about the symbol was available in all that time.
        Unavailable: the database did not answer.
    """
    closes = bars.time + timeframe.ms
    first, last = int(closes[0]), int(closes[-1])
    texts = stored.columns(symbol, until_ms=last + 1, since_ms=first - decay.window_ms)
    if not len(texts):
        raise NotFound(
            f"no scored text about {symbol} was available in the time of these bars; import news with "
            "aitrader news import, and score it with a job sentiment_analysis",
            code="no_sentiment",
        )
    sentiment = sentiment_at_times(texts, closes, decay)
    return sentiment, SentimentUsed(
        texts=len(texts),
        bars=int(np.count_nonzero(sentiment.count)),
        half_life_hours=decay.half_life_ms / _HOUR_MS,
        window_hours=decay.window_ms / _HOUR_MS,
        data_hash=_hash(texts),
    )


def _hash(texts: SentimentColumns) -> str:
    digest = hashlib.sha256()
    for column in (texts.time, texts.score, texts.weight):
        digest.update(np.ascontiguousarray(column).astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()
