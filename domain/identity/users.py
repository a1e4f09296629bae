"""Use cases of users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from domain.common.errors import Conflict, Denied, FieldError, Invalid, NotFound
from domain.common.idempotency import Once
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
        self,
        username: str,
        role: Role,
        *,
        password: str | None,
        actor: str,
        email: str | None = None,
    ) -> User:
        """Return the new user; without a password it can only use tokens.

        Raises:
            Invalid: the username or password is not allowed.
            Conflict: the username or e-mail is taken.
        """
        return self.once(None, username, role, password=password, actor=actor, email=email)[0]

    def once(
        self,
        once: Once | None,
        username: str,
        role: Role,
        *,
        password: str | None,
        actor: str,
        email: str | None = None,
    ) -> tuple[User, bool]:
        """Return the new user and True; or False and the user whom an earlier request with the same key made.

        Raises:
            Invalid: as above, or the key was used for another request.
            Conflict: as above.
        """
        name = parse_username(username)
        hashed = None if password is None else self.hasher.hash(check_password(password))
        user = User(new_id(), name, role, self.clock.now_ms(), email=email, password_hash=hashed)
        with self.unit_of_work() as work:
            earlier = None if once is None else work.idempotency_keys.claim(once, user.id, user.created_at)
            if earlier is not None:
                return work.users.get(earlier), False
            work.users.add(user)
            work.audit.append(
                time=user.created_at,
                actor=actor,
                action="user.created",
                subject=user.id,
                details={"username": name, "role": role.value},
            )
            work.commit()
        return user, True


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

    def one(self, user_id: str) -> User:
        """Return a user by id.

        Raises:
            NotFound: there is none.
        """
        with self.unit_of_work() as work:
            return work.users.get(user_id)

    def page(self, *, before_id: str | None, limit: int) -> tuple[Sequence[User], str | None]:
        """Return one page of users, newest first, and the id to continue before; None at the end."""
        with self.unit_of_work() as work:
            found = work.users.page(before_id=before_id, limit=limit + 1)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None


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

    def set_role(self, user_id: str, role: Role, *, actor: str, actor_id: str | None = None) -> User:
        """Change a role.

        Args:
            actor_id: the id of the user who asks; nobody changes their own role.

        Raises:
            Denied: it is the role of the user who asks.
            Conflict: this is the last administrator.
            NotFound: there is no such user.
        """
        if user_id == actor_id:
            raise Denied("you cannot change your own role; ask another administrator", code="own_role")
        return self._change(user_id, lambda user: replace(user, role=role), "user.role", actor)

    def _change(self, user_id: str, change: Callable[[User], User], action: str, actor: str) -> User:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            user = change(work.users.get(user_id))
            # First, because it waits for others who append: two administrators cannot end each other at once.
            work.audit.append(
                time=now,
                actor=actor,
                action=action,
                subject=user_id,
                details={"username": user.username, "role": user.role.value},
            )
            user = work.users.save(user)
            if work.users.active_with_role(Role.ADMIN) == 0:
                raise Conflict("this is the last administrator; make another first", code="last_administrator")
            work.sessions.revoke_all(user_id, now)
            work.tokens.revoke_all(user_id, now)
            work.commit()
        return user
