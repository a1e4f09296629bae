"""The chart of a hit: its bars, what was drawn by then, what came after, and what came after others before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from aitrader.api import LEAST_OCCURRENCES, Bars, FloatColumn, PatternHistory, PatternHits, from_ms
from plugins.figures import GAIN, LINE, LOSS, QUIET, new_figure, save

# Bars before the hit and after it, and the fewest places for what comes after.
_BEFORE, _AFTER, _ROOM = 45, 30, 14
_MOST_BARS = 300
_PANELS = 4
_BINS = 30
_COLORS = {-1: LOSS, 0: LINE, 1: GAIN}
_LEFT, _WIDTH = 0.025, 0.905


def write_hit(
    path: Path, title: str, bars: Bars, hits: PatternHits, index: int, history: PatternHistory, row: int
) -> None:
    """Draw a hit into a PNG of 1200 × 800 pixels.

    Args:
        title: what the bars are of.
        bars: up to the end of the range.
        hits: in them.
        index: which hit.
        history: evidence of the hit is its row ``row``.
    """
    figure = new_figure(1200, 800, layout=None)
    axes = figure.add_axes((_LEFT, 0.4, _WIDTH, 0.55))
    sign, bar = int(hits.signs()[index]), int(hits.bar[index])
    name = hits.names[hits.pattern[index]].replace("_", " ")
    text = f"{title} · {name}, {hits.direction(index)} · {_moment(bars, bar)}, close {_price(float(bars.close[bar]))}"
    axes.set_title(text, loc="left")
    _draw_hit(axes, bars, hits, index, sign)
    _draw_time(axes, bars, bar)
    shown = min(len(history.horizons), _PANELS)
    for place in range(shown):
        step = _WIDTH / shown
        panel = figure.add_axes((_LEFT + step * place, 0.1, step - 0.02, 0.18))
        _draw_past(panel, bars.close, history, row, place, sign)
    explained = (
        "returns after earlier occurrences (coloured) and after all bars (grey), as known at this close; lines: means"
    )
    figure.text(_LEFT, 0.325, f"{name.capitalize()}, {hits.direction(index)}: {explained}")
    save(figure, path)


def _draw_hit(axes: Axes, bars: Bars, hits: PatternHits, index: int, sign: int) -> None:
    bar, chart = int(hits.bar[index]), int(hits.chart[index])
    points = hits.shapes.points[chart] if chart >= 0 else np.empty((0, 2))
    points = points[~np.isnan(points[:, 0])]
    began = int(points[:, 0].min()) if len(points) else bar
    first = max(0, bar - _MOST_BARS, min(began - 8, bar - _BEFORE))
    end = min(len(bars), bar + 1 + _AFTER)
    low, high = float(bars.low[first:end].min()), float(bars.high[first:end].max())
    room = 0.06 * (high - low)
    axes.set_xlim(first - 1, max(end, bar + 1 + _ROOM))
    axes.set_ylim(low - room, high + room)
    draw_candles(axes, bars, first, bar + 1, 1.0)
    draw_candles(axes, bars, bar + 1, end, 0.4)
    if chart >= 0:
        _draw_shape(axes, hits, chart, points, bar)
    at, marker = (bars.high[bar] + room / 2, "v") if sign < 0 else (bars.low[bar] - room / 2, "^")
    axes.plot([bar], [at], "D" if sign == 0 else marker, color=_COLORS[sign], markersize=8, zorder=5)


def draw_candles(axes: Axes, bars: Bars, first: int, end: int, alpha: float) -> None:
    """Draw the bars from ``first`` to before ``end``; the limits of the axes stay."""
    part, places = bars.take(slice(first, end)), np.arange(first, end)
    colors = np.where(part.close >= part.open, GAIN, LOSS).tolist()
    wicks = np.stack((places, part.low, places, part.high), axis=1).reshape(-1, 2, 2)
    left, right = places - 0.33, places + 0.33
    bodies = np.stack((left, part.open, right, part.open, right, part.close, left, part.close), axis=1)
    axes.add_collection(LineCollection(list(wicks), colors=colors, linewidths=0.9, alpha=alpha), autolim=False)
    boxes = PolyCollection(list(bodies.reshape(-1, 4, 2)), facecolors=colors, edgecolors=colors, linewidths=0.7)
    boxes.set_alpha(alpha)
    axes.add_collection(boxes, autolim=False)


def _draw_shape(axes: Axes, hits: PatternHits, chart: int, points: FloatColumn, bar: int) -> None:
    shapes = hits.shapes
    for line, style in zip(shapes.lines[chart], ("-", "--"), strict=True):
        axes.plot(line[[0, 2]], line[[1, 3]], style, color=LINE, linewidth=1.6, zorder=4)
    axes.plot(points[:, 0], points[:, 1], ":", color=LINE, linewidth=1.0, zorder=3)
    axes.plot(points[:, 0], points[:, 1], "o", color="white", markeredgecolor=LINE, markersize=6, zorder=5)
    _draw_level(axes, bar, "target", float(shapes.target[chart]), GAIN)
    _draw_level(axes, bar, "invalid", float(shapes.invalidation[chart]), LOSS)


def _draw_level(axes: Axes, bar: int, name: str, price: float, color: str) -> None:
    """Draw a price from the hit on; one that is far away is only named, at the edge."""
    if np.isnan(price):
        return
    (low, high), right = axes.get_ylim(), axes.get_xlim()[1]
    reach, text = high - low, f"{name} {_price(price)}"
    if price > high + reach / 2:
        axes.text(right - 0.5, high - 0.02 * reach, f"{text} ↑", color=color, ha="right", va="top")
    elif price < low - reach / 2:
        axes.text(right - 0.5, low + 0.02 * reach, f"{text} ↓", color=color, ha="right", va="bottom")
    else:
        axes.set_ylim(min(low, price - 0.04 * reach), max(high, price + 0.06 * reach))
        axes.plot([bar + 0.5, right], [price, price], color=color, linewidth=1.2, linestyle=(0, (5, 2)))
        axes.text(right - 0.5, price + 0.006 * reach, text, color=color, ha="right", va="bottom", zorder=6)


def _draw_time(axes: Axes, bars: Bars, bar: int) -> None:
    """Set apart what nobody knew when the bar closed, and name the days."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.07 * (high - low))  # for the words
    right = axes.get_xlim()[1]
    axes.axvspan(bar + 0.5, right, color=QUIET, alpha=0.13, linewidth=0)
    axes.axvline(bar + 0.5, color="black", linewidth=0.9, linestyle=(0, (2, 2)))
    words = "after" if bar + 1 < len(bars) else "after: not known yet"
    top = blended_transform_factory(axes.transData, axes.transAxes)
    axes.text(bar + 1.2, 0.975, words, transform=top, va="top", color="#555555", style="italic")
    axes.text(bar - 0.2, 0.975, "known", transform=top, va="top", ha="right", color="#555555", style="italic")
    axes.set_xlim(axes.get_xlim()[0], right)
    axes.yaxis.tick_right()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: _price(value)))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, prune="both"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _position: _moment(bars, round(place))))
    axes.grid(alpha=0.2)


