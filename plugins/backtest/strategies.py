"""Three classic strategies, and one that reads. Value i of a result depends on what was known at bar i's close."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aitrader.api import (
    Bars,
    Decay,
    FloatColumn,
    Invalid,
    SentimentAtBars,
    SentimentStrategy,
    Strategy,
    decay_of,
)

Mask = NDArray[np.bool_]
Direction = Literal["long_only", "long_short"]

# Running sums of float64 over millions of bars are good to about 1e-11: a smaller difference is no crossing.
_TIE = 1e-10


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    direction: Direction = Field(
        default="long_only", description="`long_only` is flat where `long_short` would be short."
    )


class SmaCrossParams(_Params):
    """Parameters of ``sma_cross``."""

    fast: int = Field(default=10, ge=1, le=10_000, description="Bars of the fast average; below `slow`.")
    slow: int = Field(default=30, ge=2, le=10_000, description="Bars of the slow average.")

    @model_validator(mode="after")
    def _ordered(self) -> SmaCrossParams:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self


class SmaCross(Strategy):
    """Long while the fast simple average of closes is above the slow one, short (or flat) while below."""

    name = "sma_cross"
    title = "Moving average crossover"
    params_type = SmaCrossParams

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        """Return 1 above, −1 below, 0 at a tie and until there are ``slow`` bars. Shape (n,)."""
        slow = moving_average(bars.close, params.slow)
        spread = moving_average(bars.close, params.fast) - slow
        # A comparison with NaN is false: the bars before the first average stay flat.
        return _exposure(spread > _TIE * slow, spread < -_TIE * slow, params.direction)


class RsiParams(_Params):
    """Parameters of ``rsi_mean_reversion``: oversold < exit < overbought."""

    period: int = Field(default=14, ge=2, le=10_000, description="Bars of Wilder's smoothing.")
    oversold: float = Field(default=30.0, gt=0, lt=100, description="Buy below this RSI.")
    overbought: float = Field(default=70.0, gt=0, lt=100, description="Sell short above this RSI.")
    exit: float = Field(default=50.0, gt=0, lt=100, description="Leave when the RSI is back at this level.")

    @model_validator(mode="after")
    def _ordered(self) -> RsiParams:
        if not self.oversold < self.exit < self.overbought:
            raise ValueError("the levels must be ordered: oversold < exit < overbought")
        return self


class RsiMeanReversion(Strategy):
    """Long from oversold until the exit level, short from overbought until the exit level."""

    name = "rsi_mean_reversion"
    title = "RSI mean reversion"
    params_type = RsiParams

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        """Return 1, −1 or 0; 0 until there are ``period`` + 1 bars. Shape (n,)."""
        rsi = wilder_rsi(bars.close, params.period)
        long = _latched(rsi < params.oversold, rsi >= params.exit)
        short = _latched(rsi > params.overbought, rsi <= params.exit)
        return _exposure(long, short, params.direction)


class DonchianParams(_Params):
    """Parameters of ``donchian_breakout``."""

    entry: int = Field(default=20, ge=1, le=10_000, description="Bars of the channel whose break is entered.")
    exit: int = Field(default=10, ge=1, le=10_000, description="Bars of the opposite channel whose break exits.")

    @model_validator(mode="after")
    def _ordered(self) -> DonchianParams:
        if self.exit > self.entry:
            raise ValueError(f"exit ({self.exit}) must not be above entry ({self.entry})")
        return self


class DonchianBreakout(Strategy):
    """Long from a close above the channel of the bars before, until a close below a shorter channel.

    Enter above the highest high of the ``entry`` bars before, leave below the lowest low of the ``exit`` bars
    before; short the other way round (the Turtle rules without their stops).
    """

    name = "donchian_breakout"
    title = "Donchian channel breakout"
    params_type = DonchianParams

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        """Return 1, −1 or 0; 0 until there are ``entry`` + 1 bars. Shape (n,)."""
        close = bars.close
        long = _latched(
            close > _highest_before(bars.high, params.entry), close < _lowest_before(bars.low, params.exit)
        )
        short = _latched(
            close < _lowest_before(bars.low, params.entry), close > _highest_before(bars.high, params.exit)
        )
        return _exposure(long, short, params.direction)


class SentimentParams(_Params):
    """Parameters of ``sentiment_trend``."""

    threshold: float = Field(
        default=0.2, ge=0, le=1, description="How good (bad) the score must be to be long (short)."
    )
    min_weight: float = Field(
        default=1.0, ge=0, le=1e6, description="How much must stand behind it; a new text counts 1 or less."
    )
    half_life_hours: float = Field(default=48.0, gt=0, le=87_600, description="After so long a text counts half.")
    window_hours: float = Field(default=336.0, gt=0, le=87_600, description="After so long it counts no more.")


class SentimentTrend(SentimentStrategy):
    """Long while what was written about the symbol is good and enough, short (or flat) while it is bad and enough."""

    name = "sentiment_trend"
    title = "Sentiment trend"
    params_type = SentimentParams
    needs_sentiment = True

    def decay(self, params: Any) -> Decay:
        """Return the half-life and the window of the parameters."""
        return decay_of(params.half_life_hours, params.window_hours)

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        """Refuse: prices alone say nothing here."""
        raise Invalid("sentiment_trend needs sentiment besides bars", code="needs_sentiment")

    def targets_with(self, bars: Bars, sentiment: SentimentAtBars, params: Any) -> FloatColumn:
        """Return 1 above the threshold, −1 below its negative, 0 between and where too little was written."""
        enough = sentiment.weight >= params.min_weight - _TIE
        long = enough & (sentiment.score > params.threshold)
        return _exposure(long, enough & (sentiment.score < -params.threshold), params.direction)


STRATEGIES: tuple[Strategy, ...] = (SmaCross(), RsiMeanReversion(), DonchianBreakout(), SentimentTrend())


def moving_average(values: FloatColumn, period: int) -> FloatColumn:
    """Return the simple average of the last ``period`` values; NaN for the first period − 1. Shape (n,)."""
    result = np.full(len(values), np.nan)
    if len(values) >= period:
        sums = np.cumsum(values)
        result[period - 1] = sums[period - 1] / period
        result[period:] = (sums[period:] - sums[:-period]) / period
    return result


def wilder_rsi(close: FloatColumn, period: int) -> FloatColumn:
    """Return Wilder's relative strength index, 0…100; NaN for the first ``period`` and where nothing moved.

    100 · G ÷ (G + L), G and L the averages of gains and losses: plain over the first ``period`` changes, then
    G ← (G·(period − 1) + gain) ÷ period (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978).
    """
    result = np.full(len(close), np.nan)
    if len(close) <= period:
        return result
    change = np.diff(close)
    gain = _wilder_average(np.maximum(change, 0.0), period)
    loss = _wilder_average(np.maximum(-change, 0.0), period)
    moved = gain + loss
    result[period:] = np.divide(100.0 * gain, moved, out=np.full(len(moved), np.nan), where=moved > 0.0)
    return result


def _wilder_average(values: FloatColumn, period: int) -> FloatColumn:
    seed = float(values[:period].mean())
    keep = period - 1
    smoothed = accumulate(values[period:].tolist(), lambda mean, value: (mean * keep + value) / period, initial=seed)
    return np.fromiter(smoothed, dtype=np.float64, count=len(values) - period + 1)


def _highest_before(high: FloatColumn, period: int) -> FloatColumn:
    """Return the highest of the ``period`` values before each bar, that bar left out; NaN where too few."""
    result = np.full(len(high), np.nan)
    if len(high) > period:
        result[period:] = _rolling_max(high[:-1], period)
    return result


def _rolling_max(values: FloatColumn, period: int) -> FloatColumn:
    """Return the maximum of every ``period`` neighbours, shape (n − period + 1,), in O(n·log period)."""
    best, width = values, 1
    while 2 * width <= period:
        best, width = np.maximum(best[:-width], best[width:]), 2 * width
    rest = period - width
    overlapped: FloatColumn = np.maximum(best[: len(best) - rest], best[rest:])
    return overlapped


def _lowest_before(low: FloatColumn, period: int) -> FloatColumn:
    return -_highest_before(-low, period)


def _latched(enter: Mask, leave: Mask) -> Mask:
    """Return where ``enter`` has been true since ``leave`` last was."""
    index = np.arange(len(enter))
    entered = np.maximum.accumulate(np.where(enter, index, -1))
    left = np.maximum.accumulate(np.where(leave, index, -1))
    held: Mask = entered > left
    return held


def _exposure(long: Mask, short: Mask, direction: Direction) -> FloatColumn:
    exposure = long.astype(np.float64)
    if direction == "long_short":
        exposure -= short
    return exposure
