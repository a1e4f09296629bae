"""One WebSocket client: what it watches, and its bounded way out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.http.live import Latest, LiveSubscription
from domain.identity.model import Principal

MAX_FRAMES = 256
MAX_BYTES = 1_048_576

NOT_AUTHENTICATED = 4401
TOO_SLOW = 4408
RESUME_IMPOSSIBLE = 4409
TOO_MANY = 4429
RESTARTING = 1012
BAD_FRAMES = 1008
NOT_TEXT = 1003
DEFECT = 1011

Filter = Mapping[str, frozenset[str]]


@dataclass(slots=True)
class Subscription:
    """A topic that a client watches. ``position`` is the highest seq handed to it or filtered out."""

    position: int
    filter: Filter

    def wants(self, data: Mapping[str, Any]) -> bool:
        """Return whether the client asked for events like this."""
        return all(data.get(name) in values for name, values in self.filter.items())


class Client:
    """What a socket watches, and its outgoing half. Belongs to the event loop.

    ``topics`` are those that it may watch. ``commands`` are done one after another by the socket's own task;
    ``resyncs`` holds what lost its place.
    """

    def __init__(
        self,
        principal: Principal,
        topics: frozenset[str],
        send: Callable[[str], Awaitable[None]],
        send_timeout: float,
    ) -> None:
        self.principal = principal
        self.topics = topics
        self.subscriptions: dict[str, Subscription] = {}
        self.live: dict[str, LiveSubscription] = {}
        self.resyncs: dict[str, Subscription] = {}
        self.commands: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._send = send
        self._timeout = send_timeout
        self._frames: deque[str] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    @property
    def user_id(self) -> str:
        """Whose socket it is."""
        return self.principal.user_id

    def offer(self, frame: str) -> None:
        """Queue a frame; a client over its bound is closed, never sent less than it asked for."""
        if self._closed.done():
            return
        if len(self._frames) >= MAX_FRAMES or self._size + len(frame) > MAX_BYTES:
            self.close(TOO_SLOW, "too slow")
            return
        self._frames.append(frame)
        self._size += len(frame)
        self._filled.set()

    async def offer_patiently(self, frame: str) -> None:
        """Queue a frame of a replay, at the client's own pace: the queue is left half free for what is new."""
        while len(self._frames) > MAX_FRAMES // 2 or self._size > MAX_BYTES // 2:
            if self._closed.done():
                return
            self._drained.clear()
            await self._drained.wait()
        self.offer(frame)

    def offer_latest(self, topic: str, latest: Latest) -> None:
        """Keep the newest word on a key for when there is room; what it replaces is never sent."""
        subscription = self.live.get(topic)
        if subscription is not None and topic in self.topics and subscription.take(latest):
            self._filled.set()

    def open_live(self, topic: str) -> None:
        """Let the newest words of a topic leave, behind what is queued."""
        if topic in self.live:
            self.live[topic].open = True
            self._filled.set()

    def close(self, code: int, reason: str) -> None:
        """Close the socket soon; the first code stays."""
        if not self._closed.done():
            self._closed.set_result((code, reason))
            self._drained.set()

    async def closed(self) -> tuple[int, str]:
        """Wait for the end and return code and reason."""
        return await asyncio.shield(self._closed)

    async def write(self) -> None:
        """Send what is queued, for ever. A frame that does not leave in time closes the socket."""
        while True:
            while (frame := self._next_frame()) is not None:
                try:
                    async with asyncio.timeout(self._timeout):
                        await self._send(frame)
                except TimeoutError:
                    self.close(TOO_SLOW, "too slow")
                    return
                self._drained.set()
            self._filled.clear()
            await self._filled.wait()

    def _next_frame(self) -> str | None:
        """Return what is queued, and only then the newest words: they can wait, and lose nothing by it."""
        if self._frames:
            frame = self._frames.popleft()
            self._size -= len(frame)
            return frame
        frames = (subscription.next_frame() for subscription in self.live.values())
        return next((frame for frame in frames if frame is not None), None)
