"""The simulation: target exposures become fills at the next bar's open, and equity marked at each close.

Timing. A strategy decides target t[i] from bars 0…i, all closed. When t[i] differs from t[i−1] (t[−1] is 0),
one order fills at the open of bar i+1. A target that repeats trades nothing, so exposure drifts with the
price between changes. The target of the last bar is never traded. Nothing looks at a bar's high or low.

Costs. With slippage s and commission k as fractions, an order at open o is filled at p = o·(1+s) when buying
and p = o·(1−s) when selling, and pays k·|quantity|·p. Per unit of notional at the open that is

    κ = (1+s)(1+k) − 1 when buying,    κ = 1 − (1−s)(1−k) when selling.

Sizing. Quantities are fractional. The new position is worth t times the equity *that is left after the
order's own costs*, both valued at the open: with E the equity at the open before the order and x₀ the value
of the position held (negative when short), the new value x solves x = t·(E − κ·|x − x₀|), so

    x = t·(E + κ·x₀) ÷ (1 + κ·t)   when t·E > x₀ (a purchase),
    x = t·(E − κ·x₀) ÷ (1 − κ·t)   otherwise     (a sale).

From flat, t = 1 thus spends the cash exactly, never more: quantity = cash ÷ (o·(1+s)·(1+k)).

Shorting. Sale proceeds are added to cash; borrowing costs nothing and there are no margin calls.

Ruin. When equity is not above zero at a close, the position is closed at the next open and trading ends; when
it is not above zero at an open where an order is due (or would not be after its costs), it is closed there.
Debt stays in the curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aitrader.api import Bars, FloatColumn, Invalid
from plugins.backtest.trades import Fills, IntColumn, OpenTrade, Trades, round_trips

_Fill = tuple[int, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs, in basis points (1/100 of a percent) of the price or notional."""

    commission_bps: float = 0.0
    slippage_bps: float = 0.0

    @property
    def commission(self) -> float:
        """The commission as a fraction of traded notional."""
        return self.commission_bps / 10_000.0

    @property
    def slippage(self) -> float:
        """The slippage as a fraction of the open."""
        return self.slippage_bps / 10_000.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happened. Columns of shape (n,) hold the state at each bar's close.

    ``equity`` = ``cash`` + ``position`` × close, currency; ``position`` in signed units. ``ruined``: equity
    reached zero or less, and trading ended there.
    """

    equity: FloatColumn
    cash: FloatColumn
    position: FloatColumn
    fills: Fills
    trades: Trades
    open_trade: OpenTrade | None
    ruined: bool

    @property
    def fees(self) -> float:
        """All commissions, currency; those of the open trade too."""
        return float(self.fills.fee.sum())

    @property
    def slippage(self) -> float:
        """What all fills cost against the open, currency; those of the open trade too."""
        return float(self.fills.slippage.sum())

    @property
    def traded_notional(self) -> float:
        """Σ|quantity| × price over all fills, currency."""
        return float((np.abs(self.fills.quantity) * self.fills.price).sum())

    @property
    def bars_in_market(self) -> int:
        """Bars at whose close a position was held."""
        return int(np.count_nonzero(self.position))


def simulate(bars: Bars, targets: FloatColumn, *, cash: float, costs: Costs) -> Simulation:
    """Trade ``targets`` over ``bars``; the module's docstring has the rules.

    The state at bar i depends on bars 0…i and targets 0…i−1 only, and the same input gives the same bytes.

    Args:
        bars: n bars with prices above zero.
        targets: exposure wanted after each close, −1 (all short) … 1 (all long), shape (n,).
        cash: money at the start, currency.
        costs: commission and slippage.

    Raises:
        Invalid: the targets have the wrong shape or leave −1…1, a price or the cash is not above zero,
                or the prices are so far apart that equity leaves the range of float64.
    """
    _check(bars, targets, cash)
    rows, ruined = _run(bars.open, targets, cash, costs)
    fills, held_cash = _columns(rows)
    end_cash, position = _states(len(bars), fills.bar, held_cash, fills.position, cash)
    equity = end_cash + position * bars.close
    ruin = _first_ruin(equity)
    if ruin is not None:
        rows, ruined = _liquidated(rows, ruin, bars.open, cash, costs), True
        fills, held_cash = _columns(rows)
        end_cash, position = _states(len(bars), fills.bar, held_cash, fills.position, cash)
        equity = end_cash + position * bars.close
    if not np.isfinite(equity).all():
        raise Invalid("the prices are too far apart to account for in float64", code="invalid_bars")
    trades, open_trade = round_trips(fills)
    return Simulation(equity, end_cash, position, fills, trades, open_trade, ruined)


def _check(bars: Bars, targets: FloatColumn, cash: float) -> None:
    if targets.shape != (len(bars),):
        raise Invalid(f"{len(bars)} bars need as many targets, not {targets.shape}", code="invalid_targets")
    if not np.all(np.abs(targets) <= 1.0):  # false for NaN as well
        raise Invalid("a target is not a number between -1 and 1", code="invalid_targets")
    if len(bars) and not min(bars.open.min(), bars.close.min()) > 0.0:
        raise Invalid("prices must be above zero to trade on", code="invalid_bars")
    if not cash > 0.0:
        raise Invalid("the initial cash must be above zero", code="invalid_cash")


def _run(opens: FloatColumn, targets: FloatColumn, cash: float, costs: Costs) -> tuple[list[_Fill], bool]:
    """Return the fills, and whether equity ran out at an open. A step per order, not per bar."""
    changes = np.flatnonzero(np.diff(targets[:-1], prepend=0.0))
    orders = zip((changes + 1).tolist(), opens[changes + 1].tolist(), targets[changes].tolist(), strict=True)
    rows: list[_Fill] = []
    position = 0.0
    for bar, price, target in orders:
        wanted = _wanted(target, cash + position * price, position * price, costs)
        ruined = wanted is None
        after = (wanted or 0.0) / price
        if after != position:
            rows.append(_fill(bar, price, after, position, cash, costs))
            cash, position = rows[-1][-1], after
        if ruined:
            return rows, True
    return rows, False


def _wanted(target: float, equity: float, held: float, costs: Costs) -> float | None:
    """Return the value of the position to hold after the order's costs; None when no equity would be left."""
    buying = target * equity > held
    rate = _cost_rate(buying, costs)
    signed = rate if buying else -rate
    left = (equity + signed * held) / (1.0 + signed * target)
    return target * left if equity > 0.0 and left > 0.0 else None


