"""Use cases of proving who one is: tokens, logins, sessions, login links."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.common.errors import Denied, NotFound
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.identity.model import (
    ROLE_SCOPES,
    SESSION,
    TOKEN,
    ApiToken,
    Principal,
    Session,
    TooManyAttempts,
    Unauthenticated,
    User,
)
from domain.identity.ports import IdentityWork, PasswordHasher
from domain.identity.secrets import new_secret, same, secret_hash, token_prefix

Work = Callable[[], IdentityWork]

SESSION_MS = 12 * 3_600_000
IDLE_MS = 30 * 60_000
LINK_MS = 15 * 60_000
RECENT_MS = 15 * 60_000
RECHECK_MS = 4_000  # a revoked credential must stop working within 5 s, so a good one is believed for less
_TOUCH_MS = 60_000
_WINDOW_MS = 15 * 60_000
_FREE_PER_ACCOUNT = 5
_FREE_PER_ADDRESS = 30
_LONGEST_DELAY_MS = 60_000
_REFUSED = "the credentials are not valid"


class Authenticate:
    """Tell who holds a token or a session secret. A good answer is kept for a moment, a bad one never.

    Args:
        unit_of_work: writes when a credential was last used.
        read_work: reads; the same as ``unit_of_work`` when None.
    """

    def __init__(self, unit_of_work: Work, clock: Clock, read_work: Work | None = None) -> None:
        self._unit_of_work = unit_of_work
        self._read_work = read_work or unit_of_work
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[int, Principal]] = {}
        self._forgotten = 0
        self._lock = threading.Lock()

    def known(self, kind: str, secret: str) -> Principal | None:
        """Return whose token or session (``kind``) this is if that was learnt a moment ago; asks no database."""
        return self._recall((kind, secret_hash(secret)))

    def token(self, text: str) -> Principal:
        """Return who holds a token.

        Raises:
            Unauthenticated: mistyped, unknown, expired, revoked, or its user is disabled.
        """
        prefix = token_prefix(text)
        if prefix is None:
            raise Unauthenticated(_REFUSED)
        return self._remembered((TOKEN, secret_hash(text)), lambda hashed: self._by_token(prefix, hashed))

    def session(self, secret: str) -> Principal:
        """Return whose browser session it is.

        Raises:
            Unauthenticated: unknown, ended, idle for too long, or its user is disabled.
        """
        return self._remembered((SESSION, secret_hash(secret)), self._by_session)

    def still(self, principal: Principal) -> bool:
        """Return whether the credential behind a principal is still good; asks the database."""
        return not self.ended([principal])

    def ended(self, principals: Sequence[Principal]) -> list[Principal]:
        """Return those whose credential is no longer good; asks the database, once for all."""
        now = self._clock.now_ms()
        with self._read_work() as work:
            return [principal for principal in principals if not _still(work, principal, now)]

    def recent(self, principal: Principal) -> bool:
        """Return whether a login is so recent that what matters most may be done with it."""
        return self._clock.now_ms() - principal.since <= RECENT_MS

    def forget(self) -> None:
        """Believe nothing that was learnt before: after a revocation in this process."""
        with self._lock:
            self._known.clear()
            self._forgotten += 1

    def _recall(self, key: tuple[str, str]) -> Principal | None:
        now = self._clock.now_ms()
        with self._lock:
            known = self._known.get(key)
        # A token must not pass as a session's cookie, nor the reverse: so the key holds the kind.
        fresh = known is not None and now - known[0] < RECHECK_MS and known[1].expires_at > now
        return known[1] if known is not None and fresh else None

    def _remembered(self, key: tuple[str, str], find: Callable[[str], Principal]) -> Principal:
        known = self._recall(key)
        if known is not None:
            return known
        with self._lock:
            now, forgotten = self._clock.now_ms(), self._forgotten
        principal = find(key[1])
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            if forgotten == self._forgotten:
                self._known[key] = (now, principal)
        return principal

    def _by_token(self, prefix: str, hashed: str) -> Principal:
        now = self._clock.now_ms()
        with self._read_work() as work:
            token = work.tokens.by_prefix(prefix)
            if token is None or not same(token.secret_hash, hashed):
                raise Unauthenticated(_REFUSED)
            user = _active(work, token.user_id)
        if token.revoked_at is not None or token.expires_at <= now:
            raise Unauthenticated("the token has expired or was revoked", code="token_ended")
        if token.last_used_at is None or now - token.last_used_at > _TOUCH_MS:
            with self._unit_of_work() as work:
                work.tokens.touch(token.id, now)
                work.commit()
        return _token_principal(user, token)

    def _by_session(self, hashed: str) -> Principal:
        now = self._clock.now_ms()
        with self._read_work() as work:
            session = work.sessions.by_hash(hashed)
            if session is None:
                raise Unauthenticated(_REFUSED)
            user = _active(work, session.user_id)
        if _session_ended(session, now):
            raise Unauthenticated("the session has ended; log in again", code="session_ended")
        if now - session.seen_at > _TOUCH_MS:
            with self._unit_of_work() as work:
                work.sessions.touch(session.id, now)
                work.commit()
        return _session_principal(user, session)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session with its secret, which goes into the cookie and is kept nowhere else."""

    principal: Principal
    secret: str


