"""What can be set about the pattern engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aitrader.api import LIVE_CANDLESTICKS, Detector, LiveBars, PatternRules, StrictModel, Timeframe


class PatternOptions(StrictModel):
    """Where ticks come from, where signals go, and when a pattern is seen. Spans and channels count ticks."""

    redis_url: str | None = Field(
        None, pattern=r"^(redis|rediss|unix)://", description="Redis; the environment's REDIS_URL when left out"
    )
    ticks: str = Field(
        "ticks:global", min_length=1, max_length=200, description="the stream that ticks are read from"
    )
    signals: str = Field("signals:global", min_length=1, max_length=200, description="the stream of all signals")
    ttl_ms: int = Field(60_000, ge=1, le=86_400_000, description="how long a signal may be acted on")
    snapshot_seconds: float = Field(5, ge=0.1, le=600, description="how often the state is kept in Redis")
    fast: int = Field(12, ge=1, le=10_000, description="span of the fast average")
    slow: int = Field(26, ge=2, le=10_000, description="span of the slow average")
    span: int = Field(50, ge=2, le=10_000, description="what spikes and breakouts are measured against")
    channel: int = Field(100, ge=2, le=10_000, description="length of the Donchian channel")
    deviation: float = Field(2.5, gt=0, le=100, description="standard deviations from the day's VWAP")
    spike: float = Field(4, gt=0, le=100, description="standard deviations of a volume spike")
    breakout: float = Field(4, gt=0, le=100, description="standard deviations of a volatility breakout")
    cooldown_ms: int = Field(60_000, ge=0, le=86_400_000, description="how long a pattern rests in a symbol")
    bars: Literal["1m", "5m", "15m"] = Field("1m", description="length of the bars that candlesticks are found in")
    candlesticks: bool = Field(True, description=f"whether to look for {', '.join(LIVE_CANDLESTICKS)}")

    def detector(self) -> Detector:
        """Return what finds the patterns."""
        rules = PatternRules(
            fast=self.fast,
            slow=self.slow,
            span=self.span,
            channel=self.channel,
            deviation=self.deviation,
            spike=self.spike,
            breakout=self.breakout,
            cooldown_ms=self.cooldown_ms,
        )
        return Detector(rules, LiveBars(Timeframe(self.bars)), LIVE_CANDLESTICKS if self.candlesticks else ())
