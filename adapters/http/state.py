"""The parts of a running HTTP adapter that routes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.http.group_commit import GroupCommit
from adapters.http.hub import Hub
from adapters.http.offload import Offload
from adapters.http.services import HttpOptions, HttpServices


@dataclass(slots=True)
class HttpState:
    """Made by ``create_app``. ``draining`` is set when the server begins to stop."""

    services: HttpServices
    options: HttpOptions
    principal: Callable[[], str]
    offload: Offload
    submit: GroupCommit
    hub: Hub
    draining: bool = False

    async def drain(self) -> None:
        """Say that this process is going away: not ready any more, sockets closed with 1012."""
        self.draining = True
        await self.hub.drain()
