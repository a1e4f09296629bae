"""Use cases of identity on a new SQLite file, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.security.passwords import Argon2Hasher
from aitrader.testing.clock import FakeClock
from domain.common.errors import AITraderError, Conflict, Denied, Invalid
from domain.identity.authentication import Authenticate, LogIn, LoginByLink, LogOut
from domain.identity.model import Role, Scope, TooManyAttempts, Unauthenticated, User
from domain.identity.tokens import IssueToken, RevokeToken, RotateToken
from domain.identity.users import ChangeUser, CreateUser, EnsureOwner
from tests.unit.jobs.support import open_world

PASSWORD = "correct horse battery"
READ = frozenset({Scope.JOBS_READ})
HOUR_S = 3600.0


class World:
    """An installation with an owner, and its use cases."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_world(folder).engine
        work = partial(SqlUnitOfWork, self.engine)
        self.work, self.clock = work, FakeClock()
        hasher = Argon2Hasher(memory_kib=64)
        self.owner = EnsureOwner(work, self.clock)()
        self.authenticate = Authenticate(work, self.clock)
        self.log_in = LogIn(work, hasher, self.clock)
        self.log_out = LogOut(work, self.clock)
        self.links = LoginByLink(work, self.clock)
        self.issue = IssueToken(work, self.clock)
        self.rotate = RotateToken(work, self.clock)
        self.revoke = RevokeToken(work, self.clock)
        self.create = CreateUser(work, hasher, self.clock)
        self.change = ChangeUser(work, hasher, self.clock)

    def user(self, name: str = "ann", role: Role = Role.TRADER) -> User:
        return self.create(name, role, password=PASSWORD, actor="test")

    def token(self, user: User, days: int = 30) -> tuple[str, str]:
        issued = self.issue(user, "n", READ, days=days, actor="test")
        assert issued.text is not None
        return issued.token.id, issued.text


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.engine.dispose()


def refused(world: World, text: str) -> bool:
    try:
        world.authenticate.token(text)
    except Unauthenticated:
        return True
    return False


def test_a_token_tells_who_holds_it(world: World) -> None:
    ann = world.user()
    principal = world.authenticate.token(world.token(ann)[1])
    assert (principal.user_id, principal.username, principal.scopes) == (ann.id, "ann", READ)


def test_a_mistyped_token_is_no_token(world: World) -> None:
    text = world.token(world.user())[1]
    for wrong in (
        text[:-1],
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text[:20] + "0" + text[21:],
        "",
        "x" * 500,
    ):
        assert refused(world, wrong) or wrong == text


def test_a_token_ends_at_its_time(world: World) -> None:
    text = world.token(world.user(), days=1)[1]
    assert not refused(world, text)
    world.clock.advance(24 * HOUR_S)
    assert refused(world, text)


def test_a_revoked_token_is_believed_for_less_than_five_seconds(world: World) -> None:
    token_id, text = world.token(world.user())
    assert not refused(world, text)
    world.revoke(token_id, None, actor="test")
    world.clock.advance(4.9)
    assert refused(world, text)


def test_a_process_that_revokes_forgets_at_once(world: World) -> None:
    token_id, text = world.token(world.user())
    assert not refused(world, text)
    world.revoke(token_id, None, actor="test")
    world.authenticate.forget()
    assert refused(world, text)


def test_a_rotated_token_goes_on_for_a_day(world: World) -> None:
    token_id, text = world.token(world.user())
    new = world.rotate(token_id, None, actor="test")
    assert new.text is not None
    assert not refused(world, text)
    world.clock.advance(24 * HOUR_S + 1)
    assert (refused(world, text), refused(world, new.text)) == (True, False)


@pytest.mark.parametrize(
    ("role", "scopes", "holder", "days", "kind"),
    [
        (Role.VIEWER, {Scope.JOBS_WRITE}, None, 1, Denied),
        (Role.TRADER, {Scope.ADMIN}, None, 1, Denied),
        (Role.ADMIN, {Scope.JOBS_WRITE}, READ, 1, Denied),
        (Role.ADMIN, set(), None, 1, Invalid),
        (Role.ADMIN, {Scope.JOBS_READ}, None, 0, Invalid),
        (Role.ADMIN, {Scope.JOBS_READ}, None, 91, Invalid),
    ],
)
def test_nobody_gives_what_they_do_not_have(
    world: World,
    role: Role,
    scopes: set[Scope],
    holder: frozenset[Scope] | None,
    days: int,
    kind: type[AITraderError],
) -> None:
    with pytest.raises(kind):
        world.issue(world.user(role=role), "n", frozenset(scopes), days=days, actor="test", holder=holder)


