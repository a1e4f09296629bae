from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.tables import jobs
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.jobs_work import Age, JobsWorkContract, Work, add, make_job
from domain.common.errors import Unavailable
from domain.common.events import Event
from tests.servers import PostgresServer


class SqlContract(JobsWorkContract):
    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)

    @pytest.fixture
    def age(self, engine: Engine) -> Age:
        def age(job_id: str, ms: int) -> None:
            older = update(jobs).where(jobs.c.id == job_id)
            with engine.begin() as connection:
                connection.execute(older.values(lease_until=jobs.c.lease_until - ms, run_at=jobs.c.run_at - ms))

        return age

    @pytest.fixture(autouse=True)
    def no_connection_is_left_checked_out(self, engine: Engine) -> Iterator[None]:
        yield
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    def test_tells_who_waits_for_events(self, engine: Engine) -> None:
        told: list[str] = []
        for events in ([Event("job_updates", "alice", {})], []):
            with SqlUnitOfWork(engine, on_events=lambda: told.append("events")) as unit:
                unit.outbox.add(events)
                assert len(told) == (0 if events else 1)
                unit.commit()
        with SqlUnitOfWork(engine, on_events=lambda: told.append("events")) as unit:
            unit.outbox.add([Event("job_updates", "alice", {})])
        assert told == ["events"]

    def test_a_read_only_unit_reads(self, engine: Engine, work: Work) -> None:
        job = add(work, make_job())
        with SqlUnitOfWork(engine, read_only=True) as unit:
            assert unit.jobs.get(job.id) == job


class TestSqlite(SqlContract):
    @pytest.fixture
    def engine(self, sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
        path = tmp_path / "jobs.db"
        path.write_bytes(sqlite_template.read_bytes())
        engine = open_engine(parse_database_url(f"sqlite:///{path}"))
        yield engine
        engine.dispose()

    def test_a_read_only_unit_does_not_wait_for_a_writer(self, engine: Engine, work: Work) -> None:
        job = add(work, make_job())
        with work() as writer:
            writer.jobs.cancel(job.id, None)
            with SqlUnitOfWork(engine, read_only=True) as reader:
                assert reader.jobs.get(job.id) == job

    @pytest.mark.parametrize("other_process", [False, True])
    def test_a_unit_that_could_not_begin_gives_its_connection_back(
        self, engine: Engine, work: Work, monkeypatch: pytest.MonkeyPatch, other_process: bool
    ) -> None:
        monkeypatch.setattr("adapters.db.unit_of_work._TURN_S", 0.01)
        other = open_engine(engine.url) if other_process else engine

        @event.listens_for(other, "checkout")
        def impatient(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute("PRAGMA busy_timeout=1")

        with work():
            taken = other.pool.checkedout()  # type: ignore[attr-defined]
            unit = SqlUnitOfWork(other)
            with pytest.raises(Unavailable) as caught:
                unit.__enter__()
            assert caught.value.code == "database_unavailable"
            assert other.pool.checkedout() == taken  # type: ignore[attr-defined]
        with SqlUnitOfWork(other) as unit:
            assert unit.jobs.counts()
        other.dispose()


class TestPostgres(SqlContract):
    @pytest.fixture
    def engine(self, postgres_template: str, postgres_server: PostgresServer) -> Iterator[Engine]:
        url = postgres_server.create_database(template=postgres_template)
        engine = open_engine(parse_database_url(url))
        yield engine
        engine.dispose()
        postgres_server.drop_database(url)

    def test_lost_connections_are_noticed_and_replaced(
        self, engine: Engine, work: Work, postgres_server: PostgresServer
    ) -> None:
        job = add(work, make_job())
        url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        with pytest.raises(Unavailable) as caught, work() as unit:
            unit.jobs.get(job.id)
            postgres_server.terminate_backends(url)
            unit.jobs.get(job.id)
        assert caught.value.code == "database_unavailable"
        with work() as unit:
            assert unit.jobs.get(job.id) == job
