"""The practice broker over HTTP: ``/mcp`` with Kite's manners, its login pages, and ``/control`` for practice.

Kite's server answers an unknown session with 400 and text where the specification says 404, takes no other content
type than exactly ``application/json``, and opens a stream for GET that says nothing.
"""

from __future__ import annotations

import asyncio
import html
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

from plugins.mock_mcp.control import Control, Refused
from plugins.mock_mcp.desk import Desk
from plugins.mock_mcp.exchange import Exchange
from plugins.mock_mcp.faults import BEFORE, Fault, Faults
from plugins.mock_mcp.ledger import Ledger
from plugins.mock_mcp.options import MockOptions
from plugins.mock_mcp.rpc import Rpc, initialized
from plugins.mock_mcp.sessions import Session, Sessions

_HEADER = "mcp-session-id"
_MOST_BYTES = 1024 * 1024
_PAGE = "<!doctype html><title>Practice broker</title><body style='font: 16px sans-serif; margin: 3em'>"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: str = ""
    type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Dropped(Exception):
    """The connection is to break instead of an answer."""


def json_reply(value: Any, **headers: str) -> Reply:
    """Return a JSON answer; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(200, json.dumps(value), "application/json", named)


class MockKite:
    """The ASGI application. Everything happens in one event loop, one request at a time between awaits.

    Args:
        options: how it behaves.
    """

    def __init__(self, options: MockOptions) -> None:
        path = None if options.folder is None else options.folder / "ledger.jsonl"
        self._ledger = Ledger(path)
        exchange = Exchange(self._ledger, options.cash)
        self._faults = Faults(options.page_limit)
        self._sessions = Sessions(logged_in=options.logged_in)
        self._keeps = options.keep_sessions
        desk = Desk(exchange, self._faults, market_orders=options.market_orders)
        self._rpc = Rpc(desk, self._sessions, options.excluded_tools)
        self._control = Control(exchange, self._faults, self._sessions)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body(receive)
        try:
            reply = await self._route(scope, headers, body)
        except Dropped:
            await _break_off(send)
            return
        names = [(b"content-type", reply.type.encode())]
        names += [(name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": names})
        await send({"type": "http.response.body", "body": reply.body.encode()})

    async def _route(self, scope: Any, headers: dict[str, str], body: bytes | None) -> Reply:
        path, method = scope["path"], scope["method"]
        if body is None:
            return Reply(413, "the body is too long")
        if path == "/mcp":
            return await self._mcp(method, headers, body, f"{scope['scheme']}://{headers.get('host', '127.0.0.1')}")
        if path.startswith("/control/"):
            return self._controlled(method, path.removeprefix("/control/"), headers, body)
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        if path == "/connect/login":
            return _login_page(query.get("redirect_params", ""))
        if path == "/callback":
            return self._callback(query)
        if path == "/":
            return Reply(200, f"{_PAGE}<h1>Practice broker</h1><p>MCP is at <code>/mcp</code>.", "text/html")
        return Reply(404, "404 page not found")

    def _controlled(self, method: str, action: str, headers: dict[str, str], body: bytes) -> Reply:
        # A page of a foreign site cannot send this type without asking first.
        if method == "POST" and headers.get("content-type") != "application/json":
            return Reply(415, "send application/json")
        try:
            return json_reply(self._control(method, action, json.loads(body or b"{}"), _now()))
        except ValueError as error:
            return Reply(400, f"not JSON: {error}")
        except Refused as error:
            return Reply(422, str(error))

    def _callback(self, query: dict[str, str]) -> Reply:
        signed = query.get("session_id", "")
        if not query.get("request_token") or not self._sessions.log_in(signed, _now()):
            return Reply(400, "missing MCP session_id or Kite request_token")
        if self._keeps:
            self._ledger.append({"op": "session", "at": _now(), "id": signed.partition("|")[0]})
        return Reply(200, f"{_PAGE}<h1>Logged in</h1><p>You can close this window.", "text/html")

    async def _mcp(self, method: str, headers: dict[str, str], body: bytes, base: str) -> Reply:
        session_id = headers.get(_HEADER, "")
        if method == "GET":
            return Reply(202, "", "text/event-stream")
        if method == "DELETE":
            self._sessions.end(session_id)
            return Reply(200)
        if method != "POST":
            return Reply(405, "Method not allowed")
        if headers.get("content-type") != "application/json":
            return Reply(400, "Invalid content type: must be 'application/json'")
        try:
            message = json.loads(body)
        except ValueError:
            return Reply(400, "Invalid request body")
        if not isinstance(message, dict):
            return Reply(400, "Invalid request body")
        if message.get("method") == "initialize":
            session = self._sessions.begin(_now())
            return json_reply(initialized(message.get("id")), **{_HEADER: session.id})
        return await self._request(session_id, message, base)

    async def _request(self, session_id: str, message: dict[str, Any], base: str) -> Reply:
        session = self._find(session_id)
        if session is None:
            ended = self._sessions.ended(session_id)
            return Reply(404, "Session terminated") if ended else Reply(400, "Invalid session ID")
        if "id" not in message:
            return Reply(202)
        fault = None
        if message.get("method") == "tools/call":
            fault = self._faults.take(str((message.get("params") or {}).get("name")))
        if fault is None:
            return json_reply(self._rpc.answer(session, message, base, _now()))
        return await self._wrong(fault, session, message, base)

    def _find(self, session_id: str) -> Session | None:
        session = self._sessions.find(session_id, _now())
        if session is None and self._keeps and any(entry["id"] == session_id for entry in self._ledger.of("session")):
            return None if self._sessions.ended(session_id) else self._sessions.begin(_now(), session_id)
        return session

    async def _wrong(self, fault: Fault, session: Session, message: dict[str, Any], base: str) -> Reply:
        """Answer a call that is to go wrong."""
        if fault.kind in BEFORE:
            return self._refuse(fault, session, message)
        answer = json_reply(self._rpc.answer(session, message, base, _now()))
        if fault.kind == "accept_then_drop":
            raise Dropped
        if fault.kind == "accept_then_end_session":
            self._sessions.end(session.id)
            return Reply(404, "Session terminated before the request completed")
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
            return answer
        if fault.kind == "garbage":
            return Reply(200, "<html>502 Bad Gateway</html>", "application/json")
        return json_reply(self._rpc.failed(message))

    def _refuse(self, fault: Fault, session: Session, message: dict[str, Any]) -> Reply:
        if fault.kind == "drop":
            raise Dropped
        if fault.kind == "http_429":
            return Reply(429, "Too many requests", headers={"retry-after": "1"})
        if fault.kind == "http_500":
            return Reply(500, "Internal Server Error")
        if fault.kind == "session_expired":
            self._sessions.end(session.id)
            return Reply(404, "Session terminated")
        return json_reply(self._rpc.failed(message))


def _login_page(redirect: str) -> Reply:
    signed = quote(redirect.removeprefix("session_id="), safe="")
    target = f"/callback?request_token=practice&session_id={signed}"
    link = f"<a href='{html.escape(target, quote=True)}'>Log in</a>"
    return Reply(200, f"{_PAGE}<h1>Practice broker</h1><p>No password is asked for: {link}", "text/html")


def _now() -> int:
    return time.time_ns() // 1_000_000


async def _body(receive: Any) -> bytes | None:
    body: bytes = b""
    while True:
        event = await receive()
        body += bytes(event.get("body", b""))
        if len(body) > _MOST_BYTES:
            return None
        if not event.get("more_body"):
            return body


async def _break_off(send: Any) -> None:
    """Begin an answer and break off, so that the connection ends in the middle of it."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionAbortedError("a fault was asked for")


async def _live(receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
