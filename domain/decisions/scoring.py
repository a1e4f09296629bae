"""How strategies did, and telling their engines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.common.errors import Unavailable
from domain.common.time import Clock, rfc3339
from domain.decisions.model import TradingStrategy
from domain.decisions.performance import Performance, measure_by_symbol, measure_fills, performance_view
from domain.decisions.ports import Reward, StrategyEngine
from domain.decisions.trades import StrategyFill, Trade, trades_of
from domain.decisions.work import DecisionWork
from domain.trading.ports import Quotes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """How a strategy did in its account; nothing without one. ``mode`` says whether with money."""

    strategy: TradingStrategy
    mode: str | None
    currency: str | None
    until_ms: int
    whole: Performance
    by_symbol: Mapping[str, Performance]


@dataclass(frozen=True, slots=True)
class ReadScores:
    """Look at how the strategies of a user did."""

    read_work: Callable[[], DecisionWork]
    quotes: Quotes
    clock: Clock

    def score(self, name_or_id: str, user_id: str) -> Score:
        """Return how a strategy did in the account that it trades in now.

        Raises:
            NotFound: there is no such strategy, or it is someone else's.
        """
        with self.read_work() as work:
            return self._score(work, work.strategies.get(name_or_id, user_id))

    def leaderboard(self, user_id: str) -> list[Score]:
        """Return how all strategies did: paper after live, in each the one that gained most first."""
        with self.read_work() as work:
            found = [self._score(work, strategy) for strategy in work.strategies.list(user_id)]
        return sorted(found, key=lambda score: (score.mode or "~", -(score.whole.pnl or Decimal(0))))

    def _score(self, work: DecisionWork, strategy: TradingStrategy) -> Score:
        now = self.clock.now_ms()
        if strategy.account is None:
            return Score(strategy, None, None, now, measure_fills([], {}, now), {})
        account = work.accounts.get(strategy.account, strategy.user_id)
        fills = work.decisions.fills(account.id, strategy.name)
        prices = self._prices(fills)
        return Score(
            strategy,
            account.mode.value,
            account.currency,
            now,
            measure_fills(fills, prices, now),
            measure_by_symbol(fills, prices, now),
        )

    def _prices(self, fills: Sequence[StrategyFill]) -> dict[str, Decimal]:
        quotes = {symbol: self.quotes.last(symbol) for symbol in {fill.symbol for fill in fills}}
        return {symbol: quote.price for symbol, quote in quotes.items() if quote is not None}


def score_view(score: Score) -> dict[str, Any]:
    """Return a score as JSON types."""
    return {
        "strategy": score.strategy.name,
        "engine": score.strategy.engine,
        "enabled": score.strategy.enabled,
        "account": score.strategy.account,
        "mode": score.mode,
        "currency": score.currency,
        "until": rfc3339(score.until_ms),
        **performance_view(score.whole),
        "by_symbol": {name: performance_view(found) for name, found in score.by_symbol.items()},
    }


@dataclass(frozen=True, slots=True)
class SendRewards:
    """Tell engines what came of their opinions: the result of each closed trade, once, in the order of closing.

    A trade is claimed before it is told, so that two processes never tell it twice; after a crash in between it is
    told to nobody.
    """

    unit_of_work: Callable[[], DecisionWork]
    read_work: Callable[[], DecisionWork]
    engines: Mapping[str, StrategyEngine]

    def __call__(self) -> int:
        """Tell what is new; return how many trades were told."""
        with self.read_work() as work:
            wanted = [item for item in work.strategies.trading() if item.engine in self.engines]
            news = [(item, *self._untold(work, item)) for item in wanted]
        return sum(self._tell(strategy, told, trades) for strategy, told, trades in news if trades)

    def _untold(self, work: DecisionWork, strategy: TradingStrategy) -> tuple[int, list[Trade]]:
        account = strategy.account or ""
        told = work.strategies.rewarded(strategy.id, account)
        trades, _ = trades_of(work.decisions.fills(account, strategy.name))
        return told, trades[told:]

    def _tell(self, strategy: TradingStrategy, told: int, trades: Sequence[Trade]) -> int:
        engine, sent = self.engines[strategy.engine], 0
        for trade in trades:
            if not self._claim(strategy, told + sent, told + sent + 1):
                return sent
            try:
                engine.reward(Reward(trade.symbol, strategy.name, trade.result, trade.decision_id))
            except Unavailable as error:
                self._claim(strategy, told + sent + 1, told + sent)
                log.warning("an engine took no reward", extra={"engine": strategy.engine, "reason": error.detail})
                return sent
            sent += 1
        return sent

    def _claim(self, strategy: TradingStrategy, before: int, after: int) -> bool:
        with self.unit_of_work() as work:
            claimed = work.strategies.set_rewarded(strategy.id, strategy.account or "", before, after)
            work.commit()
        return claimed
