"""What models look at: one row of features for each bar, made of closed bars alone.

The same code makes them for training and for a suggestion. Every feature but those of chart patterns is a function of
the last `LOOK_BACK` bars, so that it does not matter where the history begins; and of nothing after the bar's close.
Most are free of the price's scale: returns and distances are counted in units of the volatility at that time, because
a model that learns from one decade or symbol must mean something in another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from domain.intelligence.news import NO_SENTIMENT, SentimentColumns
from domain.intelligence.pattern_features import pattern_features
from domain.intelligence.sentiment_features import sentiment_features
from domain.market.model import Bars, FloatColumn, Timeframe

FEATURE_VERSION = 1
LOOK_BACK = 121
"""Bars that the oldest feature needs, the last included: a row before that many bars is not usable."""

RANGE_BARS = 14
_RETURNS = (1, 2, 5, 10, 20, 60, 120)
_UNIT = 60  # bars that volatility, the unit of returns and distances, is measured over
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
# What stands for a volatility of zero: prices that did not move say nothing in units of their moves.
_STILL = 1e-9
_MOST = 1e6

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of bars. ``values`` has the shape (bars, names); rows before ``first`` are not usable."""

    names: tuple[str, ...]
    values: Features
    first: int


def feature_table(bars: Bars, timeframe: Timeframe, sentiment: SentimentColumns = NO_SENTIMENT) -> FeatureTable:
    """Return the features of each bar as of its close.

    Args:
        bars: n closed bars, ascending, from the first that is stored.
        timeframe: their length.
        sentiment: scored texts of the symbol, as of when each was available.
    """
    columns: dict[str, FloatColumn] = {}
    for part in (_returns, _volatilities, _bar_shape, _volumes, _momentum):
        columns |= part(bars)
    columns |= _calendar(bars, timeframe)
    columns |= pattern_features(bars)
    columns |= sentiment_features(bars.time + timeframe.ms, sentiment)
    stacked = np.column_stack([np.nan_to_num(column, nan=0.0) for column in columns.values()])
    return FeatureTable(tuple(columns), np.clip(stacked, -_MOST, _MOST).astype(np.float32), LOOK_BACK - 1)


def average_range(bars: Bars, count: int = RANGE_BARS) -> FloatColumn:
    """Return the mean of the last ``count`` true ranges at each bar, in the price's currency; NaN before.

    True range: Wilder 1978; the plain mean, because his smoothing depends on where the history begins.
    """
    before = np.concatenate(([np.nan], bars.close[:-1]))
    ranges = np.maximum(bars.high, before) - np.minimum(bars.low, before)
    return rolling(ranges, count, lambda windows: windows.mean(axis=1))


def rolling(values: FloatColumn, count: int, fold: Callable[[NDArray[np.float64]], FloatColumn]) -> FloatColumn:
    """Return ``fold`` of the last ``count`` values at each place; NaN where there are fewer."""
    found = np.full(len(values), np.nan)
    if len(values) >= count:
        found[count - 1 :] = fold(sliding_window_view(values, count))
    return found


def _mean(values: FloatColumn, count: int) -> FloatColumn:
    return rolling(values, count, lambda windows: windows.mean(axis=1))


def _change(values: FloatColumn, count: int) -> FloatColumn:
    """Return each value less the one ``count`` before it."""
    found = np.full(len(values), np.nan)
    found[count:] = values[count:] - values[:-count] if count < len(values) else found[count:]
    return found


def _volatility(returns: FloatColumn, count: int) -> FloatColumn:
    found = rolling(returns, count, lambda windows: windows.std(axis=1, ddof=1))
    return np.maximum(found, _STILL)


def _log_returns(bars: Bars) -> FloatColumn:
    return _change(np.log(bars.close), 1)


def _returns(bars: Bars) -> dict[str, FloatColumn]:
    """Log returns over k bars, in units of the volatility of k bars."""
    log, unit = np.log(bars.close), _volatility(_log_returns(bars), _UNIT)
    found = {f"return_{count}": _change(log, count) / (unit * np.sqrt(count)) for count in _RETURNS}
    gap = np.log(bars.open) - np.concatenate(([np.nan], log[:-1]))
    return {**found, "gap": gap / unit}


def _volatilities(bars: Bars) -> dict[str, FloatColumn]:
    returns = _log_returns(bars)
    by = {count: np.log(_volatility(returns, count)) for count in (5, 20, 60, 120)}
    skew = rolling(returns, _UNIT, _skew)
    ranges = np.log(np.maximum(average_range(bars), _STILL * bars.close) / bars.close)
    return {
        "volatility_20": by[20],
        "volatility_5_to_60": by[5] - by[60],
        "volatility_20_to_120": by[20] - by[120],
        "skew_60": skew,
        "range_14": ranges,
        "range_to_volatility": ranges - by[20],
    }


