"""The parts of a running HTTP adapter that routes share."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.http.group_commit import GroupCommit
from adapters.http.hub import Hub
from adapters.http.identity import Guard
from adapters.http.offload import Offload
from adapters.http.rates import Rates
from adapters.http.recheck import Recheck
from adapters.http.services import HttpOptions, HttpServices


@dataclass(slots=True)
class HttpState:
    """Made by ``create_app``. ``draining`` is set when the server begins to stop.

    ``logins`` has few threads of its own: hashing passwords is slow on purpose, and must not hold up other requests.
    """

    services: HttpServices
    options: HttpOptions
    offload: Offload
    logins: Offload
    submit: GroupCommit
    hub: Hub
    rates: Rates
    guard: Guard
    recheck: Recheck
    draining: bool = False

    def revoked(self) -> None:
        """Say that a credential has ended in this process: nothing learnt before is believed any more."""
        self.services.identity.authenticate.forget()
        self.recheck.soon()

    async def start(self) -> None:
        """Start what runs beside requests."""
        await self.rates.start()
        await self.hub.start()
        await self.recheck.start()

    async def stop(self) -> None:
        """Stop what runs beside requests."""
        await self.recheck.stop()
        await self.hub.stop()
        await self.rates.stop()

    async def drain(self) -> None:
        """Say that this process is going away: not ready any more, sockets closed with 1012."""
        self.draining = True
        await self.hub.drain()

    def close(self) -> None:
        """Take no more work into threads."""
        self.offload.close()
        self.logins.close()