def _draw_past(axes: Axes, close: FloatColumn, history: PatternHistory, row: int, place: int, sign: int) -> None:
    """Draw how returns after past occurrences spread, beside those of all bars."""
    horizon, n = history.horizons[place], int(history.evidence.n[row, place])
    axes.set_title(f"{horizon} bar{'s' if horizon > 1 else ''} later, n {n}", loc="left", fontsize=10)
    axes.set_yticks([])
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    if n < LEAST_OCCURRENCES:
        words = f"fewer than {LEAST_OCCURRENCES}: nothing to say"
        axes.text(0.0, 0.5, words, transform=axes.transAxes, color="#555555")
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        return
    base = _returns(close, np.arange(int(history.bar[row]) - horizon + 1), horizon)
    found = _returns(close, history.occurrences[history.which[row]].bar[:n], horizon)
    low, high = np.quantile(base, (0.005, 0.995)).tolist()
    for returns, bins, color, fill in ((base, _BINS, QUIET, True), (found, _BINS // 2, _COLORS[sign], False)):
        counts, edges = np.histogram(np.clip(returns, low, high), bins, (low, high), density=True)
        axes.stairs(counts, edges, color=color, fill=fill, alpha=0.35 if fill else 1.0, linewidth=1.6)
    axes.axvline(float(base.mean()), color="#666666", linewidth=1.2)
    axes.axvline(float(found.mean()), color=_COLORS[sign], linewidth=1.6, linestyle=(0, (4, 2)))
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel(_verdict(history, row, place), fontsize=9)


def _returns(close: FloatColumn, bar: NDArray[np.int64], horizon: int) -> FloatColumn:
    returns: FloatColumn = close[bar + horizon] / close[bar] - 1.0
    return returns


def _verdict(history: PatternHistory, row: int, place: int) -> str:
    found = history.evidence
    excess, low, high = (100.0 * column[row, place] for column in (found.excess, found.low, found.high))
    if np.isnan(low):
        return f"excess {excess:+.2f} %"
    return (
        f"excess {excess:+.2f} % ({low:+.2f} … {high:+.2f})\np {found.p[row, place]:.2g}, q {found.q[row, place]:.2g}"
    )


def _price(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.5g}"


def _moment(bars: Bars, bar: int) -> str:
    """Return when a bar opened; nothing for one that is not there."""
    if not 0 <= bar < len(bars):
        return ""
    return from_ms(int(bars.time[bar])).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
