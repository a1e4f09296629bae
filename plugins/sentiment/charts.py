"""The picture of a symbol's sentiment: its texts, what they add up to, and how much stands behind that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from aitrader.api import Decay, SentimentAtBars, SentimentColumns, sentiment_at_times
from plugins.figures import GAIN, LINE, LOSS, date_axis, new_figure, save

_POINTS = 1000
_MOST_DRAWN = 3000
_PLAIN, _AREA = "#7f8c8d", "#8fa8cf"
_NEUTRAL = 0.1

Times = NDArray[np.datetime64]


def write_chart(
    path: Path, symbol: str, new: SentimentColumns, texts: SentimentColumns, as_of: int, decay: Decay
) -> None:
    """Draw a PNG of 1200 × 700 pixels.

    Args:
        path: file to write.
        symbol: for the title.
        new: texts of this job, any order: the dots.
        texts: all texts as of ``as_of``, ascending: what the line adds up.
        as_of: where the line ends, milliseconds UTC.
        decay: half-life and window.
    """
    figure = new_figure()
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    times = _times(new, as_of, decay)
    found = sentiment_at_times(texts, times, decay)
    shown = times.astype("datetime64[ms]")
    _draw_score(top, shown, found, new)
    _draw_weight(bottom, shown, found)
    hours = decay.half_life_ms / 3_600_000
    top.set_title(f"{symbol} · sentiment of {len(new)} texts, half-life {hours:g} h", loc="left")
    save(figure, path)


def _times(new: SentimentColumns, as_of: int, decay: Decay) -> NDArray[np.int64]:
    """Return the moments to draw the line at: the texts' own, where it jumps, and those just before, and a grid."""
    first, last = int(new.time.min()), int(new.time.max())
    end = max(last, min(as_of, last + decay.window_ms))
    margin = max((end - first) // 50, 3_600_000)
    grid = np.linspace(first - margin, end, _POINTS).astype(np.int64)
    jumps = new.time if len(new) <= _MOST_DRAWN else new.time[:: len(new) // _MOST_DRAWN + 1]
    times = np.unique(np.concatenate((grid, jumps, jumps - 1)))
    return times[times <= as_of] if as_of >= first else times


def _draw_score(axes: Axes, times: Times, found: SentimentAtBars, new: SentimentColumns) -> None:
    axes.axhspan(-_NEUTRAL, _NEUTRAL, color=_PLAIN, alpha=0.08, linewidth=0)
    axes.axhline(0.0, color="black", linewidth=0.8, alpha=0.6)
    _draw_texts(axes, new)
    line = np.where(found.count > 0, found.score, np.nan)
    axes.plot(times, line, color=LINE, linewidth=2.0, label="All texts, as known then", zorder=3)
    if found.count[-1] > 0:
        axes.plot(times[-1:], line[-1:], "o", color=LINE, markersize=7, markeredgecolor="white", zorder=4)
        axes.annotate(
            f"{line[-1]:+.2f}", (times[-1], line[-1]), (0, 10), textcoords="offset points", ha="center", color=LINE
        )
    axes.set_ylim(-1.08, 1.08)
    axes.set_yticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    axes.set_ylabel("Score (−1 bad … 1 good)")
    axes.grid(alpha=0.25)
    axes.margins(x=0.03)
    # Above the axes: inside it would cover texts with a score near 1.
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1, frameon=False, ncols=4)


def _draw_texts(axes: Axes, new: SentimentColumns) -> None:
    kinds = (
        ("Good text", GAIN, new.score >= _NEUTRAL),
        ("Neutral text", _PLAIN, np.abs(new.score) < _NEUTRAL),
        ("Bad text", LOSS, new.score <= -_NEUTRAL),
    )
    for name, color, which in kinds:
        if which.any():
            at = new.time[which].astype("datetime64[ms]")
            size = 14.0 + 46.0 * new.weight[which]
            axes.scatter(at, new.score[which], s=size, color=color, alpha=0.6, linewidths=0, label=name, zorder=2)


def _draw_weight(axes: Axes, times: Times, found: SentimentAtBars) -> None:
    axes.fill_between(times, found.weight, 0.0, color=_AREA, alpha=0.7, linewidth=0.0)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("Weight")
    axes.set_xlabel("Available (UTC)")
    axes.grid(alpha=0.25)
    date_axis(axes)
