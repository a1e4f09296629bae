"""JSON-RPC as Kite's server speaks it: MCP 2025-03-26, one JSON answer per request, generic errors."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

from plugins.mock_mcp.desk import BrokerError, Desk
from plugins.mock_mcp.sessions import Session, Sessions
from plugins.mock_mcp.tools import TOOLS, listing

PROTOCOL = "2025-03-26"
_WITHOUT_LOGIN = ("login", "search_instruments")
_FAILED = {
    "place_order": "Failed to place order",
    "modify_order": "Failed to modify order",
    "cancel_order": "Failed to cancel order",
    "get_quotes": "Failed to get quotes",
}
_WARNING = (
    "WARNING: AI systems are unpredictable and non-deterministic. By continuing, you agree to interact with your "
    "practice account using AI at your own risk.\n\nPlease log in with this link: "
)


def initialized(request_id: Any) -> dict[str, Any]:
    """Return the answer to `initialize`."""
    result = {
        "protocolVersion": PROTOCOL,
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "mock-kite", "version": "1.0"},
    }
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


class Rpc:
    """Answers one session's requests.

    Args:
        desk: the tools.
        sessions: makes login links.
        excluded: tools that are not offered.
    """

    def __init__(self, desk: Desk, sessions: Sessions, excluded: Container[str] = ()) -> None:
        self._tools = [name for name in TOOLS if name not in excluded]
        self._desk = desk
        self._sessions = sessions

    def answer(self, session: Session, message: dict[str, Any], base: str, now: int) -> dict[str, Any]:
        """Return the answer to a request. ``base`` is our own address, for login links."""
        method, request_id = message.get("method"), message.get("id")
        if method == "ping":
            return _result(request_id, {})
        if method == "tools/list":
            return _result(request_id, {"tools": [listing(name) for name in self._tools]})
        if method != "tools/call":
            return _error(request_id, -32601, f"Method {method} not found")
        params = message.get("params") or {}
        name, arguments = params.get("name"), params.get("arguments") or {}
        if name not in self._tools:
            return _error(request_id, -32602, f"tool '{name}' not found: tool not found")
        return _result(request_id, self._call(session, name, arguments, base, now))

    def failed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call that failed, for whatever reason."""
        return _result(message.get("id"), _failure((message.get("params") or {}).get("name")))

    def _call(self, session: Session, name: str, arguments: dict[str, Any], base: str, now: int) -> dict[str, Any]:
        if name == "login":
            return _text(self._login(session, base, now))
        if not session.logged_in and name not in _WITHOUT_LOGIN:
            first, session.greeted = not session.greeted, True
            return _text("Please log in first using the login tool", error=True) if first else _failure(name)
        missing = [field for field in TOOLS[name][2] if arguments.get(field) in (None, "")]
        if missing:
            return _text(f"parameter '{missing[0]}': is required", error=True)
        try:
            return _text(json.dumps(self._desk.call(name, arguments, now)))
        except BrokerError:
            return _failure(name)

    def _login(self, session: Session, base: str, now: int) -> str:
        session.greeted = True
        if session.logged_in:
            return "You are already logged in as Practice Trader"
        return f"{_WARNING}[Login to Kite]({self._sessions.link(base, session, now)})"


def _failure(name: Any) -> dict[str, Any]:
    return _text(_FAILED.get(str(name), f"Failed to execute {name}"), error=True)


def _text(text: str, *, error: bool = False) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return {"content": content, "isError": True} if error else {"content": content}


def _result(request_id: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def _error(request_id: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}
