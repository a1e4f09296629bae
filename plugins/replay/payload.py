"""What a replay asks for and what it answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator

from aitrader.api import BarsRequest, Invalid, StrictModel, parse_params


class ReplayPayload(BarsRequest):
    """Run patterns, signals, decisions, risk gate and a paper account over the past, as they run live."""

    strategy: str = Field(
        "evidence", pattern=r"^[a-z][a-z0-9_.-]{0,63}$", description="A name for the strategy.", examples=["evidence"]
    )
    engine: Literal["evidence", "remote"] = Field(
        "evidence", description="What decides; `remote` asks the engine at STRATEGY_ENGINE_URL."
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of the strategy; defaults apply.",
        examples=[{"threshold": 0.1, "allow_short": True}],
    )
    cash: Decimal = Field(
        Decimal(100_000), gt=0, le=Decimal(10**12), description="Money at the start.", examples=["100000"]
    )
    account_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the paper account, such as slippage, fees and seed.",
        examples=[{"slippage_bps": 2}],
    )
    ticks_per_bar: int = Field(4, ge=4, le=240, description="How many ticks a bar becomes.")

    @field_validator("params")
    @classmethod
    def _known(cls, params: dict[str, Any]) -> dict[str, Any]:
        try:
            parse_params(params)
        except Invalid as error:
            raise ValueError("; ".join(f"{item.field} {item.message}" for item in error.errors)) from None
        return params


class ReplayReport(StrictModel):
    """What came of it. Money is a decimal string; null is not defined."""

    strategy: str
    engine: str
    params: dict[str, Any] = Field(description="All parameters, defaults filled in.")
    mode: Literal["paper"] = Field(default="paper", description="No order of a replay reaches a broker.")
    sample: Literal["in_sample"] = Field(
        default="in_sample",
        description="One run with chosen parameters says how they would have done, not how they will do.",
    )
    ticks_from: str = Field(
        default="open, nearer extreme, other extreme and close of each bar; the way between them is invented",
        description="What the ticks were made of.",
    )
    start: str = Field(description="RFC 3339; the first tick.")
    end: str = Field(description="RFC 3339; the last tick.")
    ticks: int
    signals: int
    decisions: int
    orders: int
    fills: int
    currency: str
    final_equity: float | None
    performance: dict[str, Any] = Field(description="Whole, and of each symbol under `by_symbol`.")
    artifacts: list[str] = Field(description="`run.json` has every signal, decision, order and fill.")
