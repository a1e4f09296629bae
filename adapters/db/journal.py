"""The journal of a broker that keeps its own books, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from adapters.db.trading_tables import broker_journal
from domain.common.errors import Conflict


class SqlJournalEntries:
    """Journal entries in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, account: str, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the entries after a number."""
        mine = (broker_journal.c.account == account, broker_journal.c.seq > after)
        query = select(broker_journal.c.seq, broker_journal.c.entry).where(*mine).order_by(broker_journal.c.seq)
        return [(row.seq, row.entry) for row in self._connection.execute(query)]

    def append(self, account: str, after: int, entries: Sequence[dict[str, Any]]) -> int:
        """Insert entries after the last one; the numbers are the proof that nobody else did."""
        last = select(func.max(broker_journal.c.seq)).where(broker_journal.c.account == account)
        if (self._connection.execute(last).scalar_one() or 0) != after:
            raise _taken(account)
        rows = [
            {"account": account, "seq": number, "entry": entry} for number, entry in enumerate(entries, after + 1)
        ]
        try:
            self._connection.execute(insert(broker_journal), rows)
        except IntegrityError as error:
            raise _taken(account) from error
        return after + len(rows)


class SqlJournal:
    """``Journal`` of one account, in transactions of its own.

    Args:
        unit_of_work: makes units of work that have ``journal``.
        account: whose journal.
    """

    def __init__(self, unit_of_work: Callable[[], Any], account: str) -> None:
        self._unit_of_work = unit_of_work
        self._account = account

    def read(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the entries after a number."""
        with self._unit_of_work() as work:
            found: list[tuple[int, dict[str, Any]]] = work.journal.read(self._account, after)
            return found

    def append(self, after: int, entries: Sequence[dict[str, Any]]) -> int:
        """Store entries durably; return the new last number."""
        if not entries:
            return after
        with self._unit_of_work() as work:
            last: int = work.journal.append(self._account, after, entries)
            work.commit()
        return last


def _taken(account: str) -> Conflict:
    return Conflict(f"another process writes the journal of {account}", code="journal_taken")
