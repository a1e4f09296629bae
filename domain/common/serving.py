"""Engines that AITrader can serve to other programs, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class EngineServer(Protocol):
    """Something that ``aitrader engine serve`` can run. Registered by the hook ``aitrader_register_engines``.

    On the command line ``_`` in ``name`` is written ``-``. ``options_type`` is a pydantic model or dataclass with
    defaults: what ``--set name=value`` may set.
    """

    name: str
    title: str
    default_port: int
    options_type: type[Any]

    def serve(
        self, host: str, port: int, options: Any, ready: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        """Serve until ``stopped()`` is true; look at it at least twice a second.

        Args:
            host: the address to listen on.
            port: the port; 0 takes a free one.
            options: a validated ``options_type``.
            ready: call it once with the URL, when it can be used.
            stopped: whether to stop now.

        Raises:
            Unavailable: the address is taken.
        """
        ...
