"""Passwords with Argon2id (https://pypi.org/project/pwdlib/)."""

from __future__ import annotations

import secrets
import unicodedata

from pwdlib.hashers import argon2

_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1


class Argon2Hasher:
    """``PasswordHasher`` with the parameters that OWASP names as the least: 19 MiB, two passes, one lane.

    Args:
        memory_kib: memory of one hash in KiB. Tests take less.
    """

    def __init__(self, memory_kib: int = _MEMORY_KIB) -> None:
        self._argon2 = argon2.Argon2Hasher(time_cost=_PASSES, memory_cost=memory_kib, parallelism=_LANES)
        # Checked for users that do not exist, so that they cannot be told by how long the answer takes.
        self._nobody = self._argon2.hash(secrets.token_bytes(16))

    def hash(self, password: str) -> str:
        """Return a salted hash with its parameters."""
        return self._argon2.hash(_octets(password))

    def verify(self, password: str, hashed: str | None) -> bool:
        """Return whether the password fits; with None, take as long as a real check and return False."""
        fits = self._argon2.verify(_octets(password), self._nobody if hashed is None else hashed)
        return fits and hashed is not None


def _octets(password: str) -> bytes:
    # The same letter typed on another keyboard may be other code points; a lone surrogate is no reason to fail.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
