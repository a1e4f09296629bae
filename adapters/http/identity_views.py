"""Users, tokens and sessions as clients see them: no hash, and no secret but once."""

from __future__ import annotations

from typing import Any

from domain.common.time import rfc3339
from domain.identity.model import ApiToken, Principal, User


def token_view(token: ApiToken) -> dict[str, Any]:
    """Return a token without its text."""
    return {
        "id": token.id,
        "user_id": token.user_id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": sorted(token.scopes),
        "created_at": _time(token.created_at),
        "expires_at": _time(token.expires_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
        "rotated_from": token.rotated_from,
    }


def user_view(user: User) -> dict[str, Any]:
    """Return a user."""
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "role": user.role.value,
        "has_password": user.password_hash is not None,
        "disabled_at": _time(user.disabled_at),
        "created_at": _time(user.created_at),
    }


def principal_view(principal: Principal) -> dict[str, Any]:
    """Return who is asking."""
    return {
        "user": {"id": principal.user_id, "username": principal.username, "role": principal.role.value},
        "kind": principal.kind,
        "scopes": sorted(principal.scopes),
        "csrf_token": principal.csrf,
        "expires_at": _time(principal.expires_at),
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
