"""Running the API of an application until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from adapters.http.server import new_event_loop, open_listener, serve
from aitrader.asgi import http_app
from aitrader.bootstrap import Application, require_schema
from aitrader.shutdown import Shutdown


def run_server(application: Application, shutdown: Shutdown, ready: Callable[[str], None]) -> None:
    """Start the application, serve its API, and stop both when ``shutdown`` says so.

    Args:
        ready: called with the URL once requests are answered.

    Raises:
        Conflict: the database is not migrated; no port was opened.
        Invalid: the port is taken; nothing was started.
        AITraderError: a part could not start.
    """
    settings = application.settings
    require_schema(application.container)
    with open_listener(settings.host, settings.port) as listener:
        application.start()
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(_serve(application, shutdown, ready, listener))
        finally:
            application.stop(settings.drain_seconds)


async def _serve(
    application: Application, shutdown: Shutdown, ready: Callable[[str], None], listener: socket.socket
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    shutdown.then(lambda: loop.call_soon_threadsafe(stop.set))
    if shutdown.is_set():
        stop.set()
    await serve(http_app(application), ready=ready, stop=stop, listener=listener)
