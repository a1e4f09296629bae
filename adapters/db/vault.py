"""Secrets of accounts in SQL; only ever encrypted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection, delete, select

from adapters.db.trading_tables import vaults
from adapters.db.upsert import upsert


class Cipher(Protocol):
    """Encrypts and decrypts; what was encrypted in one context opens in no other."""

    def encrypt(self, secret: bytes, context: str) -> str:
        """Return the secret as text that only the key opens."""
        ...

    def decrypt(self, text: str, context: str) -> bytes | None:
        """Return the secret; None when the key or the context is another, or the text was changed."""
        ...


class SqlSecrets:
    """Encrypted secrets in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, account: str) -> str | None:
        """Return the encrypted secret of an account."""
        return self._connection.execute(
            select(vaults.c.secret).where(vaults.c.account == account)
        ).scalar_one_or_none()

    def put(self, account: str, secret: str | None) -> None:
        """Insert or replace the encrypted secret; None removes it."""
        if secret is None:
            self._connection.execute(delete(vaults).where(vaults.c.account == account))
        else:
            upsert(self._connection, vaults, {"account": account, "secret": secret})


class SqlVault:
    """``Vault`` of one account, in transactions of its own.

    Args:
        unit_of_work: makes units of work that have ``secrets``.
        account: whose secret.
        cipher: what it is encrypted with.
    """

    def __init__(self, unit_of_work: Callable[[], Any], account: str, *, cipher: Cipher) -> None:
        self._unit_of_work = unit_of_work
        self._account = account
        self._cipher = cipher

    def load(self) -> bytes | None:
        """Return the secret; None when there is none that opens."""
        with self._unit_of_work() as work:
            text = work.secrets.get(self._account)
        return None if text is None else self._cipher.decrypt(text, self._account)

    def save(self, secret: bytes | None) -> None:
        """Replace the secret; None forgets it."""
        text = None if secret is None else self._cipher.encrypt(secret, self._account)
        with self._unit_of_work() as work:
            work.secrets.put(self._account, text)
            work.commit()
