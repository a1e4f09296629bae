"""Migrated databases for the contract tests: made once, then copied."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations


def migrated(url: str) -> Engine:
    """Return an engine on a database at head."""
    engine = open_engine(parse_database_url(url))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return engine
