"""Which transactions wait for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.unit_of_work import SqlUnitOfWork


@pytest.mark.parametrize(("relaxed", "level"), [(True, 1), (False, 2)], ids=["relaxed", "durable"])
def test_sqlite(tmp_path: Path, relaxed: bool, level: int) -> None:
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'a.db'}"), pool_size=1)
    for before in (True, False, True):  # whatever the connection did last
        with SqlUnitOfWork(engine, relaxed=before) as work:
            work.commit()
    with SqlUnitOfWork(engine, relaxed=relaxed) as work:
        assert work._connection.execute(text("PRAGMA synchronous")).scalar() == level
    engine.dispose()


@pytest.mark.parametrize(("relaxed", "setting"), [(True, "off"), (False, "on")], ids=["relaxed", "durable"])
def test_postgres(postgres_url: str, relaxed: bool, setting: str) -> None:
    engine = open_engine(parse_database_url(f"{postgres_url}"), pool_size=1)
    with engine.begin() as connection:
        database = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f'ALTER DATABASE "{database}" SET synchronous_commit = on'))
    engine.dispose()
    for before in (True, False):
        with SqlUnitOfWork(engine, relaxed=before) as work:
            work.commit()
    with SqlUnitOfWork(engine, relaxed=relaxed) as work:
        assert work._connection.execute(text("SHOW synchronous_commit")).scalar() == setting
    engine.dispose()
