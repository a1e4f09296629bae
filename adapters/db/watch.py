"""Notices that another process changed the SQLite file, so that embedded processes need no other channel."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine


class SqliteWatch:
    """Asks SQLite for its change counter (https://sqlite.org/pragma.html#pragma_data_version)."""

    def __init__(self, engine: Engine) -> None:
        self._connection = sqlite3.connect(str(engine.url.database), check_same_thread=False, isolation_level=None)
        self._seen = self._version()

    def changed(self) -> bool:
        """Return whether any other connection committed a change since the last call."""
        version = self._version()
        changed, self._seen = version != self._seen, version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
