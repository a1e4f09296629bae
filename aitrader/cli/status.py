"""The live status line of ``aitrader up``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.text import Text

from aitrader.bootstrap import Application
from aitrader.loops import Loop
from domain.jobs.model import JobState


@contextlib.contextmanager
def status_line(application: Application) -> Iterator[None]:
    """Show the state of jobs on the last line of the terminal, once a second."""
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        shown = ""

        def show() -> None:
            nonlocal shown
            text = describe(application)
            if text != shown:
                shown = text
                live.update(Text(text, no_wrap=True), refresh=True)

        loop = Loop("status", 1.0, show)
        loop.start()
        try:
            yield
        finally:
            loop.stop()


def describe(application: Application) -> str:
    """Return the status in one line."""
    with application.container.read_work() as work:
        counts = work.jobs.counts()
    jobs = "  ".join(f"{state} {counts[state]}" for state in JobState if counts[state]) or "none yet"
    late = application.late_loops()
    health = f"late: {', '.join(late)}" if late else "ok"
    return f"● {application.url}   jobs: {jobs}   health: {health}"
