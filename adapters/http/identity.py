"""Who is asking: the only place that decides it, for requests and for sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from quart import Quart, Response, request, websocket

from adapters.http import access
from adapters.http.access import Access
from adapters.http.context import remote
from adapters.http.offload import Offload
from adapters.http.rates import Allowance, Bucket, Rates
from domain.common.errors import AITraderError, Denied
from domain.identity.authentication import Authenticate
from domain.identity.model import SESSION, TOKEN, Principal, Scope, Unauthenticated
from domain.identity.secrets import same, token_prefix

CSRF_HEADER = "X-CSRF-Token"
SUBPROTOCOL = "aitrader.v1"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_BEARER_SUBPROTOCOL = "bearer."

_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def principal() -> Principal:
    """Return who asks; a route that lets anyone in asks ``visitor`` instead.

    Raises:
        Unauthenticated: nobody who is known.
    """
    found = _principal.get()
    if found is None:
        raise Unauthenticated
    return found


def visitor() -> Principal | None:
    """Return who asks, if they say so."""
    return _principal.get()


def sees_details() -> bool:
    """Return whether whoever asks may know how the parts of this installation are."""
    found = _principal.get()
    return remote.get().loopback or (found is not None and Scope.METRICS_READ in found.scopes)


def knows_version() -> bool:
    """Return whether whoever asks may know which version this is."""
    return remote.get().loopback or _principal.get() is not None


def cookie_name() -> str:
    """Return the name of the session cookie; over TLS one that browsers take from this very host only."""
    return "__Host-aitrader" if remote.get().secure else "aitrader"


class Guard:
    """Lets requests and sockets in, or not.

    Args:
        origins: origins besides our own that may open WebSockets.
    """

    def __init__(
        self, authenticate: Authenticate, offload: Offload, rates: Rates, origins: tuple[str, ...] = ()
    ) -> None:
        self._authenticate = authenticate
        self._offload = offload
        self._rates = rates
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._pending: dict[tuple[str, str], asyncio.Task[Principal]] = {}

    def install(self, app: Quart) -> None:
        """Stand before every request."""

        async def enter() -> None:
            _principal.set(None)
            _allowance.set(None)
            await self._enter(app)

        async def leave(response: Response) -> Response:
            allowance = _allowance.get()
            if allowance is not None and "RateLimit-Limit" not in response.headers:
                response.headers.update(allowance.headers)
            return response

        app.before_request(enter)
        app.after_request(leave)

    async def socket(self, rule: access.Rule) -> Principal:
        """Return who opens a socket; called before it is accepted.

        Raises:
            Unauthenticated: without a valid credential.
            Denied: not allowed, or a browser of another site.
            Refused: too often.
        """
        try:
            found = await self._find_socket()
        except Unauthenticated:
            await self._spend(None)
            raise
        await self._spend(found)
        if found is None:
            raise Unauthenticated
        access.require(rule, found)
        return found

    async def _enter(self, app: Quart) -> None:
        rule = access.rule_of(app.view_functions.get(request.endpoint or ""))
        if request.url_rule is None:
            rule = Access.PUBLIC  # nothing is there: 404 or 405
        elif request.endpoint == "static":
            rule = Access.PROBE
        if rule is Access.PROBE:
            _allowance.set(await self._rates.spend(Bucket.PROBE, remote.get().address))
            return
        found, failure = await self._find()
        await self._spend(found)
        if rule is not Access.PUBLIC and not (rule is Access.LOCAL_METRICS and remote.get().loopback):
            if found is None:
                raise failure
            _check_browser(found)
            access.require(rule, found)
        _principal.set(found)

    async def _spend(self, found: Principal | None) -> None:
        # Good credentials are counted by themselves: others at the same address cannot use up what is theirs.
        if found is None:
            _allowance.set(await self._rates.spend(Bucket.ADDRESS, remote.get().address))
        else:
            _allowance.set(await self._rates.spend(Bucket.CREDENTIAL, found.credential_id))

    async def _find(self) -> tuple[Principal | None, AITraderError]:
        """Return who asks; or why that is not known, also when the database is away: what is public needs none."""
        try:
            return await self._find_in(request.scope, request.cookies.get), Unauthenticated()
        except AITraderError as failure:
            return None, failure

    async def _find_in(self, scope: Any, cookie: Callable[[str], Any]) -> Principal | None:
        # ASGI has header names in lower case; the framework's own view of them is slow to search.
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        if given:
            kind, _, token = given[0].partition(" ")
            if len(given) > 1 or kind.lower() != "bearer":
                raise Unauthenticated("send one header: Authorization: Bearer TOKEN")
            return await self._verify(TOKEN, token.strip())
        secret = cookie(cookie_name())
        return None if secret is None else await self._verify(SESSION, secret)

    async def _find_socket(self) -> Principal | None:
        headers = websocket.headers
        token = next(
            (
                offered.removeprefix(_BEARER_SUBPROTOCOL)
                for offered in websocket.requested_subprotocols
                if offered.startswith(_BEARER_SUBPROTOCOL)
            ),
            None,
        )
        if token is not None and "Authorization" not in headers:
            return await self._verify(TOKEN, token)
        found = await self._find_in(websocket.scope, websocket.cookies.get)
        if found is not None and found.is_session:
            self._check_socket_origin(headers.get("Origin"))
        return found

    def _check_socket_origin(self, origin: str | None) -> None:
        if origin is None or not (remote.get().is_own(origin) or origin.lower() in self._origins):
            raise Denied(
                "a browser must say which page opens the socket, and it must be ours", code="origin_required"
            )

    async def _verify(self, kind: str, secret: str) -> Principal:
        known = self._authenticate.known(kind, secret)
        if known is not None:
            return known
        if kind == TOKEN and token_prefix(secret) is None:
            raise Unauthenticated("the credentials are not valid")
        # Many requests with the same credential ask the database once.
        task = self._pending.get((kind, secret))
        if task is None:
            find = self._authenticate.token if kind == TOKEN else self._authenticate.session
            task = asyncio.create_task(self._offload(find, secret))
            self._pending[kind, secret] = task
            task.add_done_callback(lambda done: self._found((kind, secret), done))
        return await asyncio.shield(task)

    def _found(self, key: tuple[str, str], task: asyncio.Task[Principal]) -> None:
        self._pending.pop(key, None)
        if not task.cancelled():
            task.exception()  # who waited has it; nobody may have


def _check_browser(found: Principal) -> None:
    """Refuse a change that a page of another site made the browser send with our cookie.

    Raises:
        Denied: no ``Origin`` or not ours, no CSRF token or a wrong one.
    """
    if not found.is_session or request.method in _SAFE:
        return
    origin = request.headers.get("Origin")
    if origin is None:
        raise Denied("a change with a session cookie needs the Origin header", code="origin_required")
    if not remote.get().is_own(origin):
        raise Denied("this origin may not do this", code="origin_not_allowed")
    if found.csrf is None or not same(request.headers.get(CSRF_HEADER, ""), found.csrf):
        raise Denied(f"{CSRF_HEADER} is missing or wrong; GET /auth/session tells it", code="csrf_failed")
