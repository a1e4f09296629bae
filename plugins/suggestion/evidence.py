"""The evidence beside a suggestion: patterns with their history, and sentiment, as they were known then."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aitrader.api import (
    CANDLESTICKS,
    CHART_PATTERNS,
    Bars,
    Dataset,
    JobContext,
    PatternHistory,
    PatternHits,
    Timeframe,
    pattern_history,
    rfc3339,
    scan_patterns,
    sentiment_as_of,
)

_RECENT_BARS = 5
_MOST_PATTERNS = 10
_SHOWN_TEXTS = 3
_MOST_SHOWN = 200
_PATTERNS = (*CANDLESTICKS, *CHART_PATTERNS)


def evidence_of(
    context: JobContext, dataset: Dataset, bars: Bars, timeframe: Timeframe, horizon: int
) -> dict[str, Any]:
    """Return the evidence as of the close of the last bar.

    Args:
        context: of the job.
        dataset: whose bars they are.
        bars: from the first that is stored; none closed after the moment of the suggestion.
        timeframe: their length.
        horizon: for which returns after past occurrences are told, in bars.
    """
    as_of = int(bars.time[-1]) + timeframe.ms
    return {
        "patterns": _patterns(bars, timeframe, horizon),
        "sentiment": _sentiment(context, dataset.symbol, as_of),
    }


def _patterns(bars: Bars, timeframe: Timeframe, horizon: int) -> list[dict[str, Any]]:
    """Return the patterns that the last bars completed, newest first, with what came of them before."""
    hits = scan_patterns(bars, _PATTERNS)
    recent = len(hits.since(len(bars) - _RECENT_BARS))
    listed = min(recent, _MOST_PATTERNS)
    history = pattern_history(bars.close, hits, listed, [horizon])
    first = len(hits) - listed
    return [_pattern(bars, timeframe, hits, history, row, first + row) for row in reversed(range(listed))]


def _pattern(
    bars: Bars, timeframe: Timeframe, hits: PatternHits, history: PatternHistory, row: int, hit: int
) -> dict[str, Any]:
    bar, found = int(hits.bar[hit]), history.evidence
    values = {
        "mean": found.mean,
        "base_mean": found.base_mean,
        "excess_low": found.low,
        "excess_high": found.high,
        "p_value": found.p,
        "q_value": found.q,
    }
    return {
        "pattern": hits.names[hits.pattern[hit]],
        "direction": hits.direction(hit),
        "closed_at": rfc3339(int(bars.time[bar]) + timeframe.ms),
        "bars_ago": len(bars) - 1 - bar,
        "history": {
            "horizon": history.horizons[0],
            "n": int(found.n[row, 0]),
            **{name: _number(column[row, 0]) for name, column in values.items()},
        },
    }


def _sentiment(context: JobContext, symbol: str, as_of: int) -> dict[str, Any] | None:
    """Return what the texts about a symbol add up to; None where there are none."""
    found = sentiment_as_of(symbol, context.sentiment.columns(symbol, until_ms=as_of + 1), as_of)
    if found.score is None:
        return None
    newest = context.sentiment.newest(symbol, until_ms=as_of + 1, limit=_SHOWN_TEXTS)
    return {
        "score": found.score,
        "weight": found.weight,
        "count": found.count,
        "change": found.change,
        "texts": [
            {
                "text": row.text[:_MOST_SHOWN],
                "score": row.score,
                "source": row.source,
                "available_at": rfc3339(row.available_at),
            }
            for row in newest
        ],
    }


def _number(value: np.float64) -> float | None:
    """Return a number of six digits; None for one that is not defined."""
    return None if math.isnan(value) else float(f"{value:.6g}")
