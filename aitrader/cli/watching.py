"""Following a job to its end: a progress bar on a terminal, a line per tenth elsewhere, JSON lines for scripts."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from aitrader.cli.common import print_json_line, say
from aitrader.container import Container
from domain.jobs.events import job_summary
from domain.jobs.model import Job, JobState, NewJob

_EVERY_S = 0.1
_ALIVE_MS = 20_000


@contextlib.contextmanager
def some_worker(container: Container, role: str = "cli") -> Iterator[None]:
    """Use the worker that is running, or be one for the while."""
    from aitrader.bootstrap import Application

    with container.read_work() as work:
        alive = [row for row in work.workers.alive(_ALIVE_MS) if row["role"] in ("up", "worker")]
    if alive:
        say(f"using the running {alive[0]['role']} (pid {alive[0]['pid']})")
        yield
        return
    application = Application(container.settings(), role=role, works=True)
    application.start()
    try:
        yield
    finally:
        application.stop(drain_s=0.0)


def run_job(container: Container, user_id: str, job_type: str, payload: Mapping[str, Any]) -> Job:
    """Submit a job and watch it to its end, by the worker that is running or as one.

    Raises:
        Invalid: the payload is off schema.
        click.exceptions.Exit: it did not succeed; why was told.
    """
    job_id = container.submit_job()(NewJob(user_id=user_id, job_type=job_type, payload=payload)).job.id
    with some_worker(container):
        job = watch_job(container, job_id, as_json=False)
    if job.status is not JobState.SUCCEEDED:
        say(f"error: {job.error or job.status}")
        raise click.exceptions.Exit(1)
    return job


def changes(container: Container, job_id: str) -> Iterator[Job]:
    """Yield the job each time it has changed, last when it has ended."""
    seen = None
    while True:
        job = container.get_job()(job_id, None)
        state = (job.status, job.attempt, job.progress_seq, job.cancel_requested_at)
        if state != seen:
            seen = state
            yield job
        if job.status.is_terminal:
            return
        time.sleep(_EVERY_S)


def watch_job(container: Container, job_id: str, as_json: bool) -> Job:
    """Show a job's progress until it has ended; return it."""
    if as_json:
        return _last(container, job_id, lambda job: print_json_line(job_summary(job)))
    if sys.stderr.isatty():
        return _with_bar(container, job_id)
    return _last(container, job_id, _TenthPrinter())


def _last(container: Container, job_id: str, show: Callable[[Job], None]) -> Job:
    job = None
    for job in changes(container, job_id):
        show(job)
    assert job is not None
    return job


class _TenthPrinter:
    def __init__(self) -> None:
        self._shown: tuple[JobState | None, int] = (None, -1)

    def __call__(self, job: Job) -> None:
        step = (job.status, int(job.progress * 10))
        if step != self._shown:
            self._shown = step
            say(f"{job.job_type} {job.status} {job.progress:.0%} {job.progress_message}".rstrip())


def _with_bar(container: Container, job_id: str) -> Job:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("job", total=1.0, message="")

        def show(job: Job) -> None:
            progress.update(
                task,
                completed=job.progress,
                description=f"{job.job_type} {job.status}",
                message=job.progress_message,
            )

        return _last(container, job_id, show)
