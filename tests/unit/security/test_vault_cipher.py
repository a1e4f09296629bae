from __future__ import annotations

from pathlib import Path

import pytest

from adapters.security.vault_cipher import VaultCipher, load_or_create_key
from domain.common.errors import Invalid

OLD, NEW = b"o" * 32, b"n" * 32


def test_what_was_encrypted_opens_only_with_its_key_and_context() -> None:
    text = VaultCipher([OLD]).encrypt(b"secret", "account")
    assert VaultCipher([OLD]).decrypt(text, "account") == b"secret"
    assert VaultCipher([NEW, OLD]).decrypt(text, "account") == b"secret"
    assert VaultCipher([NEW]).decrypt(text, "account") is None
    assert VaultCipher([OLD]).decrypt(text, "other") is None
    assert VaultCipher([OLD]).encrypt(b"secret", "account") != text


@pytest.mark.parametrize("damage", ["", "v2.x.y", "v1.", "v1.deadbeef.AAAA", "nonsense"])
def test_what_is_damaged_does_not_open(damage: str) -> None:
    assert VaultCipher([OLD]).decrypt(damage, "account") is None


@pytest.mark.parametrize("place", range(15, 60, 5))
def test_one_changed_letter_is_noticed(place: int) -> None:
    text = VaultCipher([OLD]).encrypt(b"a longer secret", "account")
    changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    assert VaultCipher([OLD]).decrypt(changed, "account") is None


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vault.key"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    load_or_create_key(path)
    path.chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        load_or_create_key(path)


def test_a_file_without_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(Invalid):
        load_or_create_key(path)
    with pytest.raises(Invalid):
        VaultCipher([b"short"])
