"""What a backtest asks for and what it answers."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
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

from aitrader.api import AITraderError, Session, Timeframe, parse_symbol

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


Symbol = Annotated[str, BeforeValidator(_symbol)]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BacktestPayload(_Model):
    """Run one strategy with chosen parameters over each symbol on its own."""

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
        description="What to trade, EXCHANGE:SYMBOL or SYMBOL. Each gets its own account and result.",
        examples=[["NASDAQ:AAPL", "NASDAQ:MSFT"]],
    )
    timeframe: Timeframe = Field(default=Timeframe.D1, description="Length of a bar.")
    strategy: str = Field(max_length=64, description="Name of a registered strategy.", examples=["sma_cross"])
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of the strategy; defaults apply.",
        examples=[{"fast": 10, "slow": 30}],
    )
    start: Moment | None = Field(
        default=None,
        description="First bar opens at or after this; UTC midnight for a date.",
        examples=["2020-01-01"],
    )
    end: Moment | None = Field(
        default=None, description="Bars open before this; UTC midnight for a date.", examples=["2024-01-01"]
    )
    initial_cash: Decimal = Field(
        default=Decimal(100_000),
        gt=0,
        le=Decimal(10**12),
        description="Money at the start, in the currency of the bars.",
        examples=["100000"],
    )
    commission_bps: float = Field(
        default=10.0, ge=0, le=1000, description="Commission in basis points of traded notional, per side."
    )
    slippage_bps: float = Field(
        default=5.0, ge=0, le=1000, description="How much worse than the open a fill is, in basis points."
    )
    allow_short: bool = Field(default=True, description="If false, exposures below 0 become 0.")
    risk_free_rate: float = Field(
        default=0.0,
        gt=-1,
        lt=1,
        description="Yearly rate as a fraction, taken off returns in Sharpe and Sortino.",
    )
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="Recorded with the result.")

    @model_validator(mode="before")
    @classmethod
    def _one_symbol(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("symbol") is None:
            return data
        if data.get("symbols"):
            raise ValueError("give either symbol or symbols")
        return {**data, "symbol": None, "symbols": [data["symbol"]]}

    @model_validator(mode="after")
    def _consistent(self) -> BacktestPayload:
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("the symbols must differ")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class Assumptions(_Model):
    """What the numbers rest on."""

    fill_rule: Literal["next bar open"] = Field(
        default="next bar open", description="A decision at a bar's close trades at the next bar's open."
    )
    sizing: str = Field(
        default="target × equity left after the order's own costs, valued at the fill bar's open; "
        "fractional units; no trade while the target stays the same",
        description="How much is traded.",
    )
    end_of_data: str = Field(
        default="an open position is left open and marked at the last close",
        description="What happens after the last bar.",
    )
    financing: str = Field(
        default="no interest, no borrowing fee, no margin calls, no dividends",
        description="What is left out.",
    )
    initial_cash: Decimal = Field(description="Money at the start, currency.")
    commission_bps: float = Field(description="Basis points of traded notional, per side.")
    slippage_bps: float = Field(description="Basis points of the open.")
    allow_short: bool
    session: Session = Field(description="Trading hours of the dataset; decides `bars_per_year`.")
    bars_per_year: float = Field(description="N, by which metrics are annualised.")
    sample: Literal["in_sample"] = Field(
        default="in_sample",
        description="One run with chosen parameters says how they would have done, not how they will do.",
    )


class BuyAndHold(_Model):
    """The same money, costs and fill rule, always fully long."""

    total_return: float | None = Field(description="Fraction.")
    cagr: float | None = Field(description="Fraction per year.")


class OpenPosition(_Model):
    """What is held after the last bar."""

    side: Literal["long", "short"]
    quantity: float = Field(description="Units, above zero.")
    entry_time: str = Field(description="RFC 3339; open of the bar that the position was entered at.")
    entry_price: float = Field(description="Average, slippage included.")
    mark_price: float = Field(description="Close of the last bar.")
    unrealized_pnl: Decimal = Field(description="Currency, after the costs so far, those of an exit not counted.")


class SymbolReport(_Model):
    """The backtest of one symbol. Money is a decimal string."""

    symbol: str
    strategy: str
    params: dict[str, Any] = Field(description="All parameters, defaults filled in.")
    timeframe: Timeframe
    currency: str
    start: str = Field(description="RFC 3339; open of the first bar used.")
    end: str = Field(description="RFC 3339; open of the last bar used.")
    bars: int
    metrics: dict[str, float | None] = Field(description="By the definitions of docs/metrics.md; null if undefined.")
    buy_and_hold: BuyAndHold
    final_equity: Decimal
    fees: Decimal
    slippage: Decimal
    n_trades: int = Field(description="Closed trades.")
    ruined: bool = Field(description="Equity reached zero or less; trading ended there.")
    open_position: OpenPosition | None
    assumptions: Assumptions
    data_hash: str = Field(description="SHA-256 over the bars used.")
    code_version: str
    artifacts: list[str] = Field(description="Names of the files of this symbol.")


class BacktestReport(_Model):
    """One report per symbol, in the order asked for."""

    results: list[SymbolReport]