def test_a_lower_role_takes_scopes_from_tokens_made_before(world: World) -> None:
    eve = world.user("eve", Role.ADMIN)
    text = world.issue(eve, "n", frozenset({Scope.ADMIN}), days=1, actor="test").text
    world.change.set_role(eve.id, Role.VIEWER, actor="test")
    assert text is not None
    assert refused(world, text)  # a change of role ends what was given out


def test_a_password_opens_a_session_until_it_is_idle_or_ended(world: World) -> None:
    world.user()
    opened = world.log_in("Ann ", PASSWORD, "10.0.0.1")
    assert opened.principal.csrf
    assert world.authenticate.session(opened.secret).username == "ann"
    world.clock.advance(31 * 60)
    with pytest.raises(Unauthenticated):
        world.authenticate.session(opened.secret)
    other = world.log_in("ann", PASSWORD, "10.0.0.1")
    world.log_out(other.principal)
    with pytest.raises(Unauthenticated):
        world.authenticate.session(other.secret)


@pytest.mark.parametrize("name", ["ann", "nobody", "dis", "tokens", "", "x" * 500, "a\x00"])
def test_whoever_fails_gets_the_same_answer(world: World, name: str) -> None:
    world.user()
    world.create("tokens", Role.TRADER, password=None, actor="test")
    world.change.set_disabled(world.user("dis").id, True, actor="test")
    with pytest.raises(Unauthenticated) as caught:
        world.log_in(name, "wrong" if name == "ann" else PASSWORD, "10.0.0.1")
    assert (caught.value.code, caught.value.detail) == ("login_failed", "unknown user or wrong password")


def test_a_storm_on_one_account_waits_while_another_logs_in(world: World) -> None:
    world.user()
    world.user("bob")
    for number in range(5):
        with pytest.raises(Unauthenticated):
            world.log_in("ann", "wrong", f"10.0.0.{number}")
    with pytest.raises(TooManyAttempts) as caught:
        world.log_in("ann", PASSWORD, "10.0.0.9")
    assert world.log_in("bob", PASSWORD, "10.0.0.9").principal.username == "bob"
    world.clock.advance(caught.value.retry_after_s)
    assert world.log_in("ann", PASSWORD, "10.0.0.9").principal.username == "ann"  # a wait, never a lock


def test_a_login_link_is_good_once_for_fifteen_minutes(world: World) -> None:
    secret = world.links.make(world.owner)
    assert world.links.use(secret, "::1").principal.username == "owner"
    late = world.links.make(world.owner)
    world.clock.advance(15 * 60 + 1)
    for used in (secret, late, "nonsense"):
        with pytest.raises(Unauthenticated) as caught:
            world.links.use(used, "::1")
        assert caught.value.code == "login_link_ended"


def test_the_last_administrator_stays(world: World) -> None:
    for change in (
        lambda: world.change.set_disabled(world.owner.id, True, actor="test"),
        lambda: world.change.set_role(world.owner.id, Role.VIEWER, actor="test"),
    ):
        with pytest.raises(Conflict) as caught:
            change()
        assert caught.value.code == "last_administrator"


def test_a_new_password_ends_everything_given_out(world: World) -> None:
    ann = world.user()
    text, session = world.token(ann)[1], world.log_in("ann", PASSWORD, "10.0.0.1")
    world.change.set_password(ann.id, PASSWORD + "!", actor="test")
    assert refused(world, text)
    with pytest.raises(Unauthenticated):
        world.authenticate.session(session.secret)


def test_everything_is_in_the_audit_log_without_a_secret(world: World) -> None:
    text = world.token(world.user())[1]
    world.log_in("ann", PASSWORD, "10.0.0.1")
    with pytest.raises(Unauthenticated):
        world.log_in("ann", "wrong", "10.0.0.1")
    with world.work() as work:
        lines = list(work.audit.read())
        assert work.audit.verify().broken_at is None
    assert [line.action for line in lines][-3:] == ["token.created", "login", "login.failed"]
    assert text not in str(lines)
    assert PASSWORD not in str(lines)
