"""What every `IdentityWork` does. Subclass `IdentityWorkContract` and override its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aitrader.testing.audit_log import AuditContract, Tamper
from aitrader.testing.identity_samples import (
    HOUR_MS,
    NOW_MS,
    Work,
    add_session,
    add_token,
    add_user,
    do,
    make_user,
)
from aitrader.testing.waiting import together
from domain.common.errors import Conflict, Invalid, NotFound
from domain.common.idempotency import KEPT_MS, Once
from domain.common.ids import new_id
from domain.identity.model import Role, Scope

__all__ = ["IdentityWorkContract", "Tamper", "Work"]


class UsersContract:
    """Tests for any `UserRepository`."""

    def test_a_user_comes_back_as_it_was_stored(self, work: Work) -> None:
        user = add_user(work, username="ann", email="ann@example.org", password_hash="$argon2id$…", role=Role.ADMIN)
        with work() as unit:
            assert unit.users.get(user.id) == user
            assert unit.users.find("ann") == unit.users.find(user.id) == user

    @pytest.mark.parametrize("name", ["", "nobody", "ann\x00", "' OR 1=1 --", "x" * 1000])
    def test_there_is_no_such_user(self, work: Work, name: str) -> None:
        add_user(work, username="ann")
        with work() as unit:
            assert unit.users.find(name) is None
            with pytest.raises(NotFound) as caught:
                unit.users.get(new_id())
        assert caught.value.code == "user_not_found"

    @pytest.mark.parametrize("same", [{"username": "ann"}, {"email": "ann@example.org"}])
    def test_names_and_e_mails_are_taken_once(self, work: Work, same: dict[str, str]) -> None:
        add_user(work, username="ann", email="ann@example.org")
        with pytest.raises(Conflict) as caught:
            add_user(work, **same)
        assert caught.value.code == "user_exists"

    def test_many_users_have_no_e_mail(self, work: Work) -> None:
        add_user(work)
        add_user(work)
        with work() as unit:
            assert len(unit.users.list()) == 2

    def test_one_of_many_threads_gets_a_name(self, work: Work) -> None:
        def take() -> bool:
            try:
                add_user(work, username="ann")
            except Conflict:
                return False
            return True

        assert sum(together([take] * 6)) == 1

    def test_lists_by_name_and_pages_newest_first(self, work: Work) -> None:
        users = [add_user(work, username=name) for name in ("cleo", "ann", "bob")]
        with work() as unit:
            assert [user.username for user in unit.users.list()] == ["ann", "bob", "cleo"]
            assert list(unit.users.page(before_id=None, limit=2)) == [users[2], users[1]]
            assert list(unit.users.page(before_id=users[1].id, limit=2)) == [users[0]]

    def test_a_change_is_written_once(self, work: Work) -> None:
        user = add_user(work)
        saved = do(work, lambda unit: unit.users.save(replace(user, role=Role.VIEWER, disabled_at=5)))
        assert saved == replace(user, role=Role.VIEWER, disabled_at=5, version=2)
        with work() as unit:
            assert unit.users.get(user.id) == saved
            with pytest.raises(Conflict) as caught:
                unit.users.save(replace(user, role=Role.ADMIN))
        assert caught.value.code == "user_changed"

    def test_counts_who_is_active(self, work: Work) -> None:
        add_user(work, role=Role.ADMIN)
        add_user(work, role=Role.ADMIN, disabled_at=NOW_MS)
        add_user(work)
        with work() as unit:
            assert unit.users.active_with_role(Role.ADMIN) == 1
            assert unit.users.active_with_role(Role.VIEWER) == 0


class TokensContract:
    """Tests for any `TokenRepository`."""

    def test_a_token_comes_back_as_it_was_stored(self, work: Work) -> None:
        token = add_token(work, add_user(work), rotated_from=new_id(), scopes=frozenset(Scope))
        with work() as unit:
            assert unit.tokens.by_prefix(token.prefix) == unit.tokens.get(token.id, None) == token
            assert unit.tokens.by_prefix("ait_nothing") is None

    def test_a_token_of_someone_else_is_not_there(self, work: Work) -> None:
        ann, bob = add_user(work), add_user(work)
        token = add_token(work, ann)
        with work() as unit:
            assert unit.tokens.get(token.id, ann.id) == token
            for user_id in (bob.id, new_id()):
                with pytest.raises(NotFound) as caught:
                    unit.tokens.get(token.id, user_id)
                assert caught.value.code == "token_not_found"

    def test_lists_and_pages_newest_first(self, work: Work) -> None:
        ann, bob = add_user(work), add_user(work)
        tokens = [add_token(work, user) for user in (ann, bob, ann, ann)]
        with work() as unit:
            assert unit.tokens.list(None) == tokens[::-1]
            assert unit.tokens.list(bob.id) == [tokens[1]]
            assert list(unit.tokens.page(ann.id, before_id=None, limit=2)) == [tokens[3], tokens[2]]
            assert list(unit.tokens.page(ann.id, before_id=tokens[2].id, limit=2)) == [tokens[0]]

    def test_the_first_end_stays(self, work: Work) -> None:
        token = add_token(work, add_user(work))
        do(work, lambda unit: unit.tokens.revoke(token.id, 5))
        do(work, lambda unit: unit.tokens.revoke(token.id, 9))
        with work() as unit:
            assert unit.tokens.get(token.id, None).revoked_at == 5

    def test_all_tokens_of_a_user_end(self, work: Work) -> None:
        ann, bob = add_user(work), add_user(work)
        mine, ended, theirs = add_token(work, ann), add_token(work, ann, revoked_at=3), add_token(work, bob)
        do(work, lambda unit: unit.tokens.revoke_all(ann.id, 5))
        with work() as unit:
            assert [unit.tokens.get(token.id, None).revoked_at for token in (mine, ended, theirs)] == [5, 3, None]

    def test_a_life_gets_shorter_never_longer(self, work: Work) -> None:
        token = add_token(work, add_user(work))
        for wanted, expires_at in ((NOW_MS + 5, NOW_MS + 5), (NOW_MS + 9, NOW_MS + 5)):
            do(work, lambda unit, wanted=wanted: unit.tokens.shorten(token.id, wanted))  # type: ignore[misc]
            with work() as unit:
                assert unit.tokens.get(token.id, None).expires_at == expires_at

    def test_remembers_its_last_use(self, work: Work) -> None:
        token = add_token(work, add_user(work))
        do(work, lambda unit: unit.tokens.touch(token.id, 7))
        with work() as unit:
            assert unit.tokens.get(token.id, None) == replace(token, last_used_at=7)


class SessionsContract:
    """Tests for any `SessionRepository`."""

    def test_a_session_comes_back_as_it_was_stored(self, work: Work) -> None:
        session = add_session(work, add_user(work))
        with work() as unit:
            assert unit.sessions.by_hash(session.secret_hash) == session
            assert unit.sessions.by_hash("f" * 64) is None

    def test_is_seen_and_ends_once(self, work: Work) -> None:
        session = add_session(work, add_user(work))
        do(work, lambda unit: unit.sessions.touch(session.id, 7))
        do(work, lambda unit: unit.sessions.revoke(session.id, 8))
        do(work, lambda unit: unit.sessions.revoke(session.id, 9))
        with work() as unit:
            assert unit.sessions.by_hash(session.secret_hash) == replace(session, seen_at=7, revoked_at=8)

    def test_all_sessions_of_a_user_end(self, work: Work) -> None:
        ann, bob = add_user(work), add_user(work)
        mine, theirs = [add_session(work, ann), add_session(work, ann)], add_session(work, bob)
        do(work, lambda unit: unit.sessions.revoke_all(ann.id, 5))
        with work() as unit:
            found = [unit.sessions.by_hash(session.secret_hash) for session in (*mine, theirs)]
        assert [session.revoked_at for session in found if session] == [5, 5, None]


class LoginsContract:
    """Tests for any `LoginFailures` and `LoginLinks`."""

    def test_failures_are_counted_by_key_and_time(self, work: Work) -> None:
        for key, at in (("account:ann", 10), ("account:ann", 20), ("account:ann", 30), ("address:::1", 30)):
            do(work, lambda unit, key=key, at=at: unit.login_failures.add(key, at))  # type: ignore[misc]
        with work() as unit:
            assert unit.login_failures.recent("account:ann", 20) == (2, 30)
            assert unit.login_failures.recent("account:ann", 31) == (0, None)
            assert unit.login_failures.recent("account:bob", 0) == (0, None)

    def test_failures_are_forgotten(self, work: Work) -> None:
        for key, at in (("a", 10), ("a", 20), ("b", 20)):
            do(work, lambda unit, key=key, at=at: unit.login_failures.add(key, at))  # type: ignore[misc]
        do(work, lambda unit: unit.login_failures.prune(20))
        with work() as unit:
            assert unit.login_failures.recent("a", 0) == (1, 20)
        do(work, lambda unit: unit.login_failures.clear("a"))
        with work() as unit:
            assert unit.login_failures.recent("a", 0) == (0, None)
            assert unit.login_failures.recent("b", 0) == (1, 20)

    def test_a_link_is_good_once(self, work: Work) -> None:
        user = add_user(work)
        do(work, lambda unit: unit.login_links.add("a" * 64, user.id, NOW_MS))
        assert do(work, lambda unit: unit.login_links.take("b" * 64, 0)) is None
        assert do(work, lambda unit: unit.login_links.take("a" * 64, NOW_MS - 1)) == user.id
        assert do(work, lambda unit: unit.login_links.take("a" * 64, NOW_MS - 1)) is None

    def test_an_old_link_is_not_good(self, work: Work) -> None:
        user = add_user(work)
        do(work, lambda unit: unit.login_links.add("a" * 64, user.id, NOW_MS))
        assert do(work, lambda unit: unit.login_links.take("a" * 64, NOW_MS)) is None

    def test_one_of_many_threads_gets_the_link(self, work: Work) -> None:
        user = add_user(work)
        do(work, lambda unit: unit.login_links.add("a" * 64, user.id, NOW_MS + HOUR_MS))

        def take() -> str | None:
            return do(work, lambda unit: unit.login_links.take("a" * 64, NOW_MS))

        assert [taken for taken in together([take] * 6) if taken] == [user.id]


class KeysContract:
    """Tests for any `IdempotencyKeys`."""

    def test_the_first_request_gets_the_key(self, work: Work) -> None:
        user = add_user(work)
        once = Once(user.id, "k", "0" * 64)
        first, second = new_id(), new_id()
        assert do(work, lambda unit: unit.idempotency_keys.claim(once, first, NOW_MS)) is None
        assert do(work, lambda unit: unit.idempotency_keys.claim(once, second, NOW_MS)) == first
        other = Once(add_user(work).id, "k", "1" * 64)
        assert do(work, lambda unit: unit.idempotency_keys.claim(other, second, NOW_MS)) is None

    def test_a_key_with_another_request_is_refused(self, work: Work) -> None:
        user = add_user(work)
        do(work, lambda unit: unit.idempotency_keys.claim(Once(user.id, "k", "0" * 64), new_id(), NOW_MS))
        with pytest.raises(Invalid) as caught:
            do(work, lambda unit: unit.idempotency_keys.claim(Once(user.id, "k", "1" * 64), new_id(), NOW_MS))
        assert caught.value.code == "idempotency_key_reused"

    def test_old_keys_are_forgotten(self, work: Work) -> None:
        once = Once(add_user(work).id, "k", "0" * 64)
        later = NOW_MS + KEPT_MS + 1
        do(work, lambda unit: unit.idempotency_keys.claim(once, new_id(), NOW_MS))
        assert do(work, lambda unit: unit.idempotency_keys.claim(once, new_id(), later)) is None

    def test_one_of_many_threads_gets_the_key(self, work: Work) -> None:
        once = Once(add_user(work).id, "k", "0" * 64)

        def claim(mine: str) -> Callable[[], str]:
            return lambda: do(work, lambda unit: unit.idempotency_keys.claim(once, mine, NOW_MS)) or mine

        assert len(set(together([claim(new_id()) for _ in range(6)]))) == 1


class IdentityWorkContract(
    UsersContract, TokensContract, SessionsContract, LoginsContract, KeysContract, AuditContract
):
    """Tests for any `IdentityWork`."""

    def test_a_block_without_commit_leaves_nothing(self, work: Work) -> None:
        with work() as unit:
            unit.users.add(make_user(username="ann"))
        with work() as unit:
            assert unit.users.list() == []
