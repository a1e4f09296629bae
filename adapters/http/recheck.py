"""Open sockets whose credential ends are closed: by expiry, by revocation here, and by revocation elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from adapters.http.client import NOT_AUTHENTICATED, Client
from adapters.http.offload import Offload
from domain.common.errors import AITraderError
from domain.identity.authentication import Authenticate

log = logging.getLogger(__name__)


class Recheck:
    """Asks the database every few seconds, once for each credential however many sockets it has.

    Args:
        clients: the open sockets.
        interval: seconds between looks.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        offload: Offload,
        clients: Callable[[], Iterable[Client]],
        interval: float,
    ) -> None:
        self._authenticate = authenticate
        self._offload = offload
        self._clients = clients
        self._interval = interval
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()

    def soon(self) -> None:
        """Look now: something was revoked in this process."""
        self._soon.set()

    async def look(self) -> None:
        """Close the sockets whose credential has ended."""
        clients = list(self._clients())
        principals = {client.principal.credential_id: client.principal for client in clients}
        if not principals:
            return
        ended = await self._offload(self._authenticate.ended, list(principals.values()))
        gone = {principal.credential_id for principal in ended}
        for client in clients:
            if client.principal.credential_id in gone:
                client.close(NOT_AUTHENTICATED, "credentials ended")

    async def _look_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), self._interval)
            self._soon.clear()
            try:
                await self.look()
            except AITraderError as error:
                log.warning("could not check the credentials of sockets", extra={"error": error.detail})
            except Exception:
                log.exception("checking the credentials of sockets failed")
