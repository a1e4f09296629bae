"""The ASGI layer in front of the framework: request ids, hosts, origins, smuggling, unread bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from adapters.http import problems
from adapters.http.context import request_id, request_id_from, request_path
from adapters.http.json_body import dump_json
from adapters.http.services import HttpOptions
from domain.common.errors import AITraderError, Denied, Malformed

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_DRAIN_BYTES = 8 * 1024 * 1024
_DRAIN_S = 2.0
_TOO_LATE = 408


class Edge:
    """Wraps an ASGI app."""

    def __init__(self, app: App, options: HttpOptions) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in options.allowed_hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in options.allowed_origins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection of the server."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        identifier = request_id_from(headers.get(b"x-request-id"))
        request_id.set(identifier)
        request_path.set(scope["path"])
        exchange = _Exchange(scope, receive, send, identifier.encode())
        try:
            self._check(scope, headers)
        except AITraderError as error:
            await exchange.refuse(error)
            return
        if scope["type"] == "http":
            await self._app(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, receive, exchange.send)

    def _check(self, scope: Any, headers: dict[bytes, bytes]) -> None:
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise Malformed("Content-Length and Transfer-Encoding exclude each other", code="ambiguous_length")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._hosts and _hostname(host) not in self._hosts:
            raise Malformed("this Host is not served here", code="unknown_host")
        origin = headers.get(b"origin")
        writes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if origin is not None and writes and not self._allowed(origin.decode("latin-1").lower(), host):
            raise Denied("this origin may not do this", code="origin_not_allowed")

    def _allowed(self, origin: str, host: str) -> bool:
        return origin in self._origins or origin in (f"http://{host}", f"https://{host}")


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class _Exchange:
    """One request and its response on their way through."""

    def __init__(self, scope: Any, receive: Receive, send: Send, identifier: bytes) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._identifier = identifier
        self._received = 0
        self._complete = asyncio.Event()
        if scope["type"] == "websocket" or not _has_body(scope):
            self._complete.set()

    async def receive(self) -> Message:
        """Pass a part of the request on, noticing its end."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if not message.get("more_body", False) or self._received > _DRAIN_BYTES:
                self._complete.set()
        else:
            self._complete.set()
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the response on, with the request id."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._identifier)]
            if not self._complete.is_set() and message["status"] != _TOO_LATE:
                await self._let_body_end()
        await self._send(message)

    async def refuse(self, error: AITraderError) -> None:
        """Answer without asking the app."""
        body = problems.problem_of(error)
        kind = "http.response" if self._scope["type"] == "http" else "websocket.http.response"
        content = dump_json(body)
        headers = [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"cache-control", b"no-store"),
        ]
        reader = asyncio.create_task(self._read_on())
        try:
            await self.send({"type": f"{kind}.start", "status": body["status"], "headers": headers})
        finally:
            reader.cancel()
        await self._send({"type": f"{kind}.body", "body": content, "more_body": False})

    async def _read_on(self) -> None:
        while not self._complete.is_set():
            await self.receive()

    async def _let_body_end(self) -> None:
        # A connection closed with unread data is reset, and the client never sees why it was refused.
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._complete.wait()
        except TimeoutError:
            return


def _has_body(scope: Any) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
