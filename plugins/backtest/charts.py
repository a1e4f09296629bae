"""The chart of a backtest: equity with its trades, and the drawdown below it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from aitrader.api import Bars, FloatColumn, drawdowns
from plugins.backtest.engine import Simulation
from plugins.backtest.trades import IntColumn
from plugins.figures import GAIN, LINE, LOSS, QUIET, date_axis, new_figure, save

_MAX_POINTS = 4000
_MAX_MARKED_TRADES = 300


def write_chart(
    path: Path, title: str, currency: str, bars: Bars, simulation: Simulation, buy_and_hold: FloatColumn
) -> None:
    """Draw equity, buy and hold, trade markers and drawdown into a PNG of 1200 × 700 pixels."""
    figure = new_figure()
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    times = bars.time.astype("datetime64[ms]")
    _draw_equity(top, times, simulation, buy_and_hold)
    _draw_drawdown(bottom, times, simulation.equity)
    top.set_title(title, loc="left")
    top.set_ylabel(f"Equity ({currency})")
    bottom.set_ylabel("Drawdown (%)")
    bottom.set_xlabel("Date (UTC)")
    save(figure, path)


def _draw_equity(
    axes: Axes, times: NDArray[np.datetime64], simulation: Simulation, buy_and_hold: FloatColumn
) -> None:
    shown = visible_points(buy_and_hold)
    axes.plot(times[shown], buy_and_hold[shown], color=QUIET, linewidth=1.0, label="Buy and hold")
    shown = visible_points(simulation.equity)
    axes.plot(times[shown], simulation.equity[shown], color=LINE, linewidth=1.4, label="Strategy")
    _mark_trades(axes, times, simulation)
    axes.yaxis.set_major_formatter(FuncFormatter(_amount))
    axes.grid(alpha=0.25)
    axes.margins(y=0.12)  # room for the legend
    axes.legend(loc="upper left", framealpha=0.85, edgecolor="none", ncols=5)


def _amount(value: float, _position: int | None) -> str:
    if 100 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:,.5g}"


def _mark_trades(axes: Axes, times: NDArray[np.datetime64], simulation: Simulation) -> None:
    trades = simulation.trades
    if len(trades) > _MAX_MARKED_TRADES:
        axes.plot([], [], " ", label=f"{len(trades):,} trades, too many to mark")
        return
    # The exit of a reversal would hide the entry that it is, too.
    exits = np.setdiff1d(trades.exit_bar, simulation.fills.bar[simulation.fills.position != 0.0])
    marks: list[tuple[IntColumn, str, str, str]] = [
        (_entries(simulation, 1), "^", GAIN, "Long entry"),
        (_entries(simulation, -1), "v", LOSS, "Short entry"),
        (exits, "x", "black", "Exit to flat"),
    ]
    for bars, marker, color, label in marks:
        if len(bars):
            axes.plot(times[bars], simulation.equity[bars], marker, color=color, markersize=6, label=label)


def _entries(simulation: Simulation, side: int) -> IntColumn:
    """Return the bars at which trades of a side were entered, the open one's too."""
    trades, still_open = simulation.trades, simulation.open_trade
    bars: IntColumn = trades.entry_bar[trades.side == side]
    if still_open is not None and still_open.position * side > 0.0:
        bars = np.append(bars, still_open.entry_bar)
    return bars


def _draw_drawdown(axes: Axes, times: NDArray[np.datetime64], equity: FloatColumn) -> None:
    fractions = drawdowns(equity)
    shown = visible_points(fractions)
    axes.fill_between(times[shown], 100.0 * fractions[shown], 0.0, color=LOSS, alpha=0.35, linewidth=0.5)
    axes.yaxis.set_major_formatter(PercentFormatter())
    axes.grid(alpha=0.25)
    date_axis(axes)


def visible_points(values: FloatColumn) -> NDArray[np.int64]:
    """Return which points to draw, ascending: all of a short line, extremes of stretches of a long one."""
    if len(values) <= _MAX_POINTS:
        return np.arange(len(values))
    size = -(-len(values) // (_MAX_POINTS // 2))
    starts = np.arange(0, len(values) - size + 1, size)
    stretches = values[: len(starts) * size].reshape(len(starts), size)
    extremes = (starts + stretches.argmin(axis=1), starts + stretches.argmax(axis=1))
    return np.unique(np.concatenate((*extremes, [0, len(values) - 1])))
