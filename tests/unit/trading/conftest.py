from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from tests.unit.trading.books_world import OrderPath, crashing


@pytest.fixture(scope="session")
def trading_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at head, to copy."""
    path = tmp_path_factory.mktemp("trading") / "head.db"
    engine = open_engine(parse_database_url(f"sqlite:///{path}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    engine.dispose()
    return path


@pytest.fixture
def path(trading_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderPath]:
    path = OrderPath(trading_template, tmp_path)
    crashing(path, monkeypatch)
    path.reconcile()
    yield path
    path.close()
