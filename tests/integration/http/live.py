"""A real server on a free port, and a WebSocket client that speaks our frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from quart import Quart
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.http.server import serve

TIMEOUT = 15.0


class Socket:
    """A connected client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
            return frame

    async def expect(self, event: str) -> dict[str, Any]:
        frame = await self.receive()
        assert frame["event"] == event, frame
        return frame

    async def events(self, count: int, event: str = "job_updates") -> list[dict[str, Any]]:
        return [await self.expect(event) for _ in range(count)]

    async def subscribe(self, topic: str = "job_updates", **more: Any) -> dict[str, Any]:
        """Subscribe without resume; return the snapshot."""
        await self.send(action="subscribe", topics=[topic], **more)
        subscribed = await self.expect("subscribed")
        snapshot = await self.expect("snapshot")
        assert subscribed["seq"] == snapshot["seq"]
        assert subscribed["topic"] == snapshot["topic"] == topic
        return snapshot

    async def close_code(self) -> int | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await self.connection.recv()
        except ConnectionClosed:
            return self.connection.close_code


class Server:
    """A running server. ``stop`` and ``done`` end it."""

    def __init__(self, app: Quart) -> None:
        self.app = app
        self.stop = asyncio.Event()
        self.url = ""
        self.task: asyncio.Task[None]

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @asynccontextmanager
    async def socket(self, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
        """Connect with a token, the world's by default; with an empty one, without."""
        token = self.app.config["TEST_TOKEN"] if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("additional_headers", {})
        async with connect(self.ws, additional_headers=headers, **options) as connection:
            yield Socket(connection)


@asynccontextmanager
async def running(app: Quart, **options: Any) -> AsyncIterator[Server]:
    server = Server(app)
    ready = asyncio.Event()

    def is_ready(url: str) -> None:
        server.url = url
        ready.set()

    server.task = asyncio.create_task(serve(app, port=0, ready=is_ready, stop=server.stop, **options))
    waiter = asyncio.create_task(ready.wait())
    await asyncio.wait({server.task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    if not ready.is_set():
        waiter.cancel()
        await server.task
    try:
        yield server
    finally:
        server.stop.set()
        async with asyncio.timeout(TIMEOUT):
            await server.task


def live(app: Quart, scenario: Callable[[Server], Awaitable[None]], **options: Any) -> None:
    """Run a scenario against a server."""

    async def main() -> None:
        async with running(app, **options) as server:
            await scenario(server)

    asyncio.run(main())


async def eventually(predicate: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(TIMEOUT):
        while not predicate():
            await asyncio.sleep(0.01)
