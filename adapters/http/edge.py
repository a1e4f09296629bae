"""The ASGI layer in front of the framework: request ids, hosts, origins, sizes, secrets in URLs, headers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.http import problems
from adapters.http.context import remote, request_id, request_id_from, request_path
from adapters.http.json_body import dump_json
from adapters.http.network import Proxies, Remote
from adapters.http.response_headers import ResponseHeaders
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
_MAX_HEADERS = 100
_MAX_PARAMETERS = 100
_TOKEN = re.compile(r"ait_[0-9a-z]{8}_", re.IGNORECASE)
_SECRET_NAMES = frozenset(
    {"token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "api-key", "auth", "authorization"}
    | {"bearer", "password", "passwd", "secret", "client_secret", "csrf", "csrf_token", "session"}
)


class Edge:
    """Wraps an ASGI app."""

    def __init__(self, app: App, options: HttpOptions) -> None:
        self._app = app
        self._options = options
        self._hosts = frozenset(host.lower() for host in options.allowed_hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in options.allowed_origins)
        self._proxies = Proxies(options.trusted_proxies)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection of the server."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        identifier = request_id_from(headers.get(b"x-request-id"))
        request_id.set(identifier)
        request_path.set(scope["path"])
        where = self._proxies.remote(scope, headers)
        remote.set(where)
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        added = ResponseHeaders(identifier, where, origin if origin in self._origins else None)
        exchange = _Exchange(scope, receive, send, added)
        try:
            self._check(scope, headers, where, origin)
        except AITraderError as error:
            await exchange.refuse(error)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, exchange.send)
        elif added.cross_origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await exchange.answer(204, added.preflight())
        else:
            await self._app(scope, exchange.receive, exchange.send)

    def _check(self, scope: Any, headers: dict[bytes, bytes], where: Remote, origin: str) -> None:
        _check_no_secret(scope)
        self._check_sizes(scope)
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise Malformed("Content-Length and Transfer-Encoding exclude each other", code="ambiguous_length")
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            raise problems.Refused(415, "the body must not be compressed", code="unsupported_media_type")
        if self._hosts and _hostname(where.host) not in self._hosts:
            raise Malformed("this Host is not served here", code="unknown_host")
        writes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if origin and writes and origin not in self._origins and not where.is_own(origin):
            raise Denied("this origin may not do this", code="origin_not_allowed")

    def _check_sizes(self, scope: Any) -> None:
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._options.max_headers or len(scope["headers"]) > _MAX_HEADERS:
            raise problems.Refused(431, "the headers are larger than the limit", code="headers_too_large")
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > self._options.max_url:
            raise problems.Refused(414, "the URL is longer than the limit", code="url_too_long")


def _check_no_secret(scope: Any) -> None:
    """Refuse secrets in URLs: they end up in histories, logs and Referer headers.

    Raises:
        Malformed: there is one, or more parameters than anyone needs.
    """
    if _TOKEN.search(scope["path"]):
        request_path.set("/")
        raise _token_in_url()
    if not scope["query_string"]:
        return
    try:
        query = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise Malformed("too many parameters", code="too_many_parameters") from None
    for name, value in query:
        if name.lower() in _SECRET_NAMES or _TOKEN.search(name) or _TOKEN.search(value):
            raise _token_in_url()


def _token_in_url() -> Malformed:
    return Malformed(
        "never send a secret in a URL; send the header Authorization: Bearer TOKEN, and replace this token",
        code="token_in_url",
    )


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class _Exchange:
    """One request and its response on their way through."""

    def __init__(self, scope: Any, receive: Receive, send: Send, added: ResponseHeaders) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._added = added
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
        """Pass a part of the response on, with the headers that every response has."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message["headers"] = self._added.to(message.get("headers", ()))
            if not self._complete.is_set() and message["status"] != _TOO_LATE:
                await self._let_body_end()
        await self._send(message)

    async def refuse(self, error: AITraderError) -> None:
        """Answer with a problem without asking the app."""
        body = problems.problem_of(error)
        headers = {"Content-Type": problems.MEDIA_TYPE, "Cache-Control": "no-store", **problems.headers_of(error)}
        await self.answer(body["status"], headers, dump_json(body))

    async def answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        """Answer without asking the app."""
        kind = "http.response" if self._scope["type"] == "http" else "websocket.http.response"
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if status != 204:
            pairs.append((b"content-length", str(len(content)).encode()))
        reader = asyncio.create_task(self._read_on())
        try:
            await self.send({"type": f"{kind}.start", "status": status, "headers": pairs})
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
