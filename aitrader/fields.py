"""Payload fields that many job types share, as pydantic types. Part of ``aitrader.api``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from domain.common.errors import AITraderError, FieldError, Invalid
from domain.common.time import rfc3339, to_ms
from domain.market.model import Dataset, Timeframe, parse_symbol

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


SymbolField = Annotated[str, BeforeValidator(_symbol)]
"""``EXCHANGE:SYMBOL`` or ``SYMBOL``, in upper case."""

MomentField = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
"""A date (midnight UTC) or a time with its zone, RFC 3339."""


class StrictModel(BaseModel):
    """A payload or result that takes no unknown field, no NaN and no change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BarsRequest(StrictModel):
    """The part of a payload that says which bars: symbols, timeframe and range."""

    symbol: SymbolField | None = Field(
        default=None,
        description="Short for `symbols` with one entry; give one of the two.",
        examples=["NSE:INFY"],
    )
    symbols: list[SymbolField] = Field(
        default_factory=list,
        min_length=1,
        max_length=MAX_SYMBOLS,
        validate_default=True,
        description="EXCHANGE:SYMBOL or SYMBOL; each gets its own result.",
        examples=[["NASDAQ:AAPL", "NASDAQ:MSFT"]],
    )
    timeframe: Timeframe = Field(default=Timeframe.D1, description="Length of a bar.")
    start: MomentField | None = Field(
        default=None,
        description="First bar opens at or after this; UTC midnight for a date.",
        examples=["2020-01-01"],
    )
    end: MomentField | None = Field(
        default=None, description="Bars open before this; UTC midnight for a date.", examples=["2024-01-01"]
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
    def _consistent(self) -> Self:
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("the symbols must differ")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("start must be before end")
        return self

    @property
    def start_ms(self) -> int | None:
        """The start in milliseconds UTC."""
        return to_ms(self.start) if self.start else None

    @property
    def end_ms(self) -> int | None:
        """The end in milliseconds UTC."""
        return to_ms(self.end) if self.end else None

    def no_bars(self, symbol: str, dataset: Dataset) -> Invalid:
        """Return the error for a range that holds no bar; it says what is stored."""
        return Invalid(
            f"no {self.timeframe} bar of {symbol} opens between start and end; stored are {dataset.rows} bars "
            f"from {rfc3339(dataset.first_ms)} to {rfc3339(dataset.last_ms)}",
            code="no_bars",
            errors=[
                FieldError("payload.start", "no bar in this range"),
                FieldError("payload.end", "no bar in this range"),
            ],
        )

    def file_stems(self) -> dict[str, str]:
        """Return a part of a file name for each symbol, no two the same."""
        return file_stems(self.symbols)


def file_stems(symbols: Sequence[str]) -> dict[str, str]:
    """Return a part of a file name for each symbol, no two the same."""
    stems: dict[str, str] = {}
    for symbol in symbols:
        plain = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in symbol)
        stem, number = plain, 1
        while stem in stems.values():
            number += 1
            stem = f"{plain}_{number}"
        stems[symbol] = stem
    return stems
