"""Schema revisions: where the database is, where it should be, and how to get there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.db.schema import metadata
from adapters.db.unit_of_work import translated
from domain.common.errors import Conflict, Invalid


class Migrations:
    """Alembic over one engine. ``folder`` holds ``env.py`` and ``versions/``."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def current(self) -> str | None:
        """Return the revision of the database; None when it has no schema."""
        with self._connected() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def head(self) -> str:
        """Return the newest revision that this version knows."""
        return str(ScriptDirectory(str(self._folder)).get_current_head())

    def require_head(self) -> None:
        """Do nothing if the database is at head.

        Raises:
            Conflict: it is not; the message holds the command to run.
        """
        current, head = self.current(), self.head()
        if current != head:
            raise Conflict(
                f"the database is at revision {current or 'none'}, this version needs {head}; "
                "run: aitrader db upgrade",
                code="database_not_migrated",
            )

    def upgrade(self, revision: str = "head") -> None:
        """Migrate up to ``revision``."""
        self._run(command.upgrade, revision)

    def downgrade(self, revision: str) -> None:
        """Migrate down to ``revision``; ``base`` drops everything."""
        self._run(command.downgrade, revision)

    def create(self, message: str) -> Path:
        """Write a new revision from the difference between models and database; return its file."""
        script = self._run(command.revision, message, autogenerate=True)
        return Path(script.path)

    def differences(self) -> list[Any]:
        """Return what models and database disagree about; empty when they agree."""
        with self._connected() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return list(compare_metadata(context, metadata))

    def _run(self, action: Any, *args: Any, **options: Any) -> Any:
        with self._connected() as connection:
            _alone(connection)
            try:
                result = action(self._config(connection), *args, **options)
            except CommandError as error:
                raise Invalid(str(error), code="migration_failed") from error
            connection.commit()
            return result

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            ours = translated(error)
            if ours is error:
                raise
            raise ours from error

    def _config(self, connection: Connection) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self._folder))
        config.attributes["connection"] = connection
        return config


def _alone(connection: Connection) -> None:
    """Begin a transaction that only one process can be in, so that two first starts do not collide."""
    connection.begin()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(4150230)"))
