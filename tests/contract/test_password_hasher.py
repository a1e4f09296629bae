from __future__ import annotations

import pytest

from adapters.security.passwords import Argon2Hasher
from aitrader.testing.password_hasher import PASSWORD, PasswordHasherContract
from domain.identity.ports import PasswordHasher


class TestArgon2(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> PasswordHasher:
        return Argon2Hasher(memory_kib=64)

    def test_by_default_it_costs_what_owasp_asks_for(self) -> None:
        assert Argon2Hasher().hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    def test_a_check_for_nobody_costs_as_much_as_for_someone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hasher = Argon2Hasher(memory_kib=64)
        checked: list[str] = []
        real = hasher._argon2.verify

        def verify(password: bytes, hashed: str) -> bool:
            checked.append(hashed.rsplit("$", 2)[0])
            return real(password, hashed)

        monkeypatch.setattr(hasher._argon2, "verify", verify)
        assert not hasher.verify(PASSWORD, None)
        assert hasher.verify(PASSWORD, hasher.hash(PASSWORD))
        assert checked[0] == checked[1]
