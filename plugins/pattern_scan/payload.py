"""What a pattern scan asks for and what it answers."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from aitrader.api import AITraderError, Timeframe, parse_symbol
from plugins.pattern_scan.patterns import TALIB_FUNCTIONS

MAX_SYMBOLS = 20

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _symbol(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_symbol(value)
    except AITraderError as error:
        raise ValueError(error.detail) from None


def _moment(value: object) -> object:
    """Read a date as midnight UTC; refuse numbers, which pydantic would take for Unix times."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str) and _DATE.fullmatch(value):
        return f"{value}T00:00:00Z"
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME.match(value)):
        return value
    raise ValueError("expected an RFC 3339 date or time, such as 2024-01-31 or 2024-01-31T09:30:00Z")


def _pattern(value: object) -> object:
    if isinstance(value, str) and value not in TALIB_FUNCTIONS:
        raise ValueError(f"there is no pattern {value[:64]!r}; known: {', '.join(TALIB_FUNCTIONS)}")
    return value


Symbol = Annotated[str, BeforeValidator(_symbol)]
Pattern = Annotated[str, BeforeValidator(_pattern), WithJsonSchema({"type": "string", "enum": list(TALIB_FUNCTIONS)})]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
Direction = Literal["bullish", "bearish", "neutral"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PatternScanPayload(_Model):
    """Find candlestick patterns in the bars of each symbol."""

    symbol: Symbol | None = Field(
        default=None,
        description="Short for `symbols` with one entry; give one of the two.",
        examples=["NSE:INFY"],
    )
    symbols: list[Symbol] = Field(
        default_factory=list,
        min_length=1,
        max_length=MAX_SYMBOLS,
        validate_default=True,
        description="What to scan, EXCHANGE:SYMBOL or SYMBOL.",
        examples=[["NASDAQ:AAPL", "NASDAQ:MSFT"]],
    )
    timeframe: Timeframe = Field(default=Timeframe.D1, description="Length of a bar.")
    patterns: list[Pattern] = Field(
        default_factory=lambda: list(TALIB_FUNCTIONS),
        min_length=1,
        description="Which patterns; all when omitted.",
        examples=[["engulfing", "morning_star"]],
    )
    start: Moment | None = Field(
        default=None,
        description="Hits open at or after this; earlier bars still count as the past of a pattern.",
        examples=["2020-01-01"],
    )
    end: Moment | None = Field(default=None, description="Bars open before this.", examples=["2024-01-01"])
    limit: int = Field(
        default=500, ge=1, le=5000, description="Most hits listed per symbol, newest first; all are counted."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_symbol(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("symbol") is None:
            return data
        if data.get("symbols"):
            raise ValueError("give either symbol or symbols")
        return {**data, "symbol": None, "symbols": [data["symbol"]]}

    @model_validator(mode="after")
    def _consistent(self) -> PatternScanPayload:
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("the symbols must differ")
        if len(set(self.patterns)) < len(self.patterns):
            raise ValueError("the patterns must differ")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class Hit(_Model):
    """A pattern that was complete at the close of a bar."""

    time: str = Field(description="RFC 3339; open of the bar that completes the pattern.")
    closed_at: str = Field(description="RFC 3339; open plus timeframe: from then on the pattern is known.")
    pattern: str
    direction: Direction = Field(description="What the pattern is read as; neutral where TA-Lib's sign says nothing.")
    strength: int = Field(description="TA-Lib's value: ±80 or ±100, ±200 for a confirmed hikkake.")
    close: float = Field(description="Close of the bar.")


class SymbolHits(_Model):
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


class PatternScanReport(_Model):
    """One entry per symbol, in the order asked for."""

    results: list[SymbolHits]
    talib_version: str
