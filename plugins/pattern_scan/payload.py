"""What a pattern scan asks for and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from aitrader.api import BarsRequest, StrictModel, Timeframe
from plugins.pattern_scan.patterns import TALIB_FUNCTIONS


def _pattern(value: object) -> object:
    if isinstance(value, str) and value not in TALIB_FUNCTIONS:
        raise ValueError(f"there is no pattern {value[:64]!r}; known: {', '.join(TALIB_FUNCTIONS)}")
    return value


Pattern = Annotated[str, BeforeValidator(_pattern), WithJsonSchema({"type": "string", "enum": list(TALIB_FUNCTIONS)})]
Direction = Literal["bullish", "bearish", "neutral"]


class PatternScanPayload(BarsRequest):
    """Find candlestick patterns in the bars of each symbol."""

    patterns: list[Pattern] = Field(
        default_factory=lambda: list(TALIB_FUNCTIONS),
        min_length=1,
        description="Which patterns; all when omitted.",
        examples=[["engulfing", "morning_star"]],
    )
    limit: int = Field(
        default=500, ge=1, le=5000, description="Most hits listed per symbol, newest first; all are counted."
    )

    @model_validator(mode="after")
    def _patterns_differ(self) -> Self:
        if len(set(self.patterns)) < len(self.patterns):
            raise ValueError("the patterns must differ")
        return self


class Hit(StrictModel):
    """A pattern that was complete at the close of a bar."""

    time: str = Field(description="RFC 3339; open of the bar that completes the pattern.")
    closed_at: str = Field(description="RFC 3339; open plus timeframe: from then on the pattern is known.")
    pattern: str
    direction: Direction = Field(description="What the pattern is read as; neutral where TA-Lib's sign says nothing.")
    strength: int = Field(description="TA-Lib's value: ±80 or ±100, ±200 for a confirmed hikkake.")
    close: float = Field(description="Close of the bar.")


class SymbolHits(StrictModel):
    """The hits of one symbol."""

    symbol: str
    timeframe: Timeframe
    start: str = Field(description="RFC 3339; open of the first bar in range.")
    end: str = Field(description="RFC 3339; open of the last bar in range.")
    bars: int = Field(description="Bars in range.")
    total: int = Field(description="All hits in range, listed or not.")
    counts: dict[str, int] = Field(description="All hits in range by pattern; every scanned pattern is there.")
    hits: list[Hit] = Field(description="Newest first, at most `limit`.")
    data_hash: str = Field(description="SHA-256 over the bars read: those in range and all before.")
    artifacts: list[str] = Field(description="Names of the files of this symbol.")


class PatternScanReport(StrictModel):
    """One entry per symbol, in the order asked for."""

    results: list[SymbolHits]
    talib_version: str
