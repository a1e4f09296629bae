"""The port of servers that ``aitrader engine serve`` runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

# An ASGI 3 application, https://asgi.readthedocs.io/en/latest/specs/main.html.
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class EngineServer(Protocol):
    """A server that ``aitrader engine serve NAME`` runs. Registered by the hook ``aitrader_register_engines``.

    ``options_type`` is a pydantic model or dataclass with defaults. ``path`` is what follows host and port in the
    address that clients are given, such as ``/mcp``.
    """

    name: str
    title: str
    default_port: int
    path: str
    options_type: type[Any]

    def app(self, options: Any) -> AsgiApp:
        """Return the application. ``options`` is a validated ``options_type``. Opens no port.

        Raises:
            Invalid: the options lack something.
        """
        ...
