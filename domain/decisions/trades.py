"""Closed trades of a strategy, folded from its fills: first in, first out, per symbol."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.trading.model import ZERO, Side

# With fewer closed trades a share of wins says nothing.
ENOUGH_TRADES = 20


@dataclass(frozen=True, slots=True)
class StrategyFill:
    """A fill of a strategy's order, with the decision it comes from and how sure that was."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: Decimal
    time_ms: int
    decision_id: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """A quantity that was bought and sold again, or the other way round.

    Args:
        long: whether it was bought first.
        pnl: what it gained after the fees of both sides, in the account's currency.
        decision_id: of the decision that opened it.
    """

    symbol: str
    long: bool
    quantity: Decimal
    entry: Decimal
    exit: Decimal
    opened_at: int
    closed_at: int
    pnl: Decimal
    fees: Decimal
    decision_id: str | None
    confidence: float | None

    @property
    def result(self) -> float:
        """The P&L as a share of what was put in."""
        return float(self.pnl / (self.entry * self.quantity))


@dataclass(slots=True)
class _Lot:
    fill: StrategyFill
    left: Decimal


def trades_of(fills: Iterable[StrategyFill]) -> tuple[list[Trade], list[StrategyFill]]:
    """Return the closed trades, in the order of their closing, and what is still open, as the fills that opened it.

    Args:
        fills: in the order of their times.
    """
    lots: dict[str, deque[_Lot]] = {}
    closed: list[Trade] = []
    for fill in fills:
        mine, left = lots.setdefault(fill.symbol, deque()), fill.quantity
        while left and mine and mine[0].fill.side is not fill.side:
            lot = mine[0]
            quantity = min(left, lot.left)
            closed.append(_trade(lot.fill, fill, quantity))
            left -= quantity
            lot.left -= quantity
            if not lot.left:
                mine.popleft()
        if left:
            mine.append(_Lot(fill, left))
    still = [(lot.fill, lot.left) for mine in lots.values() for lot in mine]
    return closed, [replace(fill, quantity=left, fees=_share(fill, left)) for fill, left in still]


def _trade(opening: StrategyFill, closing: StrategyFill, quantity: Decimal) -> Trade:
    long = opening.side is Side.BUY
    gross = (closing.price - opening.price) * quantity * (1 if long else -1)
    fees = _share(opening, quantity) + _share(closing, quantity)
    return Trade(
        symbol=opening.symbol,
        long=long,
        quantity=quantity,
        entry=opening.price,
        exit=closing.price,
        opened_at=opening.time_ms,
        closed_at=closing.time_ms,
        pnl=gross - fees,
        fees=fees,
        decision_id=opening.decision_id,
        confidence=opening.confidence,
    )


def _share(fill: StrategyFill, quantity: Decimal) -> Decimal:
    return fill.fees * quantity / fill.quantity if fill.fees else ZERO


def hit_rate(trades: Sequence[Trade]) -> float | None:
    """Return the share of trades that gained something; None without any."""
    return sum(trade.pnl > 0 for trade in trades) / len(trades) if trades else None


def known_hit_rate(fills: Iterable[StrategyFill]) -> float | None:
    """Return the share of closed trades that won, where there are enough of them to mean something; else None."""
    trades, _ = trades_of(fills)
    return hit_rate(trades) if len(trades) >= ENOUGH_TRADES else None
