"""Migrated databases for the contract tests: made once, then copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from tests.servers import PostgresServer


def migrated(url: str) -> Engine:
    """Return an engine on a database at head."""
    engine = open_engine(parse_database_url(url))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return engine


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The URL of a database at head, to copy."""
    url = postgres_server.create_database()
    migrated(url).dispose()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at head, to copy."""
    path = tmp_path_factory.mktemp("template") / "head.db"
    migrated(f"sqlite:///{path}").dispose()  # the last connection to close folds the WAL into the file
    return path
