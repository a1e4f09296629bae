"""The strategy engine port, and what goes through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from domain.decisions.model import Action
from domain.decisions.params import StrategyParams
from domain.market.model import Bars, Timeframe
from domain.signals.model import Signal

PATTERN = "pattern"
SENTIMENT = "sentiment"
STRATEGY = "strategy"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An opinion that may still be acted on. ``kind`` is ``pattern``, ``sentiment`` or ``strategy``."""

    kind: str
    score: float
    source: str
    pattern: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class MarketNow:
    """What was known of a symbol at a moment; None where nothing was.

    Args:
        bars: the last closed bars, the newest last; none closed after the moment.
        average_range: average true range of those bars, in the price's currency (Wilder, 14 bars).
        volatility: standard deviation of their log returns, a year's; ``daily_volatility`` a session's.
    """

    price: float | None
    price_at: int | None
    timeframe: Timeframe
    bars: Bars | None = None
    average_range: float | None = None
    volatility: float | None = None
    daily_volatility: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a strategy stands in a symbol, and its account at all.

    Args:
        position: what its own fills add up to; below zero is short.
        pending: what its open orders would add.
        equity: what the account is worth; None where a held symbol has no price.
        exposure: gross value of all of the account's positions.
        hit_rate: share of its own closed trades that won; None where there are too few.
    """

    position: Decimal = Decimal(0)
    pending: Decimal = Decimal(0)
    equity: Decimal | None = None
    exposure: Decimal | None = None
    currency: str = ""
    hit_rate: float | None = None


@dataclass(frozen=True, slots=True)
class DecideRequest:
    """All that a decision is made of, as it was at ``as_of``."""

    decision_id: str
    strategy: str
    signal: Signal
    evidence: Sequence[Evidence]
    params: StrategyParams
    market: MarketNow
    standing: Standing
    as_of: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an engine says. ``quantity`` and ``stop`` None leave size and stop to the strategy's parameters."""

    action: Action
    confidence: float
    rationale: str
    quantity: Decimal | None = None
    stop: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Reward:
    """What came of decisions: ``reward`` is the realized P&L of a closed trade as a share of what was put in."""

    symbol: str
    strategy: str
    reward: float
    decision_id: str | None = None


class StrategyEngine(Protocol):
    """Says what to do about a symbol. Called from any thread; answers within its deadline or raises."""

    name: str

    def decide(self, request: DecideRequest) -> Opinion:
        """Return what to do. Asking again is harmless, and changes nothing.

        Raises:
            Unavailable: it did not answer in time, or what it answered cannot be used.
        """
        ...

    def reward(self, reward: Reward) -> None:
        """Tell what came of an earlier opinion; engines may learn from it.

        Raises:
            Unavailable: it did not answer.
        """
        ...


class MarketView(Protocol):
    """What is known of the market as of a moment, and nothing that came later."""

    def at(self, symbol: str, at_ms: int, timeframe: Timeframe) -> MarketNow:
        """Return what was known of a symbol then."""
        ...
