"""How a strategy did, from its own fills: what it gained, how evenly, how sure it was, what doing less would have.

Everything is in the account's currency. What is not defined is None: a Sharpe ratio of two days, a hit rate of none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.common.time import from_ms
from domain.decisions.trades import StrategyFill, Trade, hit_rate, trades_of
from domain.trading.model import ZERO

_DAYS_A_YEAR = 252
_LEAST_DAYS = 5
_BINS = 5


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Trades that were opened with a confidence from ``low`` to below ``high``, and the share that won."""

    low: float
    high: float
    trades: int
    mean_confidence: float
    hit_rate: float


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of a strategy's fills.

    Args:
        trades: closed ones; a position that is closed in parts is several.
        realized_pnl: of closed trades, after fees. ``unrealized_pnl``: of what is open, at the last price, after
            the fees paid so far; None where a price is not known.
        expectancy: mean P&L of a closed trade.
        profit_factor: what winners gained ÷ what losers lost.
        sharpe: mean ÷ deviation of the realized P&L of each weekday from first fill to the end, times √252 (Sharpe
            1994, no interest); needs five days.
        max_drawdown: the deepest fall of the realized P&L below its highest point so far, as an amount ≥ 0.
        time_in_market: share of the time from the first fill to the end with a position; of each symbol's, the mean.
        buy_and_hold: P&L of buying the largest quantity that the strategy ever held, of each symbol, at its first
            fill's price, and keeping it to the end; without fees. None where a last price is not known.
        no_signal: the same for the share of the time that the strategy was in the market: what being there as often,
            but without signals, earns on average.
    """

    fills: int
    trades: int
    hit_rate: float | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    fees: Decimal
    expectancy: Decimal | None
    profit_factor: float | None
    sharpe: float | None
    max_drawdown: Decimal
    time_in_market: float | None
    buy_and_hold: Decimal | None
    no_signal: Decimal | None
    calibration: tuple[CalibrationBin, ...]

    @property
    def pnl(self) -> Decimal | None:
        """Realized and unrealized P&L."""
        return None if self.unrealized_pnl is None else self.realized_pnl + self.unrealized_pnl


def measure_fills(fills: Sequence[StrategyFill], prices: Mapping[str, Decimal], end_ms: int) -> Performance:
    """Return how fills did.

    Args:
        fills: of one strategy in one account, in the order of their times.
        prices: the last known price of each symbol.
        end_ms: until when; not before the last fill.
    """
    trades, still = trades_of(fills)
    by_symbol = _by_symbol(fills)
    held = [_held(name, mine, prices.get(name), end_ms) for name, mine in by_symbol.items()]
    paid = sum((fill.fees for fill in fills), ZERO)
    won = sum((trade.pnl for trade in trades if trade.pnl > 0), ZERO)
    lost = -sum((trade.pnl for trade in trades if trade.pnl < 0), ZERO)
    realized = won - lost
    known = all(item.buy_and_hold is not None for item in held)
    return Performance(
        fills=len(fills),
        trades=len(trades),
        hit_rate=hit_rate(trades),
        realized_pnl=realized,
        unrealized_pnl=_unrealized(still, prices),
        fees=paid,
        expectancy=realized / len(trades) if trades else None,
        profit_factor=float(won / lost) if lost else None,
        sharpe=_sharpe(trades, fills, end_ms),
        max_drawdown=_drawdown(trades),
        time_in_market=statistics.fmean(item.share for item in held) if held else None,
        buy_and_hold=sum((item.buy_and_hold or ZERO for item in held), ZERO) if known and held else None,
        no_signal=sum((item.no_signal or ZERO for item in held), ZERO) if known and held else None,
        calibration=_calibration(trades),
    )


def measure_by_symbol(
    fills: Sequence[StrategyFill], prices: Mapping[str, Decimal], end_ms: int
) -> dict[str, Performance]:
    """Return how the fills of each symbol did."""
    return {name: measure_fills(mine, prices, end_ms) for name, mine in sorted(_by_symbol(fills).items())}


def performance_view(found: Performance) -> dict[str, Any]:
    """Return a performance as JSON types; amounts as decimal text."""
    values = {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "calibration"}
    shown = {name: _shown(value) for name, value in {**values, "pnl": found.pnl}.items()}
    return {**shown, "calibration": [asdict(item) for item in found.calibration]}


def _shown(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    # Shares of fees go on without end; a millionth of a unit is below what any currency has.
    return format(value.quantize(Decimal("0.000001")).normalize() + ZERO, "f")


def _by_symbol(fills: Sequence[StrategyFill]) -> dict[str, list[StrategyFill]]:
    found: dict[str, list[StrategyFill]] = {}
    for fill in fills:
        found.setdefault(fill.symbol, []).append(fill)
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    share: float
    buy_and_hold: Decimal | None
    no_signal: Decimal | None


def _held(symbol: str, fills: Sequence[StrategyFill], last: Decimal | None, end_ms: int) -> _Held:
    """Return how long a symbol was held, and what holding it all the time would have come to."""
    position, most, since, inside = ZERO, ZERO, 0, 0
    for fill in fills:
        before = position
        position += fill.quantity * fill.side.sign
        most = max(most, abs(position))
        if before and not position:
            inside += fill.time_ms - since
        elif not before:
            since = fill.time_ms
    if position:
        inside += end_ms - since
    whole = end_ms - fills[0].time_ms
    share = inside / whole if whole > 0 else 1.0
    if last is None:
        return _Held(share, None, None)
    kept = most * (last - fills[0].price)
    return _Held(share, kept, kept * Decimal(repr(share)))


def _unrealized(still: Sequence[StrategyFill], prices: Mapping[str, Decimal]) -> Decimal | None:
    total = ZERO
    for fill in still:
        price = prices.get(fill.symbol)
        if price is None:
            return None
        total += (price - fill.price) * fill.quantity * fill.side.sign - fill.fees
    return total


def _sharpe(trades: Sequence[Trade], fills: Sequence[StrategyFill], end_ms: int) -> float | None:
    if not trades:
        return None
    first, last = from_ms(fills[0].time_ms).date(), from_ms(end_ms).date()
    days = {first + timedelta(days=number): 0.0 for number in range((last - first).days + 1)}
    for trade in trades:
        days[from_ms(trade.closed_at).date()] += float(trade.pnl)
    counted = [gained for day, gained in days.items() if gained or day.weekday() < 5]
    if len(counted) < _LEAST_DAYS:
        return None
    spread = statistics.stdev(counted)
    return statistics.fmean(counted) / spread * math.sqrt(_DAYS_A_YEAR) if spread > 0 else None


def _drawdown(trades: Sequence[Trade]) -> Decimal:
    total = peak = deepest = ZERO
    for trade in trades:
        total += trade.pnl
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
    return deepest


def _calibration(trades: Sequence[Trade]) -> tuple[CalibrationBin, ...]:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for trade in trades:
        if trade.confidence is not None:
            place = min(_BINS - 1, int(trade.confidence * _BINS))
            bins.setdefault(place, []).append((trade.confidence, trade.pnl > 0))
    return tuple(
        CalibrationBin(
            low=place / _BINS,
            high=(place + 1) / _BINS,
            trades=len(found),
            mean_confidence=statistics.fmean(sure for sure, _ in found),
            hit_rate=sum(won for _, won in found) / len(found),
        )
        for place, found in sorted(bins.items())
    )
