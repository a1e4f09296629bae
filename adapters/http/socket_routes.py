"""``/ws``: one reader, one writer and one worker per socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from functools import partial

from quart import Blueprint, websocket

from adapters.http import frames
from adapters.http.access import Access
from adapters.http.client import BAD_FRAMES, DEFECT, NOT_TEXT, TOO_MANY, Client
from adapters.http.hub import Hub
from adapters.http.identity import SUBPROTOCOL
from adapters.http.openapi import Operation, documented
from adapters.http.services import HttpOptions
from adapters.http.state import HttpState
from domain.common.errors import AITraderError, Unavailable

log = logging.getLogger(__name__)

_MAX_BAD_FRAMES = 10
_MAX_COMMANDS = 64
_CLOSE_S = 1.0

Command = frames.Subscribe | frames.Unsubscribe


def socket_routes(state: HttpState) -> Blueprint:
    """Return the WebSocket route."""
    routes = Blueprint("socket", __name__)

    @routes.websocket("/ws")
    @documented(Operation(tag="status", access=Access.ANY, hidden=True))
    async def ws() -> None:
        if state.hub.draining:
            raise Unavailable("the server is restarting", code="stopping")
        principal = await state.guard.socket(Access.ANY)
        ours = SUBPROTOCOL in websocket.requested_subprotocols  # never say the other one: it holds a token
        await websocket.accept(subprotocol=SUBPROTOCOL if ours else None)
        client = state.hub.join(principal, websocket.send)
        if client is None:
            await websocket.close(TOO_MANY, "too many clients")
            return
        try:
            code, reason = await _Session(client, state.hub, state.options).run()
        finally:
            state.hub.leave(client)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await websocket.close(code, reason)

    return routes


class _Session:
    """A socket from accept to close."""

    def __init__(self, client: Client, hub: Hub, options: HttpOptions) -> None:
        self._client = client
        self._hub = hub
        self._max_subscriptions = options.max_subscriptions
        self._times: deque[float] = deque(maxlen=options.max_messages)
        self._bad_frames = 0

    async def run(self) -> tuple[int, str]:
        """Return the close code and reason."""
        parts = (self._read(), self._client.write(), self._obey())
        tasks = [asyncio.create_task(part) for part in parts]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            return await self._client.closed()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a WebSocket handler failed", exc_info=error)
            self._client.close(DEFECT, "internal error")

    async def _read(self) -> None:
        """Read for ever, whatever the rest does: the framework's own queue has no bound."""
        while True:
            message = await websocket.receive()
            if self._too_fast():
                self._client.close(TOO_MANY, "too many messages")
                return
            if not isinstance(message, str):
                self._client.close(NOT_TEXT, "text frames only")
                return
            try:
                self._take(frames.read_frame(message, self._hub.topics))
            except AITraderError as error:
                self._refuse(error)

    def _too_fast(self) -> bool:
        now = asyncio.get_running_loop().time()
        full = len(self._times) == self._times.maxlen and now - self._times[0] < 1.0
        self._times.append(now)
        return full

    def _take(self, frame: frames.ClientFrame) -> None:
        self._bad_frames = 0
        if isinstance(frame, frames.Ping):
            self._client.offer(frames.pong_frame())
            return
        if self._client.commands.qsize() >= _MAX_COMMANDS:
            self._client.close(BAD_FRAMES, "too many requests at once")
            return
        self._client.commands.put_nowait(partial(self._do, frame))

    def _refuse(self, error: AITraderError) -> None:
        self._bad_frames += 1
        if self._bad_frames >= _MAX_BAD_FRAMES:
            self._client.close(BAD_FRAMES, "too many bad frames")
        else:
            self._client.offer(frames.error_frame(error))

    async def _obey(self) -> None:
        """Do what the client and the hub ask, in order."""
        while True:
            command = await self._client.commands.get()
            await command()

    async def _do(self, frame: Command) -> None:
        for topic in dict.fromkeys(frame.topics):
            if isinstance(frame, frames.Subscribe):
                await self._subscribe(frame, topic)
            else:
                self._hub.unsubscribe(self._client, topic)
                self._client.offer(frames.unsubscribed_frame(topic))

    async def _subscribe(self, frame: frames.Subscribe, topic: str) -> None:
        wanted = {name: frozenset(values) for name, values in frame.filters.get(topic, {}).items()}
        watched = self._client.subscriptions.keys() | self._client.resyncs.keys() | self._client.live.keys()
        if topic not in watched and len(watched) >= self._max_subscriptions:
            self._client.close(TOO_MANY, "too many subscriptions")
            return
        try:
            await self._hub.subscribe(self._client, topic, wanted, frame.resume.get(topic))
        except AITraderError as error:
            self._client.offer(frames.error_frame(error, topic))
