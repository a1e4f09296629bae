"""What decisions need stored."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from domain.decisions.model import Decision, DecisionFilter, TradingStrategy
from domain.decisions.trades import StrategyFill
from domain.signals.work import SignalWork
from domain.trading.work import TradingWork


class StrategyRepository(Protocol):
    """Strategies in SQL."""

    def add(self, strategy: TradingStrategy) -> None:
        """Insert a strategy.

        Raises:
            Conflict: the user has one of this name.
        """
        ...

    def get(self, name_or_id: str, user_id: str) -> TradingStrategy:
        """Return a strategy of a user by id or name.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def list(self, user_id: str) -> Sequence[TradingStrategy]:
        """Return a user's strategies, by name."""
        ...

    def save(self, strategy: TradingStrategy) -> TradingStrategy:
        """Write a strategy back if nobody else changed it meanwhile; return it with its new version.

        Raises:
            Conflict: someone else changed it.
        """
        ...

    def trading(self) -> Sequence[TradingStrategy]:
        """Return the strategies of all users that have an account."""
        ...

    def rewarded(self, strategy_id: str, account: str) -> int:
        """Return how many closed trades of a strategy in an account its engine was told of."""
        ...

    def set_rewarded(self, strategy_id: str, account: str, before: int, after: int) -> bool:
        """Change that number; return False, and change nothing, when it is not ``before`` any more."""
        ...


class DecisionRepository(Protocol):
    """Decisions in SQL; never changed."""

    def add(self, decision: Decision) -> None:
        """Insert a decision.

        Raises:
            Conflict: the strategy has decided on this signal.
        """
        ...

    def get(self, decision_id: str, user_id: str) -> Decision:
        """Return a decision of a user.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        ...

    def page(self, wanted: DecisionFilter, *, before_id: str | None, limit: int) -> Sequence[Decision]:
        """Return decisions, the newest first, that were made before ``before_id``. Their inputs are left out."""
        ...

    def position(self, account: str, strategy: str, symbol: str) -> Decimal:
        """Return what the fills of a strategy's orders in a symbol add up to; below zero is short."""
        ...

    def fills(self, account: str, strategy: str) -> Sequence[StrategyFill]:
        """Return the fills of a strategy's orders in an account, in the order of their times."""
        ...


class DecisionWork(SignalWork, TradingWork, Protocol):
    """One transaction over signals, decisions and the orders that come of them."""

    @property
    def strategies(self) -> StrategyRepository:
        """Strategies."""
        ...

    @property
    def decisions(self) -> DecisionRepository:
        """Decisions."""
        ...
