"""The shapes of identity in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from adapters.http.schemas import Model

RoleName = Literal["admin", "trader", "viewer"]
ScopeName = Literal[
    "jobs:read",
    "jobs:write",
    "signals:read",
    "signals:write",
    "orders:read",
    "orders:write",
    "data:write",
    "metrics:read",
    "admin",
]

_USER_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f12"
_TOKEN_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f11"  # noqa: S105
_TIME = "2026-01-31T09:30:00.000Z"


class LoginRequest(Model):
    """A user and their password."""

    username: str = Field(min_length=1, max_length=64, examples=["ann"])
    password: str = Field(min_length=1, max_length=128, examples=["correct horse battery staple"])


class LinkRequest(Model):
    """The secret of a login link."""

    secret: str = Field(min_length=1, max_length=128, examples=["Q0pZ6T1nB3mXo8cVYk2wEr5uIa7sDf9gHj4lKz-x_yM"])


class WhoIs(Model):
    """The user behind a credential."""

    id: str = Field(examples=[_USER_ID])
    username: str = Field(examples=["ann"])
    role: RoleName


class SessionInfo(Model):
    """Who is asking, and what they may do."""

    user: WhoIs
    kind: Literal["session", "token"]
    scopes: list[ScopeName]
    csrf_token: str | None = Field(
        description="send it as X-CSRF-Token with every change; null for tokens",
        examples=["x0Zb7T1nB3mXo8cVYk2wEr5uIa7sDf9gHj4lKz-x_yM"],
    )
    expires_at: datetime = Field(examples=[_TIME])


class Token(Model):
    """An API token. Its text is shown once, when it is made."""

    id: UUID = Field(examples=[_TOKEN_ID])
    user_id: str = Field(examples=[_USER_ID])
    name: str = Field(examples=["laptop"])
    prefix: str = Field(description="the public start of its text", examples=["ait_3fZk9QpL"])
    scopes: list[ScopeName]
    created_at: datetime = Field(examples=[_TIME])
    expires_at: datetime = Field(examples=[_TIME])
    last_used_at: datetime | None = Field(examples=[None])
    revoked_at: datetime | None = Field(examples=[None])
    rotated_from: str | None = Field(description="the token that this one replaces", examples=[None])


class NewToken(Token):
    """A token that was just made."""

    token: str = Field(description="the text to send; kept nowhere, so keep it now", examples=["ait_3fZk9QpL_…"])


class TokenPage(Model):
    """Tokens, newest first. ``next_cursor`` is null on the last page."""

    items: list[Token]
    next_cursor: str | None = Field(examples=[None])


class NewTokenRequest(Model):
    """A token to make."""

    name: str = Field(min_length=1, max_length=64, examples=["laptop"])
    scopes: list[ScopeName] = Field(min_length=1, max_length=32, examples=[["jobs:read", "jobs:write"]])
    expires_in_days: int = Field(default=30, ge=1, le=90, examples=[30])


class User(Model):
    """A user of this installation."""

    id: str = Field(examples=[_USER_ID])
    username: str = Field(examples=["ann"])
    email: str | None = Field(examples=[None])
    role: RoleName
    has_password: bool = Field(description="whether the user can log in with one", examples=[True])
    disabled_at: datetime | None = Field(examples=[None])
    created_at: datetime = Field(examples=[_TIME])


class UserPage(Model):
    """Users, newest first. ``next_cursor`` is null on the last page."""

    items: list[User]
    next_cursor: str | None = Field(examples=[None])


class NewUserRequest(Model):
    """A user to make."""

    username: str = Field(
        min_length=1, max_length=64, description="a-z, 0-9 and _.-, starting with a letter", examples=["ann"]
    )
    role: RoleName = Field(examples=["trader"])
    password: str | None = Field(
        default=None, min_length=12, max_length=128, description="null: the user can only use tokens"
    )
    email: str | None = Field(default=None, min_length=1, max_length=254, examples=["ann@example.org"])


class PasswordRequest(Model):
    """A new password."""

    password: str = Field(min_length=12, max_length=128, examples=["correct horse battery staple"])


class RoleRequest(Model):
    """A new role."""

    role: RoleName = Field(examples=["viewer"])


class PageQuery(Model):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=200, description="how many at most")
    cursor: str | None = Field(
        default=None, pattern="^[A-Za-z0-9_-]{21}[AQgw]$", description="next_cursor of the page before"
    )
