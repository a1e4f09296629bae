"""Users by name, for programs that submit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from domain.common.errors import Conflict, Invalid, NotFound
from domain.common.time import Clock
from domain.identity.model import User
from domain.identity.users import OWNER, EnsureOwner, FindUser

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
