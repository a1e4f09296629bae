"""Strategies that trade on signals, and what they decided. Times are milliseconds UTC.

Quantities are Decimal, because they become orders; everything that is only looked at is float64.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.common.events import Event
from domain.common.time import rfc3339
from domain.decisions.params import StrategyParams

TOPIC = "decisions"


class Action(StrEnum):
    """What an engine says of a symbol."""

    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


class DecisionStatus(StrEnum):
    """What became of a decision.

    ``held``: there was nothing to do. ``observed``: it would trade, but its strategy is not enabled for an account.
    ``ordered``: an order was placed, which may still wait for approval. ``refused``: the risk gate was against it.
    """

    HELD = "held"
    OBSERVED = "observed"
    ORDERED = "ordered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class TradingStrategy:
    """A user's way from signals to decisions.

    Args:
        name: unique among the user's; orders carry it.
        engine: which strategy engine is asked, such as ``evidence`` or ``remote``.
        symbols: which signals it looks at; empty means all.
        account: where its decisions become orders; None: nowhere.
        enabled: whether decisions become orders at all. Off until somebody says so.
    """

    id: str
    user_id: str
    name: str
    engine: str
    created_at: int
    updated_at: int
    symbols: tuple[str, ...] = ()
    params: StrategyParams = field(default_factory=StrategyParams)
    account: str | None = None
    enabled: bool = False
    version: int = 1

    def looks_at(self, symbol: str) -> bool:
        """Return whether signals of a symbol are its business."""
        return not self.symbols or symbol in self.symbols


@dataclass(frozen=True, slots=True)
class RiskMetrics:
    """What a decision risks; None where it is not known.

    Args:
        stop, target: prices at which the trade was wrong, and at which it has paid.
        expected_r: mean gain per trade in units of what is risked, at the strategy's own hit rate so far.
        volatility: standard deviation of log returns, a year's.
        var_contribution: how much the decision adds to the one-day 95 % value at risk, in the account's currency;
            normal returns, 1.645 · daily volatility · value, one position by itself.
        exposure_after: gross value of all positions after it, as a share of equity.
    """

    stop: float | None = None
    target: float | None = None
    expected_r: float | None = None
    volatility: float | None = None
    var_contribution: float | None = None
    exposure_after: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one strategy made of one signal.

    Args:
        signal: the id of the signal.
        quantity: how much to trade; zero when held.
        confidence: 0 … 1, the strength of the evidence. It is no probability.
        fallback: the engine did not answer, and hold stands in for what it would have said.
        inputs: all that it was made of, so that it can be made again.
        as_of: the time whose knowledge it uses; ``expires_at``: not to be acted on after that.
    """

    id: str
    user_id: str
    strategy_id: str
    strategy: str
    engine: str
    signal: str
    symbol: str
    action: Action
    quantity: Decimal
    confidence: float
    rationale: str
    status: DecisionStatus
    as_of: int
    expires_at: int
    created_at: int
    price: float | None = None
    risk: RiskMetrics = field(default_factory=RiskMetrics)
    account: str | None = None
    order_id: str | None = None
    reason: str | None = None
    fallback: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions to list. None means any."""

    user_id: str
    strategy: str | None = None
    symbol: str | None = None
    action: Action | None = None
    status: DecisionStatus | None = None
    signal: str | None = None
    since_ms: int | None = None


def decision_view(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON types, without its inputs."""
    return {
        "id": decision.id,
        "strategy_id": decision.strategy_id,
        "strategy": decision.strategy,
        "engine": decision.engine,
        "signal": decision.signal,
        "symbol": decision.symbol,
        "action": decision.action.value,
        "quantity": format(decision.quantity, "f"),
        "confidence": decision.confidence,
        "rationale": decision.rationale,
        "status": decision.status.value,
        "reason": decision.reason,
        "fallback": decision.fallback,
        "account": decision.account,
        "order_id": decision.order_id,
        "price": decision.price,
        "risk": asdict(decision.risk),
        "as_of": rfc3339(decision.as_of),
        "expires_at": rfc3339(decision.expires_at),
        "created_at": rfc3339(decision.created_at),
    }


def strategy_view(strategy: TradingStrategy) -> dict[str, Any]:
    """Return a strategy as JSON types."""
    return {
        "id": strategy.id,
        "name": strategy.name,
        "engine": strategy.engine,
        "symbols": list(strategy.symbols),
        "params": strategy.params.to_json(),
        "account": strategy.account,
        "enabled": strategy.enabled,
        "version": strategy.version,
        "created_at": rfc3339(strategy.created_at),
        "updated_at": rfc3339(strategy.updated_at),
    }


def decision_event(decision: Decision) -> Event:
    """Return the event of a decision, for its owner."""
    return Event(TOPIC, decision.user_id, decision_view(decision))
