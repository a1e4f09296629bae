"""How figures of job types look and are written. It imports matplotlib: import it where a figure is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

PNG = "image/png"

LINE, QUIET, LOSS, GAIN = "#1f4e9e", "#9a9a9a", "#c0392b", "#1e8449"
"""The colours: what is shown, what it is compared with, bad and good."""


def new_figure(
    width: int = 1200, height: int = 700, *, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure of so many pixels.

    Args:
        layout: matplotlib's; None for axes that are placed by hand, which is quicker.
    """
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout=layout)
    # The canvas is named so that no display and no global state is needed.
    FigureCanvasAgg(figure)
    return figure


def date_axis(axes: Axes) -> None:
    """Have the horizontal axis tell times with as few words as they need."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same file."""
    figure.savefig(path, format="png", metadata={"Software": ""})
