"""Draws the pictures of docs/patterns.md: ``python docs/images/draw_patterns.py``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from matplotlib.axes import Axes  # noqa: E402

from adapters.marketdata.samples import install_samples  # noqa: E402
from aitrader.api import CHART_PATTERNS, Bars, Timeframe, find_chart_patterns  # noqa: E402
from aitrader.testing.bars import MemoryBarStore  # noqa: E402
from domain.signals.scanning.history import pattern_history  # noqa: E402
from domain.signals.scanning.scan import scan_patterns  # noqa: E402
from plugins.figures import GAIN, LINE, LOSS, QUIET, new_figure, save  # noqa: E402
from plugins.pattern_scan.charts import draw_candles, write_hit  # noqa: E402
from plugins.pattern_scan.payload import PATTERNS  # noqa: E402
from tests.unit.signals.chart_shapes import DRAWN, MIRROR, draw  # noqa: E402

HORIZONS = (1, 5, 10, 20)


def gallery(path: Path) -> None:
    """Draw one small chart for each chart pattern, from what the tests draw by hand."""
    drawn = {item.name: (item, False) for item in reversed(DRAWN)}
    drawn |= {MIRROR[item.name]: (item, True) for item in DRAWN if MIRROR[item.name] not in drawn}
    figure = new_figure(1200, 840)
    for axes, name in zip(figure.subplots(3, 6).ravel(), CHART_PATTERNS, strict=True):
        item, turned = drawn[name]
        small(axes, draw(item.turns, upside_down=turned), name, item.bar)
    save(figure, path)


def small(axes: Axes, bars: Bars, name: str, bar: int) -> None:
    """Draw a pattern without numbers."""
    hits = find_chart_patterns(bars)
    hit = next(place for place in range(len(hits)) if (hits.name(place), hits.bar[place]) == (name, bar))
    points = hits.points[hit, hits.known[hit] >= 0]
    first, end = max(0, int(points[0, 0]) - 16), min(len(bars), bar + 6)
    shown = bars.take(slice(first, end))
    room = 0.08 * (shown.high.max() - shown.low.min())
    axes.set_xlim(first - 1, end)
    axes.set_ylim(shown.low.min() - room, shown.high.max() + room)
    draw_candles(axes, bars, first, end, 0.45)
    for line, style in zip(hits.lines[hit], ("-", "--"), strict=True):
        axes.plot(line[[0, 2]], line[[1, 3]], style, color=LINE, linewidth=1.4)
    axes.plot(points[:, 0], points[:, 1], "o", color="white", markeredgecolor=LINE, markersize=4)
    rises = hits.strength[hit] > 0
    axes.axvline(bar, color=QUIET, linewidth=0.8, linestyle=":")
    axes.plot([bar], [bars.close[bar]], "^" if rises else "v", color=GAIN if rises else LOSS, markersize=8)
    axes.set_title(name.replace("_", " "), fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def example(path: Path) -> None:
    """Draw a hit in real prices as the job does."""
    store = MemoryBarStore()
    install_samples(store)
    bars = store.read("NASDAQ:MSFT", Timeframe.D1)
    hits = scan_patterns(bars, PATTERNS)
    history = pattern_history(bars.close, hits, len(hits), HORIZONS)
    number = hits.names.index("double_bottom")
    index = max(place for place in range(len(hits)) if hits.pattern[place] == number)
    write_hit(path, "NASDAQ:MSFT 1d", bars, hits, index, history, index)


if __name__ == "__main__":
    gallery(HERE / "chart-patterns.png")
    example(HERE / "pattern-hit.png")
