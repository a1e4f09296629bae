"""Encryption of secrets that are kept in the database: AES-256-GCM with a key from outside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from domain.common.errors import Invalid

_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"


class VaultCipher:
    """Encrypts with the first key, decrypts with any: put a new key first to rotate.

    The text is ``v1.<key id>.<nonce and ciphertext>``; the context, such as an account's id, is authenticated with it
    (NIST SP 800-38D), so that a secret moved to another row does not open.

    Args:
        keys: 32 bytes each.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise Invalid("a vault key must be 32 bytes", code="invalid_vault_key")
        self._keys = {_key_id(key): key for key in keys}
        self._first = _key_id(keys[0])

    def encrypt(self, secret: bytes, context: str) -> str:
        """Return the secret as text that only the key opens."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self._keys[self._first]).encrypt(nonce, secret, context.encode())
        return f"{_VERSION}.{self._first}.{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, text: str, context: str) -> bytes | None:
        """Return the secret; None when the key or the context is another, or the text was changed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version, _, rest = text.partition(".")
        key_id, _, sealed_text = rest.partition(".")
        key = self._keys.get(key_id)
        if version != _VERSION or key is None:
            return None
        try:
            sealed = base64.urlsafe_b64decode(sealed_text)
            return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError, binascii.Error):
            return None


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"aitrader vault key id" + key).hexdigest()[:8]


def load_or_create_key(path: Path) -> bytes:
    """Return the key of a file, made now if there is no such file. Only its owner may read it.

    Raises:
        Invalid: others may read the file, or it holds no key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path)
    key = os.urandom(_KEY_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _load(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise Invalid(f"others may read the key {path}; run: chmod 600 {path}", code="vault_key_exposed")
    try:
        key = base64.b64decode(path.read_bytes(), validate=False)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise Invalid(f"{path} holds no vault key: 32 bytes as base64", code="invalid_vault_key")
    return key
