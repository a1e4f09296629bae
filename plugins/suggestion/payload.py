"""What suggestions ask for and what they answer."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aitrader.api import MomentField, StrictModel, SymbolField, Timeframe


class SuggestionPayload(StrictModel):
    """Ask the active model of a timeframe about each symbol. The answer is an opinion with its evidence, no order."""

    symbols: list[SymbolField] = Field(
        min_length=1, max_length=20, description="EXCHANGE:SYMBOL or SYMBOL.", examples=[["NASDAQ:AAPL"]]
    )
    timeframe: Timeframe = Field(default=Timeframe.D1, description="Length of the bars that are looked at.")
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Id or name of a model; when omitted, the active one that was trained on the symbol.",
    )
    as_of: MomentField | None = Field(
        default=None,
        description="Look at no bar that closed later. The newest bar when omitted. A suggestion for the past is "
        "marked `backfilled`: it was no forecast.",
    )
    account: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Account whose equity is risked; your only paper account when omitted.",
    )
    risk_fraction: float = Field(default=0.01, gt=0, le=0.5, description="Share of equity that is lost at the stop.")
    max_position: float = Field(
        default=0.2, gt=0, le=10, description="Greatest value of the position as a share of equity."
    )
    fractional: bool = Field(default=False, description="Whether quantities may have decimal places.")
    allow_short: bool = Field(default=True, description="Whether a sell may be suggested.")
    cost_bps: float = Field(default=10.0, ge=0, le=1000, description="Cost of a trade there and back, basis points.")
    least_edge: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="How much likelier the target must be than the stop, after costs; less is a hold.",
    )

    @model_validator(mode="after")
    def _symbols_differ(self) -> Self:
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("the symbols must differ")
        return self


class ContributionOut(StrictModel):
    """How much one feature moves the probability."""

    feature: str
    value: float
    contribution: float = Field(
        description="Probability of the action's outcome, less what it is with the feature at its median of training."
    )


class ModelOut(StrictModel):
    """Which model said it."""

    id: str
    name: str


class SuggestionOut(StrictModel):
    """What a model makes of a symbol."""

    id: str
    symbol: str
    timeframe: Timeframe
    as_of: str = Field(description="RFC 3339; close of the last bar that was looked at.")
    action: Literal["buy", "sell", "hold"]
    probability: float = Field(
        description="Calibrated: that the target is touched before the stop within the horizon; for a hold, neither."
    )
    probabilities: dict[str, float] = Field(description="Calibrated probability of `down`, `flat` and `up`.")
    base_rates: dict[str, float] = Field(description="How often each came true in training.")
    horizon: int = Field(description="Bars after which the question is closed.")
    entry: float = Field(description="The close.")
    stop: float | None
    target: float | None
    quantity: str | None = Field(description="Decimal text; null where the account's equity is not known.")
    account: str | None
    currency: str
    expected_r: float | None = Field(description="Expected gain in units of the distance to the stop, before costs.")
    model: ModelOut
    beats_baselines: bool
    note: str = Field(description="What to make of it.")
    in_sample: bool
    backfilled: bool
    contributions: list[ContributionOut]
    evidence: dict[str, Any] = Field(description="Patterns with their history, and sentiment, as known then.")


class SuggestionReport(StrictModel):
    """One suggestion per symbol, in the order asked for."""

    results: list[SuggestionOut]
