"""Users, tokens and sessions for the contract suites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from domain.common.ids import new_id
from domain.identity.model import ApiToken, AuditEvent, Role, Scope, Session, User
from domain.identity.ports import IdentityWork

Work = Callable[[], IdentityWork]
T = TypeVar("T")

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def do(work: Work, action: Callable[[IdentityWork], T]) -> T:
    """Run one action in a unit of work of its own and commit it."""
    with work() as unit:
        result = action(unit)
        unit.commit()
    return result


def make_user(**fields: Any) -> User:
    """Return a trader, with some fields replaced."""
    number = new_id()
    values: dict[str, Any] = {"id": number, "username": f"u{number}", "role": Role.TRADER, "created_at": NOW_MS}
    return User(**{**values, **fields})


def add_user(work: Work, **fields: Any) -> User:
    """Store a user."""
    user = make_user(**fields)
    do(work, lambda unit: unit.users.add(user))
    return user


def add_token(work: Work, user: User, **fields: Any) -> ApiToken:
    """Store a token of a user that may read jobs for an hour."""
    number = new_id()
    values: dict[str, Any] = {
        "id": number,
        "user_id": user.id,
        "name": "laptop",
        "prefix": f"ait_{number[-12:]}",
        "secret_hash": "0" * 64,
        "scopes": frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE}),
        "created_at": NOW_MS,
        "expires_at": NOW_MS + HOUR_MS,
    }
    token = ApiToken(**{**values, **fields})
    do(work, lambda unit: unit.tokens.add(token))
    return token


def add_session(work: Work, user: User, **fields: Any) -> Session:
    """Store a session of a user."""
    number = new_id()
    values: dict[str, Any] = {
        "id": number,
        "user_id": user.id,
        "secret_hash": number.replace("-", "").rjust(64, "0"),
        "csrf": "c" * 43,
        "created_at": NOW_MS,
        "expires_at": NOW_MS + HOUR_MS,
        "seen_at": NOW_MS,
    }
    session = Session(**{**values, **fields})
    do(work, lambda unit: unit.sessions.add(session))
    return session


def append(work: Work, action: str = "token.created", **fields: Any) -> None:
    """Append a line to the audit log."""
    values: dict[str, Any] = {"time": NOW_MS, "actor": "ann", "action": action, "subject": "s", "details": {"n": 1}}
    do(work, lambda unit: unit.audit.append(**{**values, **fields}))


def lines(work: Work, after_id: int = 0) -> list[AuditEvent]:
    """Read the audit log."""
    with work() as unit:
        return list(unit.audit.read(after_id))
