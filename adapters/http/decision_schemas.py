"""The shapes of strategies and decisions in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from adapters.http.order_schemas import Money
from adapters.http.schemas import LocationHeaders, Model

_CURSOR = "^[A-Za-z0-9_-]{21}[AQgw]$"
_NAME = r"^[a-z][a-z0-9_.-]{0,63}$"
ActionName = Literal["buy", "sell", "hold"]
StatusName = Literal["held", "observed", "ordered", "refused"]
EngineName = Literal["evidence", "remote"]
TimeframeName = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]


class StrategyParams(Model):
    """How evidence becomes an action, and an action a size. What is left out stays as it is."""

    pattern_weight: float = Field(default=0.6, ge=0, le=1, description="what pattern signals count")
    sentiment_weight: float = Field(default=0.3, ge=0, le=1)
    strategy_weight: float = Field(default=0.1, ge=0, le=1)
    threshold: float = Field(default=0.2, ge=0, le=1, description="how strong the combined evidence must be")
    timeframe: TimeframeName = Field(default="1d", description="of the bars that volatility is measured on")
    risk_fraction: float = Field(default=0.01, ge=0.0001, le=0.5, description="share of equity lost at the stop")
    stop_atr: float = Field(default=2.0, ge=0.1, le=100, description="distance of the stop in average true ranges")
    default_stop: float = Field(
        default=0.02, ge=0.0001, le=0.5, description="distance as a share of the price, where no bars tell a range"
    )
    reward_ratio: float = Field(default=2.0, ge=0.1, le=100, description="distance of the target in stops")
    max_position: float = Field(default=0.2, ge=0.001, le=10, description="most of the equity in one position")
    allow_short: bool = Field(default=False, description="whether a sell may open a position")
    fractional: bool = Field(default=False, description="whether quantities may have decimal places")
    decision_ttl_ms: int = Field(default=60_000, ge=1, le=86_400_000)


class StrategyRequest(Model):
    """A strategy to make."""

    name: str = Field(pattern=_NAME, examples=["evidence"])
    engine: EngineName = Field(default="evidence", description="`remote` asks the engine at STRATEGY_ENGINE_URL")
    symbols: list[str] | None = Field(default=None, max_length=100, description="only these; all when left out")
    params: StrategyParams | None = None


class StrategyChangeRequest(Model):
    """What to change of a strategy."""

    enabled: bool | None = Field(default=None, examples=[False], description="whether its decisions become orders")
    account: str | None = Field(default=None, min_length=1, max_length=64, description="where they do")
    symbols: list[str] | None = Field(default=None, max_length=100)
    params: StrategyParams | None = None


class Strategy(Model):
    """A strategy."""

    id: UUID
    name: str
    engine: str
    symbols: list[str] = Field(description="empty: all")
    params: StrategyParams
    account: str | None
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


class Strategies(Model):
    """Strategies by name."""

    items: list[Strategy]


class CalibrationBin(Model):
    """Trades that were opened with a confidence from `low` to below `high`."""

    low: float
    high: float
    trades: int
    mean_confidence: float
    hit_rate: float


class Performance(Model):
    """How fills did, in the account's currency; null where it is not defined."""

    fills: int
    trades: int = Field(description="closed ones")
    hit_rate: float | None = Field(description="share of closed trades that gained")
    realized_pnl: Money = Field(description="of closed trades, after fees")
    unrealized_pnl: Money | None = Field(description="of what is open, at the last known price")
    pnl: Money | None
    fees: Money
    expectancy: Money | None = Field(description="mean P&L of a closed trade")
    profit_factor: float | None
    sharpe: float | None = Field(description="of the realized P&L of each weekday, times the root of 252")
    max_drawdown: Money = Field(description="deepest fall of the realized P&L below its peak, at least 0")
    time_in_market: float | None
    buy_and_hold: Money | None = Field(description="P&L of holding the largest position from first fill to now")
    no_signal: Money | None = Field(description="the same for the share of the time that it was in the market")
    calibration: list[CalibrationBin]


class Score(Performance):
    """How a strategy did in its account."""

    strategy: str
    engine: str
    enabled: bool
    account: str | None
    mode: Literal["paper", "live"] | None = Field(description="whether with money")
    currency: str | None
    until: datetime
    by_symbol: dict[str, Performance]


class Leaderboard(Model):
    """Scores: live before paper, in each the one that gained most first."""

    items: list[Score]


class StrategyHeaders(Model):
    """Headers of a strategy."""

    etag: str = Field(description="the strategy's version, in quotes; for If-Match")


class NewStrategyHeaders(LocationHeaders, StrategyHeaders):
    """Headers of a strategy that was made."""


class RiskMetrics(Model):
    """What a decision risks; null where it is not known."""

    stop: float | None
    target: float | None
    expected_r: float | None = Field(description="mean gain per trade in units of what is risked")
    volatility: float | None = Field(description="standard deviation of log returns, a year's")
    var_contribution: float | None = Field(description="added one-day 95 % value at risk, in the account's currency")
    exposure_after: float | None = Field(description="gross value of all positions as a share of equity")


class Decision(Model):
    """What a strategy made of a signal."""

    id: UUID
    strategy_id: UUID
    strategy: str
    engine: str
    signal: UUID = Field(description="see GET /signals/{signal_id}")
    symbol: str
    action: ActionName
    quantity: Money
    confidence: float = Field(ge=0, le=1, description="strength of the evidence; no probability")
    rationale: str
    status: StatusName = Field(description="observed: it would trade, but its strategy is off")
    reason: str | None = Field(description="why it was held or refused")
    fallback: bool = Field(description="the engine did not answer, and hold stands in")
    account: str | None
    order_id: UUID | None
    price: float | None
    risk: RiskMetrics
    as_of: datetime
    expires_at: datetime
    created_at: datetime


class DecisionDetail(Decision):
    """A decision with all that it was made of."""

    inputs: dict[str, Any]


class DecisionPage(Model):
    """Decisions, the newest first."""

    items: list[Decision]
    next_cursor: str | None


class DecisionQuery(Model):
    """Which decisions."""

    symbol: str | None = Field(default=None, min_length=1, max_length=45)
    strategy: str | None = Field(default=None, min_length=1, max_length=64)
    action: ActionName | None = None
    status: StatusName | None = None
    signal: UUID | None = None
    since: datetime | None = Field(default=None, description="from this time on")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)
