"""Use cases of API tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.common.errors import Conflict, Denied, FieldError, Invalid
from domain.common.idempotency import Once
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.identity.model import ROLE_SCOPES, ApiToken, Scope, User
from domain.identity.ports import IdentityWork
from domain.identity.secrets import new_token, secret_hash

Work = Callable[[], IdentityWork]

DAY_MS = 24 * 3_600_000
MAX_DAYS = 90
OVERLAP_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Issued:
    """A token with its text, which is shown once and kept nowhere: None when an earlier request made the token."""

    token: ApiToken
    text: str | None


def allowed_scopes(user: User, wanted: frozenset[Scope], holder: frozenset[Scope] | None = None) -> frozenset[Scope]:
    """Return ``wanted``; a token may do no more than its user's role, nor than whoever makes it.

    Raises:
        Denied: it would.
    """
    most = ROLE_SCOPES[user.role] if holder is None else ROLE_SCOPES[user.role] & holder
    beyond = wanted - most
    if beyond:
        names = ", ".join(sorted(beyond))
        raise Denied(f"you cannot give what you do not have: {names}", code="scope_not_allowed")
    return wanted


@dataclass(frozen=True, slots=True)
class IssueToken:
    """Make a token."""

    unit_of_work: Work
    clock: Clock

    def __call__(
        self,
        user: User,
        name: str,
        scopes: frozenset[Scope],
        *,
        days: int,
        actor: str,
        holder: frozenset[Scope] | None = None,
        once: Once | None = None,
    ) -> Issued:
        """Return the token and its text.

        Args:
            days: until it expires, 1 to 90.
            holder: the scopes of whoever makes it; None on the command line.
            once: makes repeating this harmless.

        Raises:
            Invalid: no scope, no name, a bad number of days, or a key used for another request.
            Denied: a scope beyond the user's role or the holder's own.
        """
        _check(name, scopes, days)
        now = self.clock.now_ms()
        issued = _new(user.id, name.strip(), allowed_scopes(user, scopes, holder), now, days * DAY_MS)
        with self.unit_of_work() as work:
            earlier = _earlier(work, once, issued.token, now)
            if earlier is not None:
                return earlier
            work.tokens.add(issued.token)
            _audit(work, issued.token, "token.created", actor, now)
            work.commit()
        return issued


@dataclass(frozen=True, slots=True)
class RotateToken:
    """Replace a token by a new one; the old one goes on for a day."""

    unit_of_work: Work
    clock: Clock

    def __call__(
        self,
        token_id: str,
        user_id: str | None,
        *,
        actor: str,
        holder: frozenset[Scope] | None = None,
        once: Once | None = None,
    ) -> Issued:
        """Return the new token, which may do the same for as long as the old one was made for.

        Args:
            holder: the scopes of whoever asks; None on the command line.
            once: makes repeating this harmless.

        Raises:
            NotFound: there is no such token, or it is someone else's.
            Conflict: it has been revoked or has expired.
            Denied: it may do more than whoever asks.
            Invalid: a key used for another request.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            old = work.tokens.get(token_id, user_id)
            life = min(MAX_DAYS * DAY_MS, old.expires_at - old.created_at)
            issued = _new(old.user_id, old.name, old.scopes, now, life, old.id)
            earlier = _earlier(work, once, issued.token, now)
            if earlier is not None:
                return earlier
            if old.revoked_at is not None or old.expires_at <= now:
                raise Conflict("the token has ended; make a new one instead", code="token_ended")
            allowed_scopes(work.users.get(old.user_id), old.scopes, holder)
            work.tokens.shorten(old.id, min(old.expires_at, now + OVERLAP_MS))
            work.tokens.add(issued.token)
            _audit(work, issued.token, "token.rotated", actor, now)
            work.commit()
        return issued


@dataclass(frozen=True, slots=True)
class RevokeToken:
    """End a token now."""

    unit_of_work: Work
    clock: Clock

    def __call__(self, token_id: str, user_id: str | None, *, actor: str) -> ApiToken:
        """Return the token as it is now; ending an ended one changes nothing.

        Raises:
            NotFound: there is no such token, or it is someone else's.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            token = work.tokens.get(token_id, user_id)
            if token.revoked_at is None:
                work.tokens.revoke(token.id, now)
                _audit(work, token, "token.revoked", actor, now)
                work.commit()
        with self.unit_of_work() as work:
            return work.tokens.get(token_id, user_id)


@dataclass(frozen=True, slots=True)
class ListTokens:
    """Read tokens; never their text, which is kept nowhere."""

    unit_of_work: Work

    def __call__(self, user_id: str | None) -> list[ApiToken]:
        """Return tokens, newest first; with None, everyone's."""
        with self.unit_of_work() as work:
            return work.tokens.list(user_id)

    def page(self, user_id: str, *, before_id: str | None, limit: int) -> tuple[Sequence[ApiToken], str | None]:
        """Return one page of a user's tokens, newest first, and the id to continue before; None at the end."""
        with self.unit_of_work() as work:
            found = work.tokens.page(user_id, before_id=before_id, limit=limit + 1)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None

    def one(self, token_id: str, user_id: str) -> ApiToken:
        """Return a token of a user.

        Raises:
            NotFound: there is no such token, or it is someone else's.
        """
        with self.unit_of_work() as work:
            return work.tokens.get(token_id, user_id)


def _earlier(work: IdentityWork, once: Once | None, token: ApiToken, now: int) -> Issued | None:
    """Return what an earlier request with the same key made; else None, and the key is now this token's."""
    resource = None if once is None else work.idempotency_keys.claim(once, token.id, now)
    return None if resource is None else Issued(work.tokens.get(resource, token.user_id), None)


def _new(
    user_id: str, name: str, scopes: frozenset[Scope], now: int, life_ms: int, rotated_from: str | None = None
) -> Issued:
    text, prefix = new_token()
    token = ApiToken(
        new_id(), user_id, name, prefix, secret_hash(text), scopes, now, now + life_ms, rotated_from=rotated_from
    )
    return Issued(token, text)


def _check(name: str, scopes: frozenset[Scope], days: int) -> None:
    problems = []
    if not 1 <= len(name.strip()) <= 64:
        problems.append(FieldError("name", "must have 1 to 64 characters"))
    if not scopes:
        problems.append(FieldError("scopes", "must hold at least one scope"))
    if not 1 <= days <= MAX_DAYS:
        problems.append(FieldError("expires_in_days", f"must be 1 to {MAX_DAYS}"))
    if problems:
        raise Invalid("the token is not valid", code="invalid_token_request", errors=problems)


def _audit(work: IdentityWork, token: ApiToken, action: str, actor: str, now: int) -> None:
    details = {"name": token.name, "prefix": token.prefix, "scopes": sorted(token.scopes), "user_id": token.user_id}
    work.audit.append(time=now, actor=actor, action=action, subject=token.id, details=details)
