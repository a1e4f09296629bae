"""``aitrader serve``: the API without workers."""

from __future__ import annotations

import click

from aitrader.cli.common import say


@click.command(epilog="Example: DATABASE_URL=postgresql://localhost/aitrader aitrader serve --port 8010")
@click.option("--host", help="Address to listen on (default 127.0.0.1).  [env AITRADER_HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default 8000; 0 takes a free one).  [env PORT]")
def serve(host: str | None, port: int | None) -> None:
    """Start the API only; jobs are run by `aitrader worker`."""
    from aitrader.bootstrap import Application
    from aitrader.logs import set_up_logging
    from aitrader.server import run_server
    from aitrader.settings import load_settings
    from aitrader.settling import freeze
    from aitrader.shutdown import Shutdown

    settings = load_settings(host=host, port=port)
    set_up_logging(settings, service="api")
    shutdown = Shutdown()
    shutdown.install()
    application = Application(settings, role="serve", works=False)

    def ready(url: str) -> None:
        application.announce(url)
        freeze()
        docs = f" (docs at {url}/docs)" if settings.docs else ""
        say(f"API ready at {url}{docs}; Ctrl-C stops")

    run_server(application, shutdown, ready)
    raise click.exceptions.Exit(shutdown.exit_code)
