"""Who may reach this installation: its owner, users by name, and the addresses it may listen on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.common.errors import Conflict, Invalid, NotFound
from domain.common.time import Clock
from domain.identity.model import Role, User
from domain.identity.users import OWNER, EnsureOwner, FindUser

if TYPE_CHECKING:
    from aitrader.container import Container

_BELIEVED_MS = 4_000
_MOST_KNOWN = 10_000


def owner_of(find: FindUser, ensure: EnsureOwner) -> User:
    """Return the owner of this installation, made now if there was none; also when two make it at once."""
    try:
        return find(OWNER)
    except NotFound:
        pass
    try:
        return ensure()
    except Conflict:
        return find(OWNER)


class UserIds:
    """Ids of users by name, for programs that submit. An answer is believed for 4 seconds."""

    def __init__(self, find: Callable[[], FindUser], ensure: Callable[[], EnsureOwner], clock: Clock) -> None:
        self._find = find
        self._ensure = ensure
        self._clock = clock
        self._known: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> str:
        """Return the id of a user named by username or id.

        Raises:
            Invalid: there is no such user, or it is disabled; the message says how to make one.
        """
        now = self._clock.now_ms()
        with self._lock:
            known = self._known.get(name)
        if known is not None and now - known[0] < _BELIEVED_MS:
            return known[1]
        user = self._look(name)
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[name] = (now, user.id)
        return user.id

    def _look(self, name: str) -> User:
        try:
            user = owner_of(self._find(), self._ensure()) if name == OWNER else self._find()(name)
        except NotFound as error:
            raise Invalid(error.detail, code="unknown_user") from None
        if user.disabled_at is not None:
            raise Invalid(
                f"the user {user.username!r} is disabled; enable it with: aitrader user enable {user.username}",
                code="user_disabled",
            )
        return user


def exposure(container: Container) -> str | None:
    """Return why this installation must not listen where the settings say, and what to do; None when it may.

    Beyond this machine, passwords and tokens need an encrypted way, and an administrator must have a password: the
    login link of the first start is printed on this machine only.
    """
    settings = container.settings()
    if settings.loopback:
        return None
    if settings.tls_cert is None and not settings.trusted_proxies:
        return (
            f"will not listen on {settings.host or 'all addresses'} unencrypted: set AITRADER_TLS_CERT and "
            "AITRADER_TLS_KEY, or AITRADER_TRUSTED_PROXIES to the address of the HTTPS proxy in front, "
            "or AITRADER_HOST=127.0.0.1"
        )
    if not any(_can_log_in(user) for user in container.find_user().all()):
        return (
            f"will not listen on {settings.host or 'all addresses'} while no administrator has a password: set one "
            f"with: aitrader user password {OWNER}"
        )
    return None


def _can_log_in(user: User) -> bool:
    return user.role is Role.ADMIN and user.disabled_at is None and user.password_hash is not None


def require_safe_bind(container: Container) -> None:
    """Check that the API may listen where the settings say; the database must be migrated.

    Raises:
        Conflict: it would be open to others unprotected; the message says what to do.
    """
    reason = exposure(container)
    if reason is not None:
        raise Conflict(reason, code="unsafe_bind")
