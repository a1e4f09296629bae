"""Running the API of an application until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from adapters.http.server import new_event_loop, open_listener, serve, tls_context
from aitrader.access import require_safe_bind
from aitrader.asgi import http_app
from aitrader.bootstrap import Application, require_schema
from aitrader.settings import Settings
from aitrader.shutdown import Shutdown


def run_server(application: Application, shutdown: Shutdown, ready: Callable[[str], None]) -> None:
    """Start the application, serve its API, and stop both when ``shutdown`` says so.

    Args:
        ready: called with the URL once requests are answered.

    Raises:
        Conflict: the database is not migrated, or the API would be open to others unprotected; no port was opened.
        Invalid: the port is taken, or the TLS files cannot be used; nothing was started.
        AITraderError: a part could not start.
    """
    settings = application.settings
    require_schema(application.container)
    require_safe_bind(application.container)
    files = _tls(application.settings)
    if files is not None:
        tls_context(*files)  # told of before a port opens
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
    tls = _tls(application.settings)
    await serve(http_app(application), ready=ready, stop=stop, listener=listener, tls=tls)


def _tls(settings: Settings) -> tuple[Path, Path] | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return settings.tls_cert, settings.tls_key
