"""Secrets: API tokens with a checksum, session secrets, and the hashes that are stored of them.

A token is ``ait_<8 characters>_<43 characters><6 characters>``: a public prefix, 256 random bits in base 62, and a
CRC-32 of what stands before it, so that a mistyped or cut token is refused without asking the database, and secret
scanners can tell a real one (the scheme of GitHub's tokens). High entropy needs no slow hash: SHA-256 is stored.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 43
_CHECK_LENGTH = 6
TOKEN_START = "ait_"  # noqa: S105 - the public start of every token


def new_token() -> tuple[str, str]:
    """Return a new token and its public prefix."""
    prefix = TOKEN_START + _random(_PREFIX_LENGTH)
    body = f"{prefix}_{_random(_SECRET_LENGTH)}"
    return body + _checksum(body), prefix


def token_prefix(token: str) -> str | None:
    """Return the public prefix of a well-formed token; None when it is mistyped, cut, or no token at all."""
    length = len(TOKEN_START) + _PREFIX_LENGTH + 1 + _SECRET_LENGTH + _CHECK_LENGTH
    if len(token) != length or not token.startswith(TOKEN_START) or not token.isascii():
        return None
    body, check = token[:-_CHECK_LENGTH], token[-_CHECK_LENGTH:]
    if not secrets.compare_digest(_checksum(body), check):
        return None
    return token[: len(TOKEN_START) + _PREFIX_LENGTH]


def new_secret() -> str:
    """Return 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """Return the SHA-256 hex digest that is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(left.encode(), right.encode())


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
