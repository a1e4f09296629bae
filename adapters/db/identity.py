"""Users, tokens, sessions and logins in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.db.tables import login_failures, login_links, sessions, user_tokens, users
from domain.common.errors import Conflict, NotFound
from domain.identity.model import ApiToken, Role, Scope, Session, User


def _to_user(row: Row[Any]) -> User:
    return User(**{**row._mapping, "role": Role(row.role)})


class SqlUsers:
    """Users in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, user: User) -> None:
        """Insert a user."""
        try:
            self._connection.execute(insert(users).values(**asdict(user)))
        except IntegrityError as error:
            raise Conflict(f"the username {user.username!r} or its e-mail is taken", code="user_exists") from error

    def get(self, user_id: str) -> User:
        """Return a user by id."""
        row = self._connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
        if row is None:
            raise NotFound("there is no such user", code="user_not_found")
        return _to_user(row)

    def find(self, name: str) -> User | None:
        """Return a user by username or id."""
        if "\x00" in name:  # PostgreSQL refuses to look for it
            return None
        query = select(users).where(or_(users.c.username == name, users.c.id == name))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _to_user(row)

    def list(self) -> list[User]:
        """Return all users."""
        return [_to_user(row) for row in self._connection.execute(select(users).order_by(users.c.username))]

    def page(self, *, before_id: str | None, limit: int) -> Sequence[User]:
        """Return users, newest first."""
        query = select(users).order_by(users.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(users.c.id < before_id)
        return [_to_user(row) for row in self._connection.execute(query)]

    def save(self, user: User) -> User:
        """Write a user back."""
        saved = replace(user, version=user.version + 1)
        changed = update(users).where(users.c.id == user.id, users.c.version == user.version).values(**asdict(saved))
        if self._connection.execute(changed).rowcount != 1:
            raise Conflict("someone else changed this user; look again", code="user_changed")
        return saved

    def active_with_role(self, role: Role) -> int:
        """Return how many active users have a role."""
        query = select(func.count()).where(users.c.role == role, users.c.disabled_at.is_(None))
        return int(self._connection.execute(query).scalar_one())


def _to_token(row: Row[Any]) -> ApiToken:
    return ApiToken(**{**row._mapping, "scopes": frozenset(Scope(name) for name in row.scopes)})


class SqlTokens:
    """API tokens in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: ApiToken) -> None:
        """Insert a token."""
        row = {**asdict(token), "scopes": sorted(token.scopes)}
        self._connection.execute(insert(user_tokens).values(**row))

    def by_prefix(self, prefix: str) -> ApiToken | None:
        """Return the token with this public prefix."""
        row = self._connection.execute(select(user_tokens).where(user_tokens.c.prefix == prefix)).one_or_none()
        return None if row is None else _to_token(row)

    def get(self, token_id: str, user_id: str | None) -> ApiToken:
        """Return a token, only if it is the user's."""
        query = select(user_tokens).where(user_tokens.c.id == token_id)
        if user_id is not None:
            query = query.where(user_tokens.c.user_id == user_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("there is no such token", code="token_not_found")
        return _to_token(row)

    def list(self, user_id: str | None) -> list[ApiToken]:
        """Return tokens, newest first."""
        query = select(user_tokens).order_by(user_tokens.c.id.desc())
        if user_id is not None:
            query = query.where(user_tokens.c.user_id == user_id)
        return [_to_token(row) for row in self._connection.execute(query)]

    def page(self, user_id: str, *, before_id: str | None, limit: int) -> Sequence[ApiToken]:
        """Return tokens of a user, newest first."""
        query = select(user_tokens).where(user_tokens.c.user_id == user_id)
        if before_id is not None:
            query = query.where(user_tokens.c.id < before_id)
        newest = query.order_by(user_tokens.c.id.desc()).limit(limit)
        return [_to_token(row) for row in self._connection.execute(newest)]

    def revoke(self, token_id: str, at_ms: int) -> None:
        """End a token."""
        self._revoke(user_tokens.c.id == token_id, at_ms)

    def revoke_all(self, user_id: str, at_ms: int) -> None:
        """End all tokens of a user."""
        self._revoke(user_tokens.c.user_id == user_id, at_ms)

    def shorten(self, token_id: str, expires_at: int) -> None:
        """Let a token expire earlier."""
        sooner = (user_tokens.c.id == token_id, user_tokens.c.expires_at > expires_at)
        self._connection.execute(update(user_tokens).where(*sooner).values(expires_at=expires_at))

    def touch(self, token_id: str, at_ms: int) -> None:
        """Remember that a token was used."""
        self._connection.execute(update(user_tokens).where(user_tokens.c.id == token_id).values(last_used_at=at_ms))

    def _revoke(self, which: Any, at_ms: int) -> None:
        still = (which, user_tokens.c.revoked_at.is_(None))
        self._connection.execute(update(user_tokens).where(*still).values(revoked_at=at_ms))


class SqlSessions:
    """Browser sessions in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: Session) -> None:
        """Insert a session."""
        self._connection.execute(insert(sessions).values(**asdict(session)))

    def by_hash(self, secret_hash: str) -> Session | None:
        """Return the session with this hash of its secret."""
        row = self._connection.execute(select(sessions).where(sessions.c.secret_hash == secret_hash)).one_or_none()
        return None if row is None else Session(**row._mapping)

    def touch(self, session_id: str, at_ms: int) -> None:
        """Remember that a session was used."""
        self._connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=at_ms))

    def revoke(self, session_id: str, at_ms: int) -> None:
        """End a session."""
        self._revoke(sessions.c.id == session_id, at_ms)

    def revoke_all(self, user_id: str, at_ms: int) -> None:
        """End all sessions of a user."""
        self._revoke(sessions.c.user_id == user_id, at_ms)

    def _revoke(self, which: Any, at_ms: int) -> None:
        still = (which, sessions.c.revoked_at.is_(None))
        self._connection.execute(update(sessions).where(*still).values(revoked_at=at_ms))


class SqlLoginFailures:
    """Failed logins in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: str, at_ms: int) -> None:
        """Remember a failure."""
        self._connection.execute(insert(login_failures).values(key=key, failed_at=at_ms))

    def recent(self, key: str, since_ms: int) -> tuple[int, int | None]:
        """Return how many failures since then, and when the last was."""
        query = select(func.count(), func.max(login_failures.c.failed_at)).where(
            login_failures.c.key == key, login_failures.c.failed_at >= since_ms
        )
        count, last = self._connection.execute(query).one()
        return int(count), last

    def clear(self, key: str) -> None:
        """Forget the failures of a key."""
        self._connection.execute(delete(login_failures).where(login_failures.c.key == key))

    def prune(self, before_ms: int) -> None:
        """Forget old failures."""
        self._connection.execute(delete(login_failures).where(login_failures.c.failed_at < before_ms))


class SqlLoginLinks:
    """One-time login links in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, secret_hash: str, user_id: str, expires_at: int) -> None:
        """Store a link."""
        row = {"secret_hash": secret_hash, "user_id": user_id, "expires_at": expires_at}
        self._connection.execute(insert(login_links).values(**row))

    def take(self, secret_hash: str, now_ms: int) -> str | None:
        """Use a link up."""
        taken = (
            delete(login_links)
            .where(login_links.c.secret_hash == secret_hash)
            .returning(login_links.c.user_id, login_links.c.expires_at)
        )
        row = self._connection.execute(taken).one_or_none()
        return None if row is None or row.expires_at <= now_ms else str(row.user_id)
