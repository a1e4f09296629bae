"""Users and what they prove themselves with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.common.errors import AITraderError, FieldError, Invalid

_USERNAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


SESSION = "session"
TOKEN = "token"  # noqa: S105 - a word, no secret


class Role(StrEnum):
    """What a user is. A role bounds the scopes of everything that the user holds."""

    ADMIN = "admin"
    TRADER = "trader"
    VIEWER = "viewer"


class Scope(StrEnum):
    """One permission. ``admin`` implies no other; it opens what only administrators do."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    SIGNALS_READ = "signals:read"
    SIGNALS_WRITE = "signals:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    DATA_WRITE = "data:write"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


_READ = frozenset({Scope.JOBS_READ, Scope.SIGNALS_READ, Scope.ORDERS_READ})
_TRADE = _READ | {Scope.JOBS_WRITE, Scope.SIGNALS_WRITE, Scope.ORDERS_WRITE, Scope.DATA_WRITE}
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: _READ,
    Role.TRADER: _TRADE,
    Role.ADMIN: frozenset(Scope),
}


class Unauthenticated(AITraderError):
    """You are not logged in."""

    code = "not_authenticated"


class TooManyAttempts(AITraderError):
    """Too many attempts; wait before the next."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed logins; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class User:
    """An account. Times are milliseconds UTC; ``password_hash`` None means that no password logs in."""

    id: str
    username: str
    role: Role
    created_at: int
    email: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    disabled_at: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token for programs. Only its public prefix and the SHA-256 of the whole are kept."""

    id: str
    user_id: str
    name: str
    prefix: str
    secret_hash: str = field(repr=False)
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None
    rotated_from: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in. Only the SHA-256 of its secret is kept; ``csrf`` must come with every change."""

    id: str
    user_id: str
    secret_hash: str = field(repr=False)
    csrf: str = field(repr=False)
    created_at: int
    expires_at: int
    seen_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and what they may do.

    ``credential_id`` is the id of the token or session; ``kind`` says which. ``csrf`` is set for sessions.
    ``since`` is when the session was opened or the token made.
    """

    user_id: str
    username: str
    role: Role
    scopes: frozenset[Scope]
    kind: str
    credential_id: str
    expires_at: int
    csrf: str | None = field(default=None, repr=False)
    credential_hash: str = field(default="", repr=False)
    since: int = 0

    @property
    def is_session(self) -> bool:
        """Whether this is a browser that logged in, as opposed to a token."""
        return self.kind == SESSION


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit log. ``hash`` chains it to the line before."""

    id: int
    time: int
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What checking the audit log found: how many lines were read, and the first that does not fit.

    ``head`` is the hash of the last good line. Lines cut off the end leave a chain that fits; compare ``head`` with
    one noted earlier to see that.
    """

    lines: int
    head: str
    broken_at: int | None = None
    reason: str = ""


def parse_username(text: str) -> str:
    """Return a username in lower case.

    Raises:
        Invalid: not 1 to 64 of a-z, 0-9, ``_.-``, starting with a letter.
    """
    name = text.strip().lower()
    if not _USERNAME.fullmatch(name):
        raise Invalid(
            f"{text[:64]!r} is not a username: use a-z, 0-9 and _.-, starting with a letter, at most 64",
            code="invalid_username",
            errors=[FieldError("username", "a-z, 0-9 and _.-, starting with a letter, at most 64")],
        )
    return name


def parse_scopes(names: list[str] | tuple[str, ...]) -> frozenset[Scope]:
    """Return scopes by name.

    Raises:
        Invalid: a name is not a scope; the message lists them all.
    """
    known = {scope.value: scope for scope in Scope}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Invalid(
            f"{unknown[0][:64]!r} is not a scope; known: {', '.join(known)}",
            code="unknown_scope",
            errors=[FieldError("scopes", f"expected some of: {', '.join(known)}")],
        )
    return frozenset(known[name] for name in names)