def _cost_rate(buying: bool, costs: Costs) -> float:
    if buying:
        return (1.0 + costs.slippage) * (1.0 + costs.commission) - 1.0
    return 1.0 - (1.0 - costs.slippage) * (1.0 - costs.commission)


def _fill(bar: int, open_price: float, after: float, before: float, cash: float, costs: Costs) -> _Fill:
    """Return bar, quantity, price, fee, slippage, position after and cash after."""
    quantity = after - before
    price = open_price * (1.0 + costs.slippage if quantity > 0.0 else 1.0 - costs.slippage)
    fee = costs.commission * abs(quantity) * price
    slippage = abs(quantity) * open_price * costs.slippage
    return bar, quantity, price, fee, slippage, after, cash - quantity * price - fee


def _columns(rows: list[_Fill]) -> tuple[Fills, FloatColumn]:
    """Return the fills as columns, and the cash after each."""
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 7).T.copy()
    return Fills(table[0].astype(np.int64), *table[1:6]), table[6]


def _states(
    count: int, bars: IntColumn, cash: FloatColumn, position: FloatColumn, start: float
) -> tuple[FloatColumn, FloatColumn]:
    """Return cash and position at each bar's close: those after the last fill at or before the bar."""
    lengths = np.diff(np.concatenate(([0], bars, [count])))
    return np.repeat(np.concatenate(([start], cash)), lengths), np.repeat(np.concatenate(([0.0], position)), lengths)


def _first_ruin(equity: FloatColumn) -> int | None:
    broke = np.flatnonzero(equity <= 0.0)
    return int(broke[0]) if len(broke) else None


def _liquidated(rows: list[_Fill], ruin: int, opens: FloatColumn, cash: float, costs: Costs) -> list[_Fill]:
    """Return the fills up to bar ``ruin``, and one that closes the position at the next open if any."""
    kept = [row for row in rows if row[0] <= ruin]
    position, left = (kept[-1][5], kept[-1][6]) if kept else (0.0, cash)
    if position != 0.0 and ruin + 1 < len(opens):
        kept.append(_fill(ruin + 1, float(opens[ruin + 1]), 0.0, position, left, costs))
    return kept
