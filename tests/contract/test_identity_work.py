from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adapters.db.audit import CLEAN
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.redaction import redact
from aitrader.testing.identity_samples import append, lines
from aitrader.testing.identity_work import IdentityWorkContract, Tamper, Work
from tests.servers import PostgresServer


class SqlContract(IdentityWorkContract):
    guards: tuple[str, ...] = ()

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)

    @pytest.fixture
    def attempt(self, engine: Engine) -> Tamper:
        def attempt(statement: str) -> None:
            with engine.begin() as connection:
                connection.execute(text(statement.replace(":", "\\:")))

        return attempt

    @pytest.fixture
    def tamper(self, engine: Engine, attempt: Tamper) -> Tamper:
        def tamper(statement: str) -> None:
            for guard in self.guards:
                attempt(guard)
            attempt(statement)

        return tamper

    @pytest.fixture(autouse=True)
    def no_connection_is_left_checked_out(self, engine: Engine) -> Iterator[None]:
        yield
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    def test_secrets_are_taken_out_before_the_line_is_hashed(self, engine: Engine, work: Work) -> None:
        engine.update_execution_options(**{CLEAN: redact})
        details: dict[str, Any] = {"password": "s3cr3t", "note": "Bearer s3cr3ts3cr3t", "prefix": "ait_abcdefgh"}
        append(work, actor="ann\r\nforged", details=details)
        (line,) = lines(work)
        assert "s3cr3t" not in str(line)
        assert (line.actor, line.details["prefix"]) == ("ann\\r\\nforged", "ait_abcdefgh")
        with work() as unit:
            assert unit.audit.verify().broken_at is None


class TestSqlite(SqlContract):
    guards = ("DROP TRIGGER audit_events_append_only", "DROP TRIGGER audit_events_no_delete")

    @pytest.fixture
    def engine(self, sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
        path = tmp_path / "identity.db"
        path.write_bytes(sqlite_template.read_bytes())
        engine = open_engine(parse_database_url(f"sqlite:///{path}"))
        yield engine
        engine.dispose()


class TestPostgres(SqlContract):
    guards = ("DROP TRIGGER audit_events_append_only ON audit_events",)

    @pytest.fixture
    def engine(self, postgres_template: str, postgres_server: PostgresServer) -> Iterator[Engine]:
        url = postgres_server.create_database(template=postgres_template)
        engine = open_engine(parse_database_url(url))
        yield engine
        engine.dispose()
        postgres_server.drop_database(url)

    def test_the_database_refuses_to_truncate(self, work: Work, attempt: Tamper) -> None:
        append(work)
        with pytest.raises(Exception, match="append-only"):
            attempt("TRUNCATE audit_events")
