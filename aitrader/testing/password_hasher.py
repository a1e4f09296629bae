"""What every `PasswordHasher` does. Subclass `PasswordHasherContract` and override its fixture."""

from __future__ import annotations

import pytest

from aitrader.testing.waiting import together
from domain.identity.ports import PasswordHasher

PASSWORD = "correct horse battery staple"


class PasswordHasherContract:
    """Tests for any `PasswordHasher`."""

    @pytest.fixture
    def hasher(self) -> PasswordHasher:
        """Return a hasher."""
        raise NotImplementedError("override the hasher fixture")

    def test_the_right_password_fits(self, hasher: PasswordHasher) -> None:
        assert hasher.verify(PASSWORD, hasher.hash(PASSWORD))

    @pytest.mark.parametrize("wrong", ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "x" * 10_000, "\x00"])
    def test_another_password_does_not(self, hasher: PasswordHasher, wrong: str) -> None:
        assert not hasher.verify(wrong, hasher.hash(PASSWORD))

    def test_nobody_has_a_password(self, hasher: PasswordHasher) -> None:
        assert not hasher.verify(PASSWORD, None)

    @pytest.mark.parametrize("damaged", ["", "x", "$argon2id$", PASSWORD])
    def test_a_damaged_hash_fits_nothing(self, hasher: PasswordHasher, damaged: str) -> None:
        assert not hasher.verify(PASSWORD, damaged)

    def test_each_hash_has_a_salt_of_its_own_and_fits_the_column(self, hasher: PasswordHasher) -> None:
        hashes = {hasher.hash(PASSWORD) for _ in range(3)}
        assert len(hashes) == 3
        assert all(PASSWORD not in hashed and len(hashed) <= 255 for hashed in hashes)

    def test_any_text_is_a_password(self, hasher: PasswordHasher) -> None:
        for password in ("pässwörd ☃ 12", "a\x00bcdefghijkl", "half a \ud83d surrogate", "x" * 128):
            assert hasher.verify(password, hasher.hash(password))

    def test_the_same_letters_typed_elsewhere_fit(self, hasher: PasswordHasher) -> None:
        assert hasher.verify("cafe\u0301 au lait!", hasher.hash("caf\u00e9 au lait!"))

    def test_many_threads_share_it(self, hasher: PasswordHasher) -> None:
        hashed = hasher.hash(PASSWORD)
        assert all(together([lambda: hasher.verify(PASSWORD, hashed)] * 4))
