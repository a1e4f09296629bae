"""Running the API of an application until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

from adapters.http.server import serve_until
from aitrader.asgi import http_app
from aitrader.bootstrap import Application
from aitrader.shutdown import Shutdown


def run_server(application: Application, shutdown: Shutdown, ready: Callable[[str], None], *, drain_s: float) -> None:
    """Start the application, serve its API, and stop both when ``shutdown`` says so.

    Args:
        ready: called with the URL once requests are answered.
        drain_s: how long running jobs may go on after the API has closed, seconds.

    Raises:
        Unavailable: the port is taken.
        AITraderError: a part could not start.
    """
    application.start()
    try:
        serve_until(
            http_app(application),
            host=application.settings.host,
            port=application.settings.port,
            ready=ready,
            stop=shutdown.then,
        )
    finally:
        application.stop(drain_s)
