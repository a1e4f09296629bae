"""Performance metrics from marked equity and closed trades. One set of definitions for research and live.

Formulas, units and when a metric is undefined: docs/metrics.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from domain.common.errors import Invalid
from domain.market.model import FloatColumn, TimeColumn

DDOF = 1
"""Delta degrees of freedom of every standard deviation here: the sample estimate, n − 1."""

_DAY_MS = 86_400_000.0
_DAYS_PER_YEAR = 365.25
# Two neighbouring float64 near 1 are 2e-16 apart: a smaller spread of returns is rounding, not variance.
_NOISE = 1e-14


@dataclass(frozen=True, slots=True)
class Activity:
    """What was traded while the equity was marked.

    Args:
        trade_pnl: profit or loss of each closed trade after all its costs, currency, shape (k,).
        traded_notional: Σ|quantity| × price over all fills, currency.
        fees: commissions paid, currency, ≥ 0.
        slippage: what fills cost against the price before slippage, currency, ≥ 0.
        bars_in_market: bars at whose close a position was held.
    """

    trade_pnl: FloatColumn
    traded_notional: float = 0.0
    fees: float = 0.0
    slippage: float = 0.0
    bars_in_market: int = 0


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one equity curve, with what is needed to compare them. None means undefined.

    Fractions are plain (0.1 is 10 %); ``max_drawdown`` is a negative fraction or 0; ``expectancy``, ``fees``
    and ``slippage`` are in currency; ``turnover`` is per year. ``rf`` is a yearly fraction.
    """

    total_return: float | None
    cagr: float | None
    sharpe: float | None
    sortino: float | None
    volatility: float | None
    max_drawdown: float | None
    max_drawdown_days: float | None
    calmar: float | None
    n_trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    sqn: float | None
    exposure: float | None
    turnover: float | None
    fees: float
    slippage: float
    bars_per_year: float
    ddof: int
    rf: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the metrics by name, ready for JSON."""
        return asdict(self)


def measure(
    equity: FloatColumn, time: TimeColumn, activity: Activity, *, bars_per_year: float, rf: float = 0.0
) -> Metrics:
    """Return the metrics of an equity curve.

    Args:
        equity: account value marked at each bar's close, currency, shape (n,), n ≥ 1. The first is the start.
        time: time of each bar, milliseconds UTC, ascending, shape (n,).
        activity: what was traded meanwhile.
        bars_per_year: N, by which returns are annualised; see ``Session.bars_per_year``.
        rf: risk-free rate per year as a fraction; rf / N is taken off each return.

    Raises:
        Invalid: the curve is empty, not finite, does not start above zero, or is not as long as ``time``.
    """
    _check_curve(equity, time)
    returns = _returns(equity)
    grown = _cagr(equity, time)
    drawdown = float(drawdowns(equity).min())
    excess = None if returns is None else returns - rf / bars_per_year
    return Metrics(
        total_return=float(equity[-1] / equity[0]) - 1.0,
        cagr=grown,
        sharpe=_sharpe(excess, bars_per_year),
        sortino=_sortino(excess, bars_per_year),
        volatility=_volatility(returns, bars_per_year),
        max_drawdown=drawdown,
        max_drawdown_days=_longest_drawdown_days(equity, time),
        calmar=None if grown is None or drawdown == 0.0 else grown / abs(drawdown),
        n_trades=len(activity.trade_pnl),
        win_rate=_win_rate(activity.trade_pnl),
        profit_factor=_profit_factor(activity.trade_pnl),
        expectancy=_expectancy(activity.trade_pnl),
        sqn=_sqn(activity.trade_pnl),
        exposure=activity.bars_in_market / len(equity),
        turnover=_turnover(equity, activity.traded_notional, bars_per_year),
        fees=activity.fees,
        slippage=activity.slippage,
        bars_per_year=bars_per_year,
        ddof=DDOF,
        rf=rf,
    )


def drawdowns(equity: FloatColumn) -> FloatColumn:
    """Return equity ÷ its highest value so far − 1 at each bar: 0 at a peak, else negative. Shape (n,).

    Below −1 when equity is below zero.
    """
    return equity / np.maximum.accumulate(equity) - 1.0


def _check_curve(equity: FloatColumn, time: TimeColumn) -> None:
    if len(equity) == 0 or len(equity) != len(time):
        raise Invalid(f"an equity curve of {len(equity)} values does not fit {len(time)} bars", code="invalid_equity")
    if not np.isfinite(equity).all() or equity[0] <= 0.0:
        raise Invalid("an equity curve is finite and starts above zero", code="invalid_equity")


def _returns(equity: FloatColumn) -> FloatColumn | None:
    """Return equity[i] ÷ equity[i−1] − 1, shape (n−1,); None after ruin, where a ratio means nothing."""
    if equity.min() <= 0.0:
        return None
    return equity[1:] / equity[:-1] - 1.0


def _cagr(equity: FloatColumn, time: TimeColumn) -> float | None:
    elapsed_days = float(time[-1] - time[0]) / _DAY_MS
    if elapsed_days <= 0.0 or equity.min() <= 0.0:
        return None
    try:
        return math.pow(float(equity[-1] / equity[0]), _DAYS_PER_YEAR / elapsed_days) - 1.0
    except OverflowError:  # a gain within minutes, compounded over a year
        return None


def _sharpe(excess: FloatColumn | None, bars_per_year: float) -> float | None:
    deviation = _deviation(excess)
    if excess is None or deviation is None or deviation <= _NOISE:
        return None
    return float(excess.mean()) / deviation * math.sqrt(bars_per_year)


def _sortino(excess: FloatColumn | None, bars_per_year: float) -> float | None:
    if excess is None or len(excess) == 0:
        return None
    downside = math.sqrt(float(np.square(np.minimum(excess, 0.0)).mean()))
    if downside <= _NOISE:
        return None
    return float(excess.mean()) / downside * math.sqrt(bars_per_year)


def _volatility(returns: FloatColumn | None, bars_per_year: float) -> float | None:
    deviation = _deviation(returns)
    return None if deviation is None else deviation * math.sqrt(bars_per_year)


def _deviation(values: FloatColumn | None) -> float | None:
    if values is None or len(values) <= DDOF:
        return None
    return float(values.std(ddof=DDOF))


def _longest_drawdown_days(equity: FloatColumn, time: TimeColumn) -> float:
    """Return the longest time from a peak until equity is back at it, or until the last bar, in days."""
    peaks = np.flatnonzero(equity >= np.maximum.accumulate(equity))
    ends = np.append(peaks[1:], len(equity) - 1)
    under_water = (np.diff(peaks, append=len(equity))) > 1
    lengths = np.where(under_water, time[ends] - time[peaks], 0)
    return float(lengths.max()) / _DAY_MS


def _win_rate(pnl: FloatColumn) -> float | None:
    return float((pnl > 0.0).mean()) if len(pnl) else None


def _profit_factor(pnl: FloatColumn) -> float | None:
    lost = -float(pnl[pnl < 0.0].sum())
    return float(pnl[pnl > 0.0].sum()) / lost if lost > 0.0 else None


def _expectancy(pnl: FloatColumn) -> float | None:
    return float(pnl.mean()) if len(pnl) else None


def _sqn(pnl: FloatColumn) -> float | None:
    """Return Van Tharp's system quality number over currency P&L."""
    deviation = _deviation(pnl)
    if deviation is None or deviation <= _NOISE * float(np.abs(pnl).max()):
        return None
    return math.sqrt(len(pnl)) * float(pnl.mean()) / deviation


def _turnover(equity: FloatColumn, traded_notional: float, bars_per_year: float) -> float | None:
    mean, periods = float(equity.mean()), len(equity) - 1
    if mean <= 0.0 or periods == 0:
        return None
    return traded_notional / mean * bars_per_year / periods
