"""Ports of identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from domain.common.idempotency import IdempotencyKeys
from domain.common.unit_of_work import UnitOfWork
from domain.identity.model import ApiToken, AuditEvent, ChainCheck, Role, Session, User


class PasswordHasher(Protocol):
    """Hashes and checks passwords, slowly on purpose. Call it from a worker thread; few may run at once."""

    def hash(self, password: str) -> str:
        """Return a salted hash with its parameters."""
        ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """Return whether the password fits; with None, take as long as a real check and return False."""
        ...


class UserRepository(Protocol):
    """Users in SQL. Users are disabled, never deleted: what they did stays theirs."""

    def add(self, user: User) -> None:
        """Insert a user.

        Raises:
            Conflict: the username or e-mail is taken.
        """
        ...

    def get(self, user_id: str) -> User:
        """Return a user by id.

        Raises:
            NotFound: there is no such user.
        """
        ...

    def find(self, name: str) -> User | None:
        """Return a user by username or id; None when there is none."""
        ...

    def list(self) -> list[User]:
        """Return all users, by username."""
        ...

    def page(self, *, before_id: str | None, limit: int) -> Sequence[User]:
        """Return users, newest first, older than ``before_id``."""
        ...

    def save(self, user: User) -> User:
        """Write a user back if nobody else changed it meanwhile; return it with its new version.

        Raises:
            Conflict: someone else changed it.
        """
        ...

    def active_with_role(self, role: Role) -> int:
        """Return how many users that are not disabled have a role."""
        ...


class TokenRepository(Protocol):
    """API tokens in SQL."""

    def add(self, token: ApiToken) -> None:
        """Insert a token."""
        ...

    def by_prefix(self, prefix: str) -> ApiToken | None:
        """Return the token with this public prefix."""
        ...

    def get(self, token_id: str, user_id: str | None) -> ApiToken:
        """Return a token; with ``user_id``, only if it belongs to that user.

        Raises:
            NotFound: there is no such token, or it is someone else's.
        """
        ...

    def list(self, user_id: str | None) -> list[ApiToken]:
        """Return tokens, newest first; with None, everyone's."""
        ...

    def page(self, user_id: str, *, before_id: str | None, limit: int) -> Sequence[ApiToken]:
        """Return a user's tokens, newest first, older than ``before_id``."""
        ...

    def revoke(self, token_id: str, at_ms: int) -> None:
        """End a token at a time; an earlier end stays."""
        ...

    def revoke_all(self, user_id: str, at_ms: int) -> None:
        """End all tokens of a user."""
        ...

    def shorten(self, token_id: str, expires_at: int) -> None:
        """Let a token expire earlier; never later."""
        ...

    def touch(self, token_id: str, at_ms: int) -> None:
        """Remember that a token was used."""
        ...


class SessionRepository(Protocol):
    """Browser sessions in SQL."""

    def add(self, session: Session) -> None:
        """Insert a session."""
        ...

    def by_hash(self, secret_hash: str) -> Session | None:
        """Return the session with this hash of its secret."""
        ...

    def touch(self, session_id: str, at_ms: int) -> None:
        """Remember that a session was used."""
        ...

    def revoke(self, session_id: str, at_ms: int) -> None:
        """End a session."""
        ...

    def revoke_all(self, user_id: str, at_ms: int) -> None:
        """End all sessions of a user."""
        ...


class LoginFailures(Protocol):
    """Failed logins of the last while, by key: an account or an address."""

    def add(self, key: str, at_ms: int) -> None:
        """Remember a failure."""
        ...

    def recent(self, key: str, since_ms: int) -> tuple[int, int | None]:
        """Return how many failures there were since then, and when the last was."""
        ...

    def clear(self, key: str) -> None:
        """Forget the failures of a key."""
        ...

    def prune(self, before_ms: int) -> None:
        """Forget failures from before then."""
        ...


class LoginLinks(Protocol):
    """One-time login links."""

    def add(self, secret_hash: str, user_id: str, expires_at: int) -> None:
        """Store a link."""
        ...

    def take(self, secret_hash: str, now_ms: int) -> str | None:
        """Use a link up and return its user's id; None when it is unknown, used or expired."""
        ...


class AuditLog(Protocol):
    """The append-only, hash-chained audit log."""

    def append(self, *, time: int, actor: str, action: str, subject: str, details: dict[str, Any]) -> None:
        """Add a line. Lines of concurrent transactions are chained in the order of their commits."""
        ...

    def read(self, after_id: int = 0) -> Iterator[AuditEvent]:
        """Yield lines in order, those after a number."""
        ...

    def newest(self, limit: int) -> list[AuditEvent]:
        """Return the last lines, newest first."""
        ...

    def verify(self, after_id: int = 0) -> ChainCheck:
        """Check numbers and hashes of the lines after a number, which is believed itself."""
        ...


class IdentityWork(UnitOfWork, Protocol):
    """The part of a unit of work that identity may touch."""

    @property
    def users(self) -> UserRepository:
        """Users."""
        ...

    @property
    def tokens(self) -> TokenRepository:
        """API tokens."""
        ...

    @property
    def sessions(self) -> SessionRepository:
        """Browser sessions."""
        ...

    @property
    def login_failures(self) -> LoginFailures:
        """Failed logins."""
        ...

    @property
    def login_links(self) -> LoginLinks:
        """One-time login links."""
        ...

    @property
    def idempotency_keys(self) -> IdempotencyKeys:
        """Keys of requests that created something."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...
