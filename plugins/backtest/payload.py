"""What a backtest asks for and what it answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from aitrader.api import BarsRequest, Session, StrictModel, Timeframe


class BacktestPayload(BarsRequest):
    """Run one strategy with chosen parameters over each symbol on its own."""

    strategy: str = Field(max_length=64, description="Name of a registered strategy.", examples=["sma_cross"])
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of the strategy; defaults apply.",
        examples=[{"fast": 10, "slow": 30}],
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


class Assumptions(StrictModel):
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


class BuyAndHold(StrictModel):
    """The same money, costs and fill rule, always fully long."""

    total_return: float | None = Field(description="Fraction.")
    cagr: float | None = Field(description="Fraction per year.")


class OpenPosition(StrictModel):
    """What is held after the last bar."""

    side: Literal["long", "short"]
    quantity: float = Field(description="Units, above zero.")
    entry_time: str = Field(description="RFC 3339; open of the bar that the position was entered at.")
    entry_price: float = Field(description="Average, slippage included.")
    mark_price: float = Field(description="Close of the last bar.")
    unrealized_pnl: Decimal = Field(description="Currency, after the costs so far, those of an exit not counted.")


class SentimentUsed(StrictModel):
    """What a strategy that looks at sentiment had to read. At a bar, texts available at its close or before count."""

    texts: int = Field(description="Scored texts about the symbol, from the window before the first close on.")
    bars: int = Field(description="Bars at whose close at least one text counted.")
    half_life_hours: float
    window_hours: float
    data_hash: str = Field(description="SHA-256 over the times, scores and weights of the texts.")


class SymbolReport(StrictModel):
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
    sentiment: SentimentUsed | None = Field(description="Null where the strategy does not look at it.")
    data_hash: str = Field(description="SHA-256 over the bars used.")
    code_version: str
    artifacts: list[str] = Field(description="Names of the files of this symbol.")


class BacktestReport(StrictModel):
    """One report per symbol, in the order asked for."""

    results: list[SymbolReport]
