"""``/``, ``/docs`` and ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

import orjson
from quart import Blueprint, Quart, Response, request

from adapters.http import openapi, schemas
from adapters.http.access import Access
from adapters.http.identity import knows_version
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState

_STATUS_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "jobs": "/jobs",
    "job_types": "/job-types",
    "orders": "/orders",
    "positions": "/positions",
    "accounts": "/accounts",
    "signals": "/signals",
    "strategies": "/strategies",
    "decisions": "/decisions",
    "models": "/models",
    "suggestions": "/suggestions",
    "news": "/news",
    "sentiment": "/sentiment",
    "websocket": "/ws",
}
_TAGS = {
    "jobs": "Submit work, watch it, cancel it, fetch what it made.",
    "orders": "Place, watch, change and cancel orders. Money and quantities are decimal text.",
    "books": "Fills, positions, holdings, prices.",
    "accounts": "Who trades where, what it is worth, what it may do.",
    "controls": "Stop trading, and allow it.",
    "signals": "Opinions on symbols, from patterns, models and other programs; never orders.",
    "decisions": "Strategies, and what they made of signals; a strategy trades only once it is enabled.",
    "models": "Trained models, what they suggest, and what became of it.",
    "news": "Texts of others about symbols, each kept once, with the time from when on it could be known.",
    "sentiment": "What was made of texts by jobs `sentiment_analysis`: now, and as of any time before.",
    "mcp": "The account behind the broker's MCP server.",
    "auth": "Log in and out in a browser.",
    "health": "How this installation is.",
    "status": "What this server is.",
    "tokens": "What programs prove themselves with.",
    "users": "Who may use this installation; for administrators.",
}
_DESCRIPTION = """\
Send `Authorization: Bearer TOKEN`; `aitrader token create` and `POST /tokens` make tokens. A browser logs in at
`/auth/login` and gets a cookie; every change then needs `X-CSRF-Token`. Tokens in URLs are refused. `RateLimit-*`
headers say what is left; 429 says with `Retry-After` when to come back.

Errors are RFC 9457 problems (`application/problem+json`) whose `code` is stable. Send `X-Request-ID` to find a
request in the log; every answer has one. Times are UTC, RFC 3339. Unknown fields and parameters are refused.

**WebSocket `/ws`** sends what happens. Open it with the same `Authorization` header, or, where that is not possible,
offer the subprotocols `aitrader.v1` and `bearer.TOKEN`; a page of ours is let in by its cookie. Then send
`{"action":"subscribe","topics":["job_updates"]}`; also `unsubscribe` and `ping`. Events are
`{"event":"job_updates","seq":1842,"time":"…Z","data":{…}}`, with `seq` counting up by one per topic. After
`subscribed {topic, seq}` comes a `snapshot`, then every event with a higher `seq`. To continue after a lost
connection, add `"resume":{"job_updates":1841}`: you get what you missed, or `gap {topic, from, to}` and a snapshot.
`"filters":{"job_updates":{"status":["succeeded"]}}` (also `job_id`, `job_type`) leaves out the rest; `seq` then skips
what was left out. Topics: `job_updates` (needs `jobs:read`), `order_updates` (needs `orders:read`;
filters `order_id`, `account`, `symbol`, `status`), `trading_signals` (needs `signals:read`; filters `symbol`,
`source`, `pattern`, `status`), `decisions` (needs `signals:read`; filters `symbol`, `strategy`, `action`,
`status`), `market_data` (needs `orders:read`; filter `symbol`; the last price of each symbol, a slow client misses
steps in between; `seq` counts what you were sent, and there is nothing to resume), `system_status`.
Close codes: 1008 bad frames, 1009 frame too big, 1012 server restarting, 4401 credentials ended, 4408 too slow,
4429 too many clients or messages.
"""
_STATUS_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AITrader</title>
<link rel="stylesheet" href="/static/status.css">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
</head>
<body>
<main>
<h1>AITrader</h1>
<p>{version}<strong>{status}</strong>.</p>
<ul>
{links}
</ul>
</main>
</body>
</html>
"""
_DOCS_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AITrader API</title>
<link rel="stylesheet" href="/static/swagger/swagger-ui.css">
<link rel="icon" href="/static/swagger/favicon-32x32.png" type="image/png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/static/swagger/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""


def pages(app: Quart, state: HttpState) -> Blueprint:
    """Return the routes of pages."""
    routes = Blueprint("pages", __name__)
    _add_root(routes, state)
    if state.options.docs:
        _add_docs(routes, document_of(app, state))
    return routes


def document_of(app: Quart, state: HttpState) -> Callable[[], bytes]:
    """Return a function that gives the OpenAPI document, built once."""

    @cache
    def document() -> bytes:
        found = openapi.build(
            app,
            version=state.services.version,
            description=_DESCRIPTION,
            tags=_TAGS,
            example=_example(state),
        )
        return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    return document


def _example(state: HttpState) -> dict[str, Any]:
    job_types = state.services.job_types
    for name in job_types.names():
        if payload := job_types.info(name).example:
            return {"job_type": name, "payload": dict(payload)}
    return {"job_type": "backtest", "payload": {}}


def _add_root(routes: Blueprint, state: HttpState) -> None:
    html = {"text/html": {"type": "string"}}

    @routes.get("/")
    @documented(
        Operation(
            tag="status",
            access=Access.PUBLIC,
            responses={200: schemas.Status},
            media={200: html},
            notes={200: "JSON, or a small page for a browser."},
        )
    )
    async def root() -> Response:
        """Say what this server is and where to go."""
        status = "stopping" if state.draining else "running"
        accepted = request.accept_mimetypes
        if accepted["text/html"] > accepted["application/json"]:
            response = page(_render(state, status), _STATUS_CSP)
        else:
            links = {name: path for name, path in _LINKS.items() if state.options.docs or name not in _DOCS}
            body = {"name": "AITrader", "status": status, "links": links}
            if knows_version():
                body["version"] = state.services.version
            response = json_response(body)
        response.headers["Vary"] = "Accept"
        return response


_DOCS = ("docs", "openapi")


def _render(state: HttpState, status: str) -> str:
    links = "\n".join(
        f'<li><a href="{path}">{name.replace("_", " ")}</a></li>'
        for name, path in _LINKS.items()
        if name != "websocket" and (state.options.docs or name not in _DOCS)
    )
    version = f"Version {escape(state.services.version)}, " if knows_version() else ""
    return _STATUS_PAGE.format(version=version, status=escape(status), links=links)


def page(text: str, policy: str) -> Response:
    """Return an HTML page under a content security policy."""
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_docs(routes: Blueprint, document: Callable[[], bytes]) -> None:
    @routes.get("/docs")
    @documented(Operation(tag="status", access=Access.PUBLIC, hidden=True))
    async def docs() -> Response:
        return page(_DOCS_PAGE, _DOCS_CSP)

    @routes.get("/openapi.json")
    @documented(Operation(tag="status", access=Access.PUBLIC, hidden=True))
    async def openapi_json() -> Response:
        response = Response(document(), content_type="application/json")
        response.headers["Cache-Control"] = "no-cache"
        return response
