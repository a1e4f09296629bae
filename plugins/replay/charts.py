"""The chart of a replay: what the account was worth, and its fall below the highest so far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import PercentFormatter

from aitrader.api import ReplayResult, drawdowns
from plugins.figures import LINE, LOSS, new_figure, save


def write_chart(path: Path, title: str, currency: str, result: ReplayResult) -> None:
    """Draw equity and drawdown into a PNG of 1200 × 700 pixels."""
    figure = new_figure()
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    times = np.array([at for at, _ in result.equity], np.int64).astype("datetime64[ms]")
    equity = np.array([value for _, value in result.equity], np.float64)
    top.plot(times, equity, color=LINE, linewidth=1.4)
    top.set_title(f"Replay of {title}", loc="left")
    top.set_ylabel(f"Equity ({currency})")
    top.grid(alpha=0.25)
    bottom.fill_between(times, drawdowns(equity), color=LOSS, alpha=0.4, linewidth=0)
    bottom.yaxis.set_major_formatter(PercentFormatter(1.0))
    bottom.set_ylabel("Drawdown (%)")
    bottom.set_xlabel("Time (UTC)")
    bottom.grid(alpha=0.25)
    save(figure, path)
