"""The picture of a model's walk-forward test: what its actions would have brought, and whether it is calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from aitrader.api import BUY, CLASSES, SELL, ActionRule, Manifest, actions, reliability
from plugins.figures import GAIN, LINE, LOSS, QUIET, date_axis, new_figure, save
from plugins.model_train.judge import Walk, trade_returns
from plugins.model_train.samples import Samples

_MOMENTUM = "#c77c11"
_CLASS_COLORS = {"down": LOSS, "flat": "#7f8c8d", "up": GAIN}
_SHOWN_FEATURES = 12
_LEAST_DRAWN = 20


def write_report(path: Path, found: Walk, manifest: Manifest, cost_bps: float) -> None:
    """Draw the out-of-sample test into a PNG of 1200 × 800 pixels."""
    figure = new_figure(height=800)
    parts = figure.subplot_mosaic([["returns", "returns"], ["calibration", "importance"]], height_ratios=[1.1, 1])
    later = found.fold > 0
    samples, said = found.tested.take(later), found.calibrated[later]
    _draw_returns(parts["returns"], samples, said, cost_bps)
    _draw_reliability(parts["calibration"], samples, said)
    _draw_importance(parts["importance"], manifest)
    beats = "beat" if manifest.beats_baselines else "did not beat"
    symbols = ", ".join(manifest.universe[:4]) + (" …" if len(manifest.universe) > 4 else "")
    title = f"{manifest.name} · {symbols} {manifest.timeframe} · out of sample it {beats} its baselines"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    save(figure, path)


def _draw_returns(axes: Axes, samples: Samples, said: NDArray[np.float64], cost_bps: float) -> None:
    """Draw the sum of returns of all actions: each with the same stake, overlapping as they come."""
    times = samples.known.astype("datetime64[ms]")
    chosen = actions(said, samples.price, samples.barrier, ActionRule(cost_bps=cost_bps))
    follow = np.where(samples.momentum >= 0, BUY, SELL).astype(np.int8)
    for name, which, color in (("Model", chosen, LINE), ("Momentum", follow, _MOMENTUM)):
        returns = trade_returns(samples, which, cost_bps)
        acted = int(np.isfinite(returns).sum())
        whole = 100 * np.cumsum(np.nan_to_num(returns))
        axes.plot(times, whole, color=color, linewidth=1.3, label=f"{name} ({acted:,} actions)")
    axes.axhline(0.0, color=QUIET, linewidth=1.0, label="Always hold")
    axes.set_title("Sum of the returns of all actions, out of sample, after costs", loc="left", fontsize=10)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(alpha=0.25)
    axes.legend(loc="best", framealpha=0.85, edgecolor="none")
    date_axis(axes)


def _draw_reliability(axes: Axes, samples: Samples, said: NDArray[np.float64]) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle="--")
    for place, name in enumerate(CLASSES):
        rows = [row for row in reliability(said[:, place], samples.outcome == place) if row["n"] >= _LEAST_DRAWN]
        told, true = [row["told"] for row in rows], [row["came_true"] for row in rows]
        sizes = [8 + 120 * row["n"] / max(1, len(samples)) for row in rows]
        axes.plot(told, true, color=_CLASS_COLORS[name], linewidth=1.0)
        axes.scatter(told, true, s=sizes, color=_CLASS_COLORS[name], label=name, zorder=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("Probability that was told")
    axes.set_ylabel("How often it came true")
    axes.set_title("Calibration, out of sample", loc="left", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", framealpha=0.85, edgecolor="none")


def _draw_importance(axes: Axes, manifest: Manifest) -> None:
    rows = list(manifest.metrics["importance"].items())[:_SHOWN_FEATURES][::-1]
    axes.barh([name for name, _ in rows], [100 * value for _, value in rows], color=LINE, alpha=0.8)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_title("What the model looks at: share of the gain of all splits", loc="left", fontsize=10)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(alpha=0.25, axis="x")
