"""``aitrader worker``: runs jobs."""

from __future__ import annotations

import click

from aitrader.cli.common import say


@click.command(epilog="Example: REDIS_URL=redis://localhost:6379/0 aitrader worker --threads 16")
@click.option("--threads", type=click.IntRange(1, 256), help="Jobs at once in threads.  [env AITRADER_THREADS]")
@click.option("--processes", type=click.IntRange(1, 128), help="CPU-heavy jobs at once.  [env AITRADER_PROCESSES]")
def worker(threads: int | None, processes: int | None) -> None:
    """Start a worker. Start as many as you like, on as many hosts as you like."""
    from aitrader.bootstrap import Application
    from aitrader.logs import set_up_logging
    from aitrader.settings import load_settings
    from aitrader.settling import settle
    from aitrader.shutdown import Shutdown

    settings = load_settings(threads=threads, processes=processes)
    set_up_logging(settings, service="worker")
    application = Application(settings, role="worker", works=True)
    shutdown = Shutdown()
    shutdown.install()
    application.start()
    settle()
    say(f"worker ready: {settings.threads} threads, {settings.processes} processes; Ctrl-C stops")
    shutdown.wait()
    application.stop(settings.drain_seconds)
    raise click.exceptions.Exit(shutdown.exit_code)
