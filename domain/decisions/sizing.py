"""From an opinion to a quantity, a stop and what is risked.

Size is a share of equity divided by the distance to the stop (fixed fractional sizing; the stop is a multiple of the
average true range), bounded by the greatest position that the strategy may have.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from domain.decisions.model import Action, RiskMetrics
from domain.decisions.ports import DecideRequest, Opinion

_Z95 = 1.645  # one-sided 95 % quantile of the normal distribution
_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Sized:
    """A quantity (0: nothing to do, and ``why``) with what it risks."""

    quantity: Decimal
    risk: RiskMetrics
    why: str = ""


def size(request: DecideRequest, opinion: Opinion) -> Sized:
    """Return how much to trade.

    A buy opens or closes a short position, a sell closes a long one, and opens a short one only where the strategy
    may. A position is never turned around at once, and never added to.
    """
    held = request.standing.position + request.standing.pending
    if opinion.action is Action.HOLD:
        return _nothing(request, "the engine says hold")
    sign = 1 if opinion.action is Action.BUY else -1
    if held * sign < 0:
        return Sized(abs(held), _risk(request, None, None, None, -abs(held)))
    if held:
        return _nothing(request, f"it is {'long' if held > 0 else 'short'} already")
    if sign < 0 and not request.params.allow_short:
        return _nothing(request, "there is nothing to sell, and it may not go short")
    return _opening(request, opinion, sign)


def _opening(request: DecideRequest, opinion: Opinion, sign: int) -> Sized:
    price, equity = request.market.price, request.standing.equity
    if price is None:
        return _nothing(request, "no price is known")
    if equity is None:
        return _nothing(request, "what the account is worth is not known")
    distance = _distance(request, opinion, price, sign)
    if distance is None:
        return _nothing(request, "the engine's stop is on the wrong side of the price")
    stop = price - sign * distance
    target = price + sign * distance * request.params.reward_ratio if opinion.target is None else opinion.target
    quantity = opinion.quantity
    if quantity is None:
        params = request.params
        quantity = fixed_fraction(
            equity,
            price,
            distance,
            risk_fraction=params.risk_fraction,
            max_position=params.max_position,
            fractional=params.fractional,
        )
    risk = _risk(request, stop, target, _expected_r(request.standing.hit_rate, price, stop, target), quantity)
    if not quantity:
        return Sized(quantity, risk, "what may be risked does not buy one unit")
    return Sized(quantity, risk)


def _distance(request: DecideRequest, opinion: Opinion, price: float, sign: int) -> float | None:
    if opinion.stop is not None:
        distance = sign * (price - opinion.stop)
        return distance if distance > 0 else None
    params, spread = request.params, request.market.average_range
    distance = params.stop_atr * spread if spread else params.default_stop * price
    return min(distance, price)


def fixed_fraction(
    equity: Decimal, price: float, distance: float, *, risk_fraction: float, max_position: float, fractional: bool
) -> Decimal:
    """Return how much to trade so that the stop, ``distance`` away, loses a share of equity; 0 where none fits.

    Args:
        risk_fraction: that share.
        max_position: greatest value of the position as a share of equity.
        fractional: whether quantities may have decimal places; else whole units.
    """
    by_risk = equity * Decimal(repr(risk_fraction)) / Decimal(repr(distance))
    by_value = equity * Decimal(repr(max_position)) / Decimal(repr(price))
    step = _STEP if fractional else Decimal(1)
    return max(Decimal(0), min(by_risk, by_value).quantize(step, rounding=ROUND_DOWN))


def _nothing(request: DecideRequest, why: str) -> Sized:
    return Sized(Decimal(0), _risk(request, None, None, None, Decimal(0)), why)


def _risk(
    request: DecideRequest,
    stop: float | None,
    target: float | None,
    expected_r: float | None,
    change: Decimal,
) -> RiskMetrics:
    """Return the metrics of a trade that changes the size of a position by ``change``; below zero it closes."""
    market, standing = request.market, request.standing
    value = None if market.price is None else float(change) * market.price
    daily = market.daily_volatility
    exposure = None
    if value is not None and standing.equity and standing.exposure is not None and standing.equity > 0:
        exposure = (float(standing.exposure) + value) / float(standing.equity)
    return RiskMetrics(
        stop=stop,
        target=target,
        expected_r=expected_r,
        volatility=market.volatility,
        var_contribution=None if value is None or daily is None else _Z95 * daily * value,
        exposure_after=exposure,
    )


def _expected_r(hit_rate: float | None, price: float, stop: float, target: float) -> float | None:
    """Return hit_rate · R of a win − (1 − hit_rate) · 1, in units of the distance to the stop."""
    if hit_rate is None or price == stop:
        return None
    return hit_rate * abs(target - price) / abs(price - stop) - (1 - hit_rate)
