"""HTTP under the MCP client that never breaks: what goes wrong with one request is the answer to that request.

The client's transport lives and dies with its first connection error, and with it every call that is under way. So
errors are turned into JSON-RPC errors here, each with ``data`` that says whether the request can have reached the
server. A session that a server remembers is taken up again without a new handshake: a broker's login hangs on it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx2

SESSION_HEADER = "mcp-session-id"
_FAILED = -32001
_BEFORE_SENDING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_MOST_BYTES = 16 * 1024 * 1024
_MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session that a server remembers: its id, which is a secret, and what the server said when it began."""

    id: str
    initialize: dict[str, Any]

    def dump(self, url: str) -> bytes:
        """Return the session as bytes, bound to the server's address."""
        return json.dumps({"url": url, "id": self.id, "initialize": self.initialize}).encode()

    @classmethod
    def load(cls, secret: bytes | None, url: str) -> SavedSession | None:
        """Return what ``dump`` made for this address; None for anything else."""
        try:
            known = json.loads(secret or b"null")
            if known is not None and known["url"] == url:
                return cls(str(known["id"]), dict(known["initialize"]))
        except (ValueError, KeyError, TypeError):
            pass
        return None


class _TooLong(Exception):
    """The answer is longer than any book."""


class CalmTransport(httpx2.AsyncBaseTransport):
    """Wraps a transport; see the module.

    Args:
        inner: what really talks.
        saved: a session to take up again instead of beginning a new one.
        on_session: called with each new session that the server gave an id.
    """

    def __init__(
        self, inner: httpx2.AsyncBaseTransport, saved: SavedSession | None, on_session: Callable[[SavedSession], None]
    ) -> None:
        self._inner = inner
        self._saved = saved
        self._on_session = on_session

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer every request, with an error where there is no answer."""
        if request.method != "POST":
            # Nothing is wanted from the stream that a GET opens; asking again for ever is what clients do instead.
            return httpx2.Response(405, request=request)
        message = _message(request)
        method = message.get("method")
        if self._saved is not None and method == "initialize":
            body = {"jsonrpc": "2.0", "id": message.get("id"), "result": self._saved.initialize}
            return _json(request, 200, body, {SESSION_HEADER: self._saved.id})
        if self._saved is not None and method == "notifications/initialized":
            return httpx2.Response(202, request=request)
        return await self._ask(request, message)

    async def aclose(self) -> None:
        """Close connections."""
        await self._inner.aclose()

    async def _ask(self, request: httpx2.Request, message: dict[str, Any]) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
            if _streams(response):
                return response
            content = await _read(response)
        except _BEFORE_SENDING as error:
            return _failed(request, message, f"the server cannot be reached: {_words(error)}", {"sent": False})
        except (httpx2.TransportError, _TooLong) as error:
            return _failed(request, message, f"the connection broke: {_words(error)}", {"sent": True})
        if response.status_code >= 300 and message.get("method") != "server/discover":
            return _refused(request, message, response, content)
        if message.get("method") == "initialize":
            self._remember(response, content)
        return httpx2.Response(response.status_code, headers=response.headers, content=content, request=request)

    def _remember(self, response: httpx2.Response, content: bytes) -> None:
        session_id = response.headers.get(SESSION_HEADER)
        result = _object(content).get("result")
        if session_id and isinstance(result, dict):
            self._on_session(SavedSession(session_id, result))


def _refused(
    request: httpx2.Request, message: dict[str, Any], response: httpx2.Response, content: bytes
) -> httpx2.Response:
    error = _object(content).get("error")
    text = content[:_MOST_TEXT].decode(errors="replace").strip()
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        text = error["message"][:_MOST_TEXT]
    data = {
        "sent": True,
        "http": response.status_code,
        "text": text,
        "retry_after": response.headers.get("retry-after"),
    }
    return _failed(request, message, f"HTTP {response.status_code}: {text or 'no text'}", data)


def _failed(request: httpx2.Request, message: dict[str, Any], text: str, data: dict[str, Any]) -> httpx2.Response:
    error = {"code": _FAILED, "message": text, "data": data}
    return _json(request, 503, {"jsonrpc": "2.0", "id": message.get("id"), "error": error})


def _json(
    request: httpx2.Request, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> httpx2.Response:
    return httpx2.Response(status, json=body, headers=headers, request=request)


def _message(request: httpx2.Request) -> dict[str, Any]:
    return _object(request.content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _streams(response: httpx2.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return response.status_code < 300 and kind.lower().startswith("text/event-stream")


async def _read(response: httpx2.Response) -> bytes:
    content = bytearray()
    try:
        async for chunk in cast(AsyncIterator[bytes], response.stream):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise _TooLong(f"more than {_MOST_BYTES} bytes")
    finally:
        await response.aclose()
    return bytes(content)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
