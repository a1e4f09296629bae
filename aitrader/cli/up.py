"""``aitrader up``: everything in one process."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aitrader.bootstrap import Application
    from aitrader.settings import Settings


@click.command(epilog="Example: aitrader up --port 8010")
@click.option("--host", help="Address to listen on (default 127.0.0.1).  [env AITRADER_HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default 8000; 0 takes a free one).  [env PORT]")
def up(host: str | None, port: int | None) -> None:
    """Start everything: API, workers, and, when nothing is configured, an embedded database and queue."""
    from aitrader.bootstrap import Application
    from aitrader.cli.status import status_line
    from aitrader.logs import set_up_logging
    from aitrader.server import run_server
    from aitrader.settings import load_settings
    from aitrader.settling import settle
    from aitrader.shutdown import Shutdown

    settings = load_settings(host=host, port=port)
    shutdown = Shutdown()
    shutdown.install()
    application = Application(settings, role="up", works=True)
    with contextlib.ExitStack() as stack:
        quiet = sys.stderr.isatty() and not settings.debug
        set_up_logging(settings, service="up", level="WARNING" if quiet else None)
        refuse_second(application)

        def ready(url: str) -> None:
            application.announce(url)
            settle()
            for line in banner(settings, url):
                click.echo(line)
            click.echo(login_line(application, url))
            if sys.stderr.isatty():
                stack.enter_context(status_line(application))

        run_server(application, shutdown, ready)
    click.echo("stopped", err=True)
    raise click.exceptions.Exit(shutdown.exit_code)


def banner(settings: Settings, url: str) -> Iterator[str]:
    """Yield what a newcomer needs to know."""
    from aitrader._version import __version__

    storage = "embedded SQLite" if settings.embedded_database else "database from DATABASE_URL"
    queue = "queue in this process" if settings.redis_url is None else "queue in Redis"
    yield f"AITrader {__version__} is up"
    yield f"  API     {url}"
    if settings.docs:
        yield f"  Docs    {url}/docs"
    yield f"  Data    {settings.data_dir} ({storage}, {queue})"
    if settings.feed != "off":
        yield f"  Feed    {settings.feed} (watch: aitrader decisions list)"
    yield "  Next    aitrader demo      (in another terminal: real backtests on the shipped prices)"
    yield "  Stop    Ctrl-C"


def login_line(application: Application, url: str) -> str:
    """Return how to log in: a link good once for the owner, or a hint where others could read the output."""
    from aitrader.user_ids import owner_of

    container = application.container
    owner = owner_of(container.find_user(), container.ensure_owner())
    if not application.settings.loopback:
        return f"  Login   {url}/auth/login"
    secret = container.login_by_link().make(owner)
    return f"  Login   {url}/auth/login?link={secret}  (good once, for 15 minutes)"


def refuse_second(application: Application) -> None:
    """Refuse to start beside another ``aitrader up`` on the same embedded database.

    Raises:
        Conflict: one is running; the message says which process and where.
    """
    from aitrader.bootstrap import require_schema
    from domain.common.errors import Conflict

    if not application.settings.embedded_database:
        return
    require_schema(application.container)
    with application.container.read_work() as work:
        rows = work.workers.alive(20_000)
    for row in rows:
        if row["role"] == "up" and row["host"] == socket.gethostname() and _runs(row["pid"]):
            raise Conflict(
                f"aitrader up is already running (pid {row['pid']}) at {row['url'] or 'an address not yet known'}; "
                "stop it first, or set AITRADER_DATA_DIR to keep two apart",
                code="already_running",
            )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
