"""What a pattern scan asks for and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from aitrader.api import CANDLESTICKS, CHART_PATTERNS, BarsRequest, StrictModel, Timeframe

PATTERNS = tuple(sorted((*CANDLESTICKS, *CHART_PATTERNS)))


def _pattern(value: object) -> object:
    if isinstance(value, str) and value not in PATTERNS:
        raise ValueError(f"there is no pattern {value[:64]!r}; known: {', '.join(PATTERNS)}")
    return value


Pattern = Annotated[str, BeforeValidator(_pattern), WithJsonSchema({"type": "string", "enum": list(PATTERNS)})]
Direction = Literal["bullish", "bearish", "neutral"]
Horizon = Annotated[int, Field(ge=1, le=500)]


class PatternScanPayload(BarsRequest):
    """Find candlestick and chart patterns in the bars of each symbol, and what came of them before."""

    patterns: list[Pattern] = Field(
        default_factory=lambda: list(PATTERNS),
        min_length=1,
        description="Which patterns; all when omitted.",
        examples=[["engulfing", "double_bottom"]],
    )
    limit: int = Field(
        default=500, ge=1, le=5000, description="Most hits listed per symbol, newest first; all are counted."
    )
    horizons: list[Horizon] = Field(
        default_factory=lambda: [1, 5, 10, 20],
        min_length=1,
        max_length=8,
        description="How many bars after a pattern its return is measured, from close to close.",
        examples=[[1, 5, 10, 20]],
    )
    plots: int = Field(default=20, ge=0, le=200, description="Most charts of hits per symbol, newest first.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Of the bootstrap; the same gives the same intervals.")

    @model_validator(mode="after")
    def _entries_differ(self) -> Self:
        if len(set(self.patterns)) < len(self.patterns):
            raise ValueError("the patterns must differ")
        if len(set(self.horizons)) < len(self.horizons):
            raise ValueError("the horizons must differ")
        return self


class Outcome(StrictModel):
    """What came of a pattern before, so many bars later; null where there is too little to say.

    Fractions of the close of the bar that completed the pattern, 0.01 is 1 %, to six digits. Only outcomes that were
    known at the close of the hit count: nothing here looks ahead.
    """

    horizon: int = Field(description="Bars.")
    n: int = Field(description="Past occurrences of this pattern in this direction whose outcome was known.")
    stretches: int = Field(
        description="Stretches of time, of 4 horizons (20 bars at least), that they lie in: independent observations."
    )
    mean: float | None = Field(description="Of their returns; null for fewer than 10 occurrences.")
    median: float | None = Field(description="The same way.")
    share: float | None = Field(description="Which part of them went the pattern's way; up for a neutral one.")
    base_mean: float | None = Field(description="Base rate: mean return of all bars up to the hit.")
    base_share: float | None = Field(description="Which part of those went the pattern's way.")
    excess: float | None = Field(description="`mean` less `base_mean`.")
    excess_low: float | None = Field(
        description="Lower end of the 95 % bootstrap interval of the excess; null for fewer than 10 stretches."
    )
    excess_high: float | None = Field(description="Upper end.")
    p_value: float | None = Field(description="Two-sided, of no excess; null for fewer than 10 stretches.")
    q_value: float | None = Field(
        description="The p-value corrected for all patterns, directions and horizons of this scan, after Benjamini"
        " and Yekutieli."
    )


class Point(StrictModel):
    """A turning point of a chart pattern."""

    time: str = Field(description="RFC 3339; open of the bar of the extreme.")
    price: float
    known_at: str = Field(description="RFC 3339; close of the bar that proved it, by when the hit was complete.")


class Line(StrictModel):
    """A boundary of a chart pattern, up to the bar that completes it."""

    start: str = Field(description="RFC 3339; open of a bar.")
    start_price: float
    end: str = Field(description="RFC 3339; open of the bar that completes the pattern.")
    end_price: float


class Hit(StrictModel):
    """A pattern that was complete at the close of a bar."""

    time: str = Field(description="RFC 3339; open of the bar that completes the pattern.")
    closed_at: str = Field(description="RFC 3339; open plus timeframe: from then on the pattern is known.")
    pattern: str
    direction: Direction = Field(description="What the pattern is read as; neutral where TA-Lib's sign says nothing.")
    strength: int = Field(
        description="Candlestick: TA-Lib's value, ±80 or ±100, ±200 for a confirmed hikkake. Chart pattern: how well"
        " the shape fits its rule, ±1 to ±100; no probability."
    )
    close: float = Field(description="Close of the bar.")
    target: float | None = Field(description="Chart pattern: the classical measured move; null where it is reached.")
    invalidation: float | None = Field(description="Chart pattern: the price beyond which it has failed.")
    points: list[Point] = Field(description="Chart pattern: its turning points, oldest first.")
    lines: list[Line] = Field(description="Chart pattern: the boundary that was broken, then the other one, if any.")
    evidence: list[Outcome] = Field(description="As of the close of the bar, one entry per horizon.")
    plot: str | None = Field(description="Name of the file with its chart.")


class PatternEvidence(StrictModel):
    """What came of a pattern in a direction, as of the end of the range."""

    pattern: str
    direction: Direction
    occurrences: int = Field(description="From the first stored bar to the end of the range.")
    evidence: list[Outcome] = Field(description="One entry per horizon.")


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
    evidence: list[PatternEvidence] = Field(
        description="Every pattern and direction that occurred up to the end of the range, by name."
    )
    data_hash: str = Field(description="SHA-256 over the bars read: those in range and all before.")
    artifacts: list[str] = Field(description="Names of the files of this symbol.")


class PatternScanReport(StrictModel):
    """One entry per symbol, in the order asked for."""

    results: list[SymbolHits]
    talib_version: str
