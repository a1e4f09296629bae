"""Running a server of a plugin until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from pydantic import TypeAdapter, ValidationError

from adapters.http.server import open_listener
from aitrader.shutdown import Shutdown
from domain.common.errors import FieldError, Invalid
from domain.engines.ports import AsgiApp, EngineServer, EngineTools

_GRACE_S = 1.0
_MOST_ERRORS = 20


def run_engine(
    engine: EngineServer,
    host: str,
    port: int,
    options: Mapping[str, Any],
    shutdown: Shutdown,
    ready: Callable[[str], None],
    tools: EngineTools,
) -> None:
    """Serve an engine until ``shutdown`` says so.

    Args:
        port: 0 takes a free one.
        ready: called with the address for clients once connections are taken.
        tools: what the engine may use of this installation.

    Raises:
        Invalid: the options do not fit, or the port is taken; nothing was started.
    """
    app = engine.app(parse_engine_options(engine, options), tools)
    with open_listener(host, port) as listener:
        address, taken = listener.getsockname()[:2]
        ready(f"http://{f'[{address}]' if ':' in address else address}:{taken}{engine.path}")
        asyncio.run(_serve(app, listener, shutdown))


async def _serve(app: AsgiApp, listener: socket.socket, shutdown: Shutdown) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    shutdown.then(lambda: loop.call_soon_threadsafe(stop.set))
    if shutdown.is_set():
        stop.set()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = _GRACE_S
    config.errorlog = None
    await serve(app, config, shutdown_trigger=stop.wait, mode="asgi")


def parse_engine_options(engine: EngineServer, options: Mapping[str, Any]) -> Any:
    """Return an engine's options, validated.

    Raises:
        Invalid: they do not fit; the message says which.
    """
    try:
        return TypeAdapter(engine.options_type).validate_python(dict(options))
    except ValidationError as error:
        found = [
            FieldError(".".join(str(step) for step in item["loc"]), item["msg"])
            for item in error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
        ]
        first = f"{found[0].field}: {found[0].message}"
        detail = f"the options do not fit the engine {engine.name}: {first}; see: aitrader engine list"
        raise Invalid(detail, code="invalid_options", errors=found) from None
