"""Use cases of users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.common.errors import Conflict, FieldError, Invalid, NotFound
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.identity.model import Role, User, parse_username
from domain.identity.ports import IdentityWork, PasswordHasher

Work = Callable[[], IdentityWork]

OWNER = "owner"
MIN_PASSWORD = 12
MAX_PASSWORD = 128


def check_password(password: str) -> str:
    """Return the password.

    Raises:
        Invalid: shorter than 12 or longer than 128 characters.
    """
    if MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        return password
    message = f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"
    raise Invalid(f"the password {message}", code="bad_password", errors=[FieldError("password", message)])


@dataclass(frozen=True, slots=True)
class CreateUser:
    """Add a user."""

    unit_of_work: Work
    hasher: PasswordHasher
    clock: Clock

    def __call__(
        self, username: str, role: Role, *, password: str | None, actor: str, email: str | None = None
    ) -> User:
        """Return the new user; without a password it can only use tokens.

        Raises:
            Invalid: the username or password is not allowed.
            Conflict: the username or e-mail is taken.
        """
        name = parse_username(username)
        hashed = None if password is None else self.hasher.hash(check_password(password))
        user = User(new_id(), name, role, self.clock.now_ms(), email=email, password_hash=hashed)
        with self.unit_of_work() as work:
            work.users.add(user)
            work.audit.append(
                time=user.created_at,
                actor=actor,
                action="user.created",
                subject=user.id,
                details={"username": name, "role": role.value},
            )
            work.commit()
        return user


@dataclass(frozen=True, slots=True)
class EnsureOwner:
    """Make the owner of this installation on first start: an administrator without a password."""

    unit_of_work: Work
    clock: Clock

    def __call__(self) -> User:
        """Return the owner, made now if there was none."""
        with self.unit_of_work() as work:
            owner = work.users.find(OWNER)
            if owner is None:
                owner = User(new_id(), OWNER, Role.ADMIN, self.clock.now_ms())
                work.users.add(owner)
                work.audit.append(
                    time=owner.created_at,
                    actor="system",
                    action="user.created",
                    subject=owner.id,
                    details={"username": OWNER, "role": Role.ADMIN.value},
                )
                work.commit()
        return owner


@dataclass(frozen=True, slots=True)
class FindUser:
    """Read users."""

    unit_of_work: Work

    def __call__(self, name: str) -> User:
        """Return a user by username or id.

        Raises:
            NotFound: there is none; the message says how to make one.
        """
        with self.unit_of_work() as work:
            user = work.users.find(name)
        if user is None:
            raise NotFound(
                f"there is no user {name[:64]!r}; create one with: aitrader user create {name[:64]}",
                code="user_not_found",
            )
        return user

    def all(self) -> list[User]:
        """Return all users, by username."""
        with self.unit_of_work() as work:
            return work.users.list()


@dataclass(frozen=True, slots=True)
class ChangeUser:
    """Disable and enable users, change passwords and roles. Every change ends the user's sessions and tokens."""

    unit_of_work: Work
    hasher: PasswordHasher
    clock: Clock

    def set_password(self, user_id: str, password: str, *, actor: str) -> User:
        """Set a password.

        Raises:
            Invalid: the password is not allowed.
            NotFound: there is no such user.
        """
        hashed = self.hasher.hash(check_password(password))
        return self._change(user_id, lambda user: replace(user, password_hash=hashed), "user.password", actor)

    def set_disabled(self, user_id: str, disabled: bool, *, actor: str) -> User:
        """Disable or enable a user.

        Raises:
            Conflict: this is the last administrator.
            NotFound: there is no such user.
        """
        at = self.clock.now_ms() if disabled else None
        action = "user.disabled" if disabled else "user.enabled"
        return self._change(user_id, lambda user: replace(user, disabled_at=at), action, actor)

    def set_role(self, user_id: str, role: Role, *, actor: str) -> User:
        """Change a role.

        Raises:
            Conflict: this is the last administrator.
            NotFound: there is no such user.
        """
        return self._change(user_id, lambda user: replace(user, role=role), "user.role", actor)

    def _change(self, user_id: str, change: Callable[[User], User], action: str, actor: str) -> User:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            before = work.users.get(user_id)
            user = work.users.save(change(before))
            if work.users.active_with_role(Role.ADMIN) == 0:
                raise Conflict("this is the last administrator; make another first", code="last_administrator")
            work.sessions.revoke_all(user_id, now)
            work.tokens.revoke_all(user_id, now)
            work.audit.append(
                time=now,
                actor=actor,
                action=action,
                subject=user_id,
                details={"username": user.username, "role": user.role.value},
            )
            work.commit()
        return user
