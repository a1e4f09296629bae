"""``/tokens``: what programs prove themselves with."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import identity_schemas as schemas
from adapters.http import requests
from adapters.http.access import Access
from adapters.http.bodies import Fields, no_body, once, small_body
from adapters.http.identity import principal
from adapters.http.identity_views import token_view
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.schemas import IdempotencyHeaders, LocationHeaders
from adapters.http.state import HttpState
from domain.common.errors import Denied
from domain.common.ids import parse_id
from domain.identity.model import Principal, parse_scopes
from domain.identity.tokens import Issued

_DEFAULT_DAYS = 30
_MADE = "Made; `token` is its text, shown this once."
_AGAIN = "This Idempotency-Key made this token before; its text is not shown again."


def token_routes(state: HttpState) -> Blueprint:
    """Return the routes of tokens."""
    routes = Blueprint("tokens", __name__)
    _add_making(routes, state)
    _add_reading(routes, state)
    _add_revoking(routes, state)
    return routes


def _issued(issued: Issued) -> Response:
    location = {"Location": f"/tokens/{issued.token.id}"}
    if issued.text is None:
        return json_response(token_view(issued.token), 200, location)
    return json_response({**token_view(issued.token), "token": issued.text}, 201, location)


def _add_making(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    def require_recent(who: Principal) -> None:
        """A browser left open must not turn into a token that lives for months."""
        if who.is_session and not identity.authenticate.recent(who):
            raise Denied(
                "log in again first: this needs a login of the last 15 minutes", code="recent_login_required"
            )

    @routes.post("/tokens")
    @documented(
        Operation(
            tag="tokens",
            access=Access.OWN,
            request=schemas.NewTokenRequest,
            headers=IdempotencyHeaders,
            responses={201: schemas.NewToken, 200: schemas.Token},
            response_headers={201: LocationHeaders, 200: LocationHeaders},
            notes={201: _MADE, 200: _AGAIN},
            problems=(400, 413, 415, 422, 503),
        )
    )
    async def create_token() -> Response:
        """Make a token.

        It can do no more than whoever makes it. From a browser this needs a login of the last 15 minutes.
        """
        who = principal()
        require_recent(who)
        body = await small_body()
        fields = Fields(body)
        name, scopes = fields.text("name", 64), fields.texts("scopes")
        days = fields.integer("expires_in_days", _DEFAULT_DAYS)
        fields.done()
        wanted, key = parse_scopes(scopes), once(who, body)

        def make() -> Issued:
            user = identity.users.one(who.user_id)
            return identity.issue_token(
                user, name, wanted, days=days, actor=who.username, holder=who.scopes, once=key
            )

        return _issued(await state.offload(make))

    @routes.post("/tokens/<token_id>/rotate")
    @documented(
        Operation(
            tag="tokens",
            access=Access.OWN,
            headers=IdempotencyHeaders,
            responses={201: schemas.NewToken, 200: schemas.Token},
            response_headers={201: LocationHeaders, 200: LocationHeaders},
            notes={201: _MADE, 200: _AGAIN},
            problems=(400, 404, 409, 413, 422, 503),
        )
    )
    async def rotate_token(token_id: str) -> Response:
        """Replace a token by a new one that may do the same; the old one goes on for 24 hours."""
        who = principal()
        require_recent(who)
        await no_body()
        found = parse_id(token_id)
        issued = await state.offload(
            identity.rotate_token, found, who.user_id, actor=who.username, holder=who.scopes, once=once(who, {})
        )
        state.revoked()
        return _issued(issued)


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    @routes.get("/tokens")
    @documented(
        Operation(
            tag="tokens",
            access=Access.OWN,
            query=schemas.PageQuery,
            responses={200: schemas.TokenPage},
            problems=(400, 422, 503),
        )
    )
    async def list_tokens() -> Response:
        """List your tokens, newest first."""
        before_id, limit = requests.page_query(request.args)
        found, following = await state.offload(
            identity.list_tokens.page, principal().user_id, before_id=before_id, limit=limit
        )
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [token_view(token) for token in found], "next_cursor": cursor})

    @routes.get("/tokens/<token_id>")
    @documented(
        Operation(tag="tokens", access=Access.OWN, responses={200: schemas.Token}, problems=(400, 404, 422, 503))
    )
    async def get_token(token_id: str) -> Response:
        """Read one of your tokens."""
        requests.no_query(request.args)
        token = await state.offload(identity.list_tokens.one, parse_id(token_id), principal().user_id)
        return json_response(token_view(token))


def _add_revoking(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    @routes.delete("/tokens/<token_id>")
    @documented(
        Operation(
            tag="tokens",
            access=Access.OWN,
            responses={200: schemas.Token},
            notes={200: "It is good for nothing now."},
            problems=(400, 404, 413, 422, 503),
        )
    )
    async def revoke_token(token_id: str) -> Response:
        """Revoke one of your tokens: at once here, within 5 seconds everywhere, also in open sockets."""
        await no_body()
        who = principal()
        token = await state.offload(identity.revoke_token, parse_id(token_id), who.user_id, actor=who.username)
        state.revoked()
        return json_response(token_view(token))
