"""From probabilities to an action, its prices and its size."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from domain.decisions.sizing import fixed_fraction
from domain.intelligence.barriers import DOWN, FLAT, UP
from domain.intelligence.judging import Probabilities
from domain.market.model import FloatColumn

BUY, HOLD, SELL = 1, 0, -1


@dataclass(frozen=True, slots=True)
class ActionRule:
    """When something is to be done.

    Args:
        cost_bps: what a trade costs, there and back, in basis points of its value.
        least_edge: how much more the gain must be expected than the loss, after costs, in units of the barrier.
        allow_short: whether a sell is an action at all.
    """

    cost_bps: float = 10.0
    least_edge: float = 0.05
    allow_short: bool = True


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How much is to be done.

    Args:
        risk_fraction: share of equity that is lost at the stop.
        max_position: greatest value of the position as a share of equity.
        fractional: whether quantities may have decimal places.
    """

    risk_fraction: float = 0.01
    max_position: float = 0.2
    fractional: bool = False


def actions(
    probabilities: Probabilities, price: FloatColumn, barrier: FloatColumn, rule: ActionRule
) -> NDArray[np.int8]:
    """Return `BUY`, `HOLD` or `SELL` for each row.

    With barriers as far above as below, p(up) − p(down) is the expected gain of a buy in units of the barrier, and
    its negative that of a sell; a trade that no barrier ends is taken to gain nothing.
    """
    edge = probabilities[:, UP] - probabilities[:, DOWN]
    needed = rule.least_edge + rule.cost_bps / 1e4 * price / barrier
    sell = (edge <= -needed) & rule.allow_short
    return np.where(edge >= needed, BUY, np.where(sell, SELL, HOLD)).astype(np.int8)


def expected_r(probabilities: FloatColumn, action: int) -> float | None:
    """Return the expected gain of an action in units of the distance to its stop, costs not counted; None: hold."""
    if action == HOLD:
        return None
    return float(action * (probabilities[UP] - probabilities[DOWN]))


def hoped_for(action: int) -> int:
    """Return the place in `CLASSES` of the outcome that an action hopes for."""
    return {BUY: UP, SELL: DOWN, HOLD: FLAT}[action]


def quantity(equity: Decimal, price: float, barrier: float, rule: SizeRule) -> Decimal:
    """Return how much to trade: a share of equity ÷ the distance to the stop, bounded by the greatest position."""
    return fixed_fraction(
        equity,
        price,
        barrier,
        risk_fraction=rule.risk_fraction,
        max_position=rule.max_position,
        fractional=rule.fractional,
    )
