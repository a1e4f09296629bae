"""Insert or replace, on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, row: dict[str, Any], *, newer: str | None = None) -> None:
    """Insert a row, or replace the one with its primary key.

    Args:
        connection: in a transaction.
        table: with a primary key.
        row: all columns by name.
        newer: a column; a row in which it is not above what is there changes nothing.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    rest = {name: statement.excluded[name] for name in row if name not in keys}
    where = None if newer is None else statement.excluded[newer] > table.c[newer]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest, where=where), row)
