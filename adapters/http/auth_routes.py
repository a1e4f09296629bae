"""``/auth``: log in and out in a browser."""

from __future__ import annotations

from pydantic import BaseModel
from quart import Blueprint, Response, request

from adapters.http import identity_schemas as schemas
from adapters.http import requests
from adapters.http.access import Access
from adapters.http.bodies import Fields, no_body, small_body
from adapters.http.context import remote
from adapters.http.identity import cookie_name, principal, visitor
from adapters.http.identity_views import principal_view
from adapters.http.openapi import Operation, documented
from adapters.http.pages import page
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.errors import Denied, FieldError
from domain.identity.authentication import SESSION_MS, NewSession
from domain.identity.model import Principal

_LOGIN_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOGIN_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in to AITrader</title>
<link rel="stylesheet" href="/static/status.css">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
</head>
<body>
<main>
<h1>AITrader</h1>
<p id="message" role="status"></p>
<form id="login" autocomplete="on">
<p><label for="username">User</label> <input id="username" autocomplete="username" required maxlength="64"></p>
<p><label for="password">Password</label>
<input id="password" type="password" autocomplete="current-password" required maxlength="128"></p>
<p><button type="submit">Log in</button></p>
</form>
<noscript><p>This page needs JavaScript.</p></noscript>
</main>
<script src="/static/login.js"></script>
</body>
</html>
"""


def auth_routes(state: HttpState) -> Blueprint:
    """Return the routes of logging in and out."""
    routes = Blueprint("auth", __name__)
    _add_page(routes)
    _add_login(routes, state)
    _add_session(routes, state)
    return routes


def _add_page(routes: Blueprint) -> None:
    @routes.get("/auth/login")
    @documented(
        Operation(
            tag="auth",
            access=Access.PUBLIC,
            media={200: {"text/html": {"type": "string"}}},
            notes={200: "A page for a browser."},
            problems=(422,),
        )
    )
    async def login_page() -> Response:
        """Show the page that logs in.

        With `?link=`, the page sends the secret of a login link to `POST /auth/link`: opening the address alone, as
        previews of links do, does not use it up.
        """
        links = request.args.getlist("link")
        requests.refuse_query(
            [FieldError(name, "is not a known parameter") for name in request.args if name != "link"]
        )
        requests.refuse_query([FieldError("link", "must be given once")] if len(links) > 1 else [])
        return page(_LOGIN_PAGE, _LOGIN_CSP)


def _opens_session(body: type[BaseModel]) -> Operation:
    return Operation(
        tag="auth",
        access=Access.PUBLIC,
        request=body,
        responses={200: schemas.SessionInfo},
        notes={200: "Logged in; the cookie is set."},
        problems=(400, 401, 403, 413, 415, 422, 503),
    )


def _add_login(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    async def logged_in(opened: NewSession) -> Response:
        before = visitor()
        if before is not None and before.is_session:  # the browser forgets it, so nobody may use it any more
            await state.offload(identity.log_out, before)
            state.revoked()
        response = json_response(principal_view(opened.principal))
        _set_cookie(response, opened)
        return response

    @routes.post("/auth/login")
    @documented(_opens_session(schemas.LoginRequest))
    async def login() -> Response:
        """Log in with a password.

        Unknown users, disabled users and wrong passwords get the same answer. After a few failures, an account and
        an address must wait (429).
        """
        fields = Fields(await small_body())
        username, password = fields.text("username", 64), fields.text("password", 128)
        fields.done()
        return await logged_in(await state.logins(identity.log_in, username, password, remote.get().address))

    @routes.post("/auth/link")
    @documented(_opens_session(schemas.LinkRequest))
    async def login_by_link() -> Response:
        """Log in with the secret of a one-time link; from this machine only."""
        if not remote.get().loopback:
            raise Denied("login links work on the machine of the server only", code="loopback_only")
        fields = Fields(await small_body())
        secret = fields.text("secret", 128)
        fields.done()
        return await logged_in(await state.offload(identity.login_by_link.use, secret, remote.get().address))


def _add_session(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    @routes.get("/auth/session")
    @documented(Operation(tag="auth", access=Access.ANY, responses={200: schemas.SessionInfo}, problems=(422, 503)))
    async def session() -> Response:
        """Say who is asking and what they may do."""
        requests.no_query(request.args)
        return json_response(principal_view(principal()))

    @routes.post("/auth/logout")
    @documented(
        Operation(
            tag="auth", access=Access.ANY, media={204: {}}, notes={204: "Logged out."}, problems=(413, 422, 503)
        )
    )
    async def logout() -> Response:
        """End this browser session, also in open sockets."""
        await no_body()
        who = principal()
        _require_session(who)
        await state.offload(identity.log_out, who)
        state.revoked()
        response = Response(b"", status=204)
        response.headers["Cache-Control"] = "no-store"
        response.delete_cookie(cookie_name(), path="/", secure=remote.get().secure, httponly=True, samesite="Strict")
        return response


def _require_session(who: Principal) -> None:
    if not who.is_session:
        raise Denied("only a browser session logs out; revoke a token instead", code="session_required")


def _set_cookie(response: Response, opened: NewSession) -> None:
    response.set_cookie(
        cookie_name(),
        opened.secret,
        max_age=SESSION_MS // 1000,
        path="/",
        secure=remote.get().secure,
        httponly=True,
        samesite="Strict",
    )
