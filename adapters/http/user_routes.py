"""``/users``: who may use this installation; for administrators."""

from __future__ import annotations

from dataclasses import replace

from quart import Blueprint, Response, request

from adapters.http import identity_schemas as schemas
from adapters.http import requests
from adapters.http.bodies import Fields, no_body, once, small_body
from adapters.http.identity import principal
from adapters.http.identity_views import user_view
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.schemas import IdempotencyHeaders, LocationHeaders
from adapters.http.state import HttpState
from domain.common.ids import parse_id
from domain.identity.model import Role, Scope
from domain.identity.users import MAX_PASSWORD, MIN_PASSWORD

_MAX_EMAIL = 254


def user_routes(state: HttpState) -> Blueprint:
    """Return the routes of users."""
    routes = Blueprint("users", __name__)
    _add_reading(routes, state)
    _add_creating(routes, state)
    _add_enabling(routes, state)
    _add_changing(routes, state)
    return routes


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    users = state.services.identity.users

    @routes.get("/users")
    @documented(
        Operation(
            tag="users",
            access=Scope.ADMIN,
            query=schemas.PageQuery,
            responses={200: schemas.UserPage},
            problems=(400, 422, 503),
        )
    )
    async def list_users() -> Response:
        """List users, newest first."""
        before_id, limit = requests.page_query(request.args)
        found, following = await state.offload(users.page, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [user_view(user) for user in found], "next_cursor": cursor})

    @routes.get("/users/<user_id>")
    @documented(
        Operation(tag="users", access=Scope.ADMIN, responses={200: schemas.User}, problems=(400, 404, 422, 503))
    )
    async def get_user(user_id: str) -> Response:
        """Read a user."""
        requests.no_query(request.args)
        return json_response(user_view(await state.offload(users.one, parse_id(user_id))))


def _add_creating(routes: Blueprint, state: HttpState) -> None:
    identity = state.services.identity

    @routes.post("/users")
    @documented(
        Operation(
            tag="users",
            access=Scope.ADMIN,
            request=schemas.NewUserRequest,
            headers=IdempotencyHeaders,
            responses={201: schemas.User, 200: schemas.User},
            response_headers={201: LocationHeaders, 200: LocationHeaders},
            notes={201: "Made.", 200: "This Idempotency-Key made this user before."},
            problems=(400, 409, 413, 415, 422, 503),
        )
    )
    async def create_user() -> Response:
        """Add a user; one without a password can only use tokens."""
        who, body = principal(), await small_body()
        fields = Fields(body)
        username = fields.text("username", 64)
        role = fields.one_of("role", *Role)
        password = fields.optional_text("password", MAX_PASSWORD)
        email = fields.optional_text("email", _MAX_EMAIL)
        fields.done()
        key = once(who, body, "password")
        user, made = await state.logins(
            identity.create_user.once,
            key,
            username,
            Role(role),
            password=password,
            actor=who.username,
            email=email,
        )
        return json_response(user_view(user), 201 if made else 200, {"Location": f"/users/{user.id}"})


def _change(*problems: int) -> Operation:
    return Operation(
        tag="users",
        access=Scope.ADMIN,
        responses={200: schemas.User},
        notes={200: "Changed; all sessions and tokens of the user have ended."},
        problems=(400, 404, *problems, 413, 422, 503),
    )


def _add_enabling(routes: Blueprint, state: HttpState) -> None:
    change = state.services.identity.change_user

    async def set_disabled(user_id: str, disabled: bool) -> Response:
        await no_body()
        user = await state.offload(change.set_disabled, parse_id(user_id), disabled, actor=principal().username)
        state.revoked()
        return json_response(user_view(user))

    @routes.post("/users/<user_id>/disable")
    @documented(_change(409))
    async def disable_user(user_id: str) -> Response:
        """Disable a user. The last administrator stays."""
        return await set_disabled(user_id, True)

    @routes.post("/users/<user_id>/enable")
    @documented(_change(409))
    async def enable_user(user_id: str) -> Response:
        """Enable a disabled user; old sessions and tokens stay ended."""
        return await set_disabled(user_id, False)


def _add_changing(routes: Blueprint, state: HttpState) -> None:
    change = state.services.identity.change_user

    @routes.post("/users/<user_id>/password")
    @documented(replace(_change(409, 415), request=schemas.PasswordRequest))
    async def set_password(user_id: str) -> Response:
        """Set a password."""
        found = parse_id(user_id)
        fields = Fields(await small_body())
        password = fields.text("password", MAX_PASSWORD, least=MIN_PASSWORD)
        fields.done()
        user = await state.logins(change.set_password, found, password, actor=principal().username)
        state.revoked()
        return json_response(user_view(user))

    @routes.post("/users/<user_id>/role")
    @documented(replace(_change(409, 415), request=schemas.RoleRequest))
    async def set_role(user_id: str) -> Response:
        """Change a role: not one's own, and the last administrator stays one."""
        found = parse_id(user_id)
        fields = Fields(await small_body())
        role = fields.one_of("role", *Role)
        fields.done()
        who = principal()
        user = await state.offload(change.set_role, found, Role(role), actor=who.username, actor_id=who.user_id)
        state.revoked()
        return json_response(user_view(user))
