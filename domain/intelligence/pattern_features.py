"""Patterns as features: what was complete in the last bars, and which way it points."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from domain.market.model import Bars, FloatColumn
from domain.signals.candlesticks import CANDLESTICKS, NEUTRAL_CANDLESTICKS
from domain.signals.chart_patterns.finding import find_chart_patterns

# A candlestick is the matter of a few bars, a chart pattern that of some more.
_CANDLE_BARS = 3
_CHART_BARS = 10


def pattern_features(bars: Bars) -> dict[str, FloatColumn]:
    """Return how many patterns that point up, and down, the last bars completed.

    Chart patterns rest on turning points, which look back without end; see `domain.signals.chart_patterns.swings`.
    """
    bullish, bearish = _candlesticks(bars)
    charts = find_chart_patterns(bars)
    rising = np.bincount(charts.bar[charts.strength > 0], minlength=len(bars)).astype(np.float64)
    falling = np.bincount(charts.bar[charts.strength < 0], minlength=len(bars)).astype(np.float64)
    return {
        "candles_bullish_3": _recent(bullish, _CANDLE_BARS),
        "candles_bearish_3": _recent(bearish, _CANDLE_BARS),
        "charts_bullish_10": _recent(rising, _CHART_BARS),
        "charts_bearish_10": _recent(falling, _CHART_BARS),
    }


def _candlesticks(bars: Bars) -> tuple[FloatColumn, FloatColumn]:
    import talib  # costly to import, and most processes make no features

    columns = (bars.open, bars.high, bars.low, bars.close)
    bullish, bearish = np.zeros(len(bars)), np.zeros(len(bars))
    for name, function in CANDLESTICKS.items():
        if name not in NEUTRAL_CANDLESTICKS:
            values = getattr(talib, function)(*columns)
            bullish += values > 0
            bearish += values < 0
    return bullish, bearish


def _recent(counts: FloatColumn, count: int) -> FloatColumn:
    """Return the sum of the last values at each place."""
    padded = np.concatenate((np.zeros(count - 1), counts))
    found: FloatColumn = sliding_window_view(padded, count).sum(axis=1)
    return found