@dataclass(slots=True)
class LogIn:
    """Check a password and open a session. Unknown users and wrong passwords look and take the same."""

    unit_of_work: Work
    hasher: PasswordHasher
    clock: Clock
    _hashing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))

    def __call__(self, username: str, password: str, address: str) -> NewSession:
        """Return the new session.

        Raises:
            Unauthenticated: unknown, disabled, without a password, or the wrong one.
            TooManyAttempts: this account or address failed too often; says when to come back.
        """
        user = self.check(username, password, address)
        return self._open(user, user.username, address)

    def check(self, username: str, password: str, address: str) -> User:
        """Return the user if the password is theirs; opens no session. Failures count like those of a login.

        Raises:
            Unauthenticated: unknown, disabled, without a password, or the wrong one.
            TooManyAttempts: this account or address failed too often; says when to come back.
        """
        name = username.strip().lower()[:64]
        self._throttle(name, address)
        with self.unit_of_work() as work:
            user = work.users.find(name)
        if user is not None and user.username != name:  # an id: it would have failures of its own
            user = None
        hashed = None if user is None or user.disabled_at is not None else user.password_hash
        with self._hashing:
            good = self.hasher.verify(password, hashed)
        if not good or user is None:
            self._refuse(name, address)
        assert user is not None
        return user

    def _keys(self, name: str, address: str) -> dict[str, int]:
        return {f"account:{name}": _FREE_PER_ACCOUNT, f"address:{address}": _FREE_PER_ADDRESS}

    def _throttle(self, name: str, address: str) -> None:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            for key, free in self._keys(name, address).items():
                count, last = work.login_failures.recent(key, now - _WINDOW_MS)
                if count < free or last is None:
                    continue
                wait = last + min(_LONGEST_DELAY_MS, 1000 * 2 ** min(count - free, 10)) - now
                if wait > 0:
                    raise TooManyAttempts(-(-wait // 1000))

    def _refuse(self, name: str, address: str) -> None:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            for key in self._keys(name, address):
                work.login_failures.add(key, now)
            work.login_failures.prune(now - 2 * _WINDOW_MS)
            work.audit.append(
                time=now, actor=address, action="login.failed", subject=name, details={"address": address}
            )
            work.commit()
        raise Unauthenticated("unknown user or wrong password", code="login_failed")

    def _open(self, user: User, name: str, address: str) -> NewSession:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            work.login_failures.clear(f"account:{name}")
            opened = open_session(work, user, now, address, "login")
            work.commit()
        return opened


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Ask someone who is logged in for their password again, before something that must not happen by accident."""

    log_in: LogIn
    read_work: Work

    def __call__(self, user_id: str, password: str) -> None:
        """Return if the password is the user's.

        Raises:
            Denied: it is not, or the user has none.
            TooManyAttempts: it was wrong too often; says when to come back.
        """
        with self.read_work() as work:
            user = work.users.get(user_id)
        try:
            self.log_in.check(user.username, password, f"again:{user.id}")
        except Unauthenticated:
            raise Denied("the password is not right", code="wrong_password") from None


@dataclass(frozen=True, slots=True)
class LoginByLink:
    """Make and use one-time login links, as for the owner on first start."""

    unit_of_work: Work
    clock: Clock

    def make(self, user: User) -> str:
        """Return the secret of a new link, good once and for 15 minutes."""
        secret = new_secret()
        with self.unit_of_work() as work:
            work.login_links.add(secret_hash(secret), user.id, self.clock.now_ms() + LINK_MS)
            work.commit()
        return secret

    def use(self, secret: str, address: str) -> NewSession:
        """Return a new session.

        Raises:
            Unauthenticated: the link is unknown, used, or older than 15 minutes.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            user_id = work.login_links.take(secret_hash(secret), now)
            if user_id is None:
                raise Unauthenticated("the login link was used or has expired", code="login_link_ended")
            opened = open_session(work, _active(work, user_id), now, address, "login.link")
            work.commit()
        return opened


@dataclass(frozen=True, slots=True)
class LogOut:
    """End a session."""

    unit_of_work: Work
    clock: Clock

    def __call__(self, principal: Principal) -> None:
        """End the session behind a principal."""
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            work.sessions.revoke(principal.credential_id, now)
            work.audit.append(
                time=now, actor=principal.username, action="logout", subject=principal.credential_id, details={}
            )
            work.commit()


def open_session(work: IdentityWork, user: User, now: int, address: str, action: str) -> NewSession:
    """Store a new session and its audit line in the caller's transaction."""
    secret = new_secret()
    session = Session(new_id(), user.id, secret_hash(secret), new_secret(), now, now + SESSION_MS, now)
    work.sessions.add(session)
    work.audit.append(time=now, actor=user.username, action=action, subject=session.id, details={"address": address})
    return NewSession(_session_principal(user, session), secret)


def _session_principal(user: User, session: Session) -> Principal:
    return Principal(
        user.id,
        user.username,
        user.role,
        ROLE_SCOPES[user.role],
        SESSION,
        session.id,
        session.expires_at,
        csrf=session.csrf,
        credential_hash=session.secret_hash,
        since=session.created_at,
    )


def _token_principal(user: User, token: ApiToken) -> Principal:
    return Principal(
        user.id,
        user.username,
        user.role,
        token.scopes & ROLE_SCOPES[user.role],
        TOKEN,
        token.id,
        token.expires_at,
        credential_hash=token.secret_hash,
        since=token.created_at,
    )


def _session_ended(session: Session, now: int) -> bool:
    return session.revoked_at is not None or session.expires_at <= now or now - session.seen_at > IDLE_MS


def _still(work: IdentityWork, principal: Principal, now: int) -> bool:
    user = work.users.find(principal.user_id)
    if user is None or user.disabled_at is not None:
        return False
    if principal.is_session:
        session = work.sessions.by_hash(principal.credential_hash)
        return session is not None and not _session_ended(session, now)
    try:
        token = work.tokens.get(principal.credential_id, principal.user_id)
    except NotFound:
        return False
    return token.revoked_at is None and token.expires_at > now


def _active(work: IdentityWork, user_id: str) -> User:
    user = work.users.find(user_id)
    if user is None or user.disabled_at is not None:
        raise Unauthenticated(_REFUSED)
    return user