def _skew(windows: NDArray[np.float64]) -> FloatColumn:
    centered = windows - windows.mean(axis=1, keepdims=True)
    spread = np.maximum(windows.std(axis=1), _STILL)
    skew: FloatColumn = (centered**3).mean(axis=1) / spread**3
    return skew


def _bar_shape(bars: Bars) -> dict[str, FloatColumn]:
    """What the last bar looks like: where it closed between its ends, and how long it is for its time."""
    length = bars.high - bars.low
    safe = np.where(length > 0, length, 1.0)
    typical = np.maximum(average_range(bars), _STILL * bars.close)
    return {
        "close_in_bar": np.where(length > 0, (bars.close - bars.low) / safe, 0.5),
        "body_in_bar": np.where(length > 0, (bars.close - bars.open) / safe, 0.0),
        "bar_to_range": length / typical,
    }


def _volumes(bars: Bars) -> dict[str, FloatColumn]:
    """Volume against its own past; 0 where none is told."""
    volume = np.maximum(bars.volume, 0.0)
    means = {count: _mean(volume, count) for count in (5, 20, 60)}

    def ratio(above: FloatColumn, below: FloatColumn) -> FloatColumn:
        told = (above > 0) & (below > 0)
        return np.where(told, np.log(np.where(told, above, 1.0) / np.where(told, below, 1.0)), 0.0)

    signed = np.sign(_change(bars.close, 1)) * volume
    flow = _mean(signed, 20) / np.where(means[20] > 0, means[20], 1.0)
    return {
        "volume_to_20": ratio(volume, means[20]),
        "volume_5_to_60": ratio(means[5], means[60]),
        "volume_flow_20": flow,
    }


def _momentum(bars: Bars) -> dict[str, FloatColumn]:
    close, returns = bars.close, _log_returns(bars)
    unit = _volatility(returns, _UNIT)
    found = {f"to_mean_{count}": np.log(close / _mean(close, count)) / unit for count in (10, 20, 50, 100)}
    found["mean_12_to_26"] = np.log(_mean(close, 12) / _mean(close, 26)) / unit
    found["rsi_14"] = _rsi(close, 14)
    for count in (20, 60, 120):
        found[f"in_channel_{count}"] = _in_channel(bars, count)
    found["efficiency_20"] = _efficiency(close, 20)
    found["up_share_20"] = _mean((returns > 0).astype(np.float64), 20)
    return found


def _rsi(close: FloatColumn, count: int) -> FloatColumn:
    """Return Cutler's relative strength index, 0…1: gains ÷ (gains + losses), plain means."""
    changes = _change(close, 1)
    gains, losses = _mean(np.maximum(changes, 0.0), count), _mean(np.maximum(-changes, 0.0), count)
    whole = gains + losses
    return np.where(whole > 0, gains / np.where(whole > 0, whole, 1.0), 0.5)


def _in_channel(bars: Bars, count: int) -> FloatColumn:
    """Return where the close is between the lowest low and the highest high, 0…1."""
    low = rolling(bars.low, count, lambda windows: windows.min(axis=1))
    high = rolling(bars.high, count, lambda windows: windows.max(axis=1))
    width = high - low
    return np.where(width > 0, (bars.close - low) / np.where(width > 0, width, 1.0), 0.5)


def _efficiency(close: FloatColumn, count: int) -> FloatColumn:
    """Return Kaufman's efficiency ratio with the sign of the move, −1…1: the way made ÷ the way gone."""
    made, gone = _change(close, count), _mean(np.abs(_change(close, 1)), count) * count
    return np.where(gone > 0, made / np.where(gone > 0, gone, 1.0), 0.0)


def _calendar(bars: Bars, timeframe: Timeframe) -> dict[str, FloatColumn]:
    """When the bar closes, UTC: as circles, so that December is beside January."""
    closes = bars.time + timeframe.ms
    day = closes // _DAY_MS
    months = closes.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
    circles = {"weekday": ((day + 3) % 7, 7), "month": (months, 12)}
    if timeframe.ms < _DAY_MS:
        circles["hour"] = ((closes % _DAY_MS) // _HOUR_MS, 24)
    found: dict[str, FloatColumn] = {}
    for name, (value, size) in circles.items():
        angle = 2 * np.pi * value / size
        found |= {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}
    return found
