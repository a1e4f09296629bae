from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Engine, inspect, text

import migrations
from adapters.db.engine import READ_ONLY, open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.schema import metadata
from domain.common.errors import Conflict, Invalid, Unavailable
from tests.processes import Process
from tests.servers import PortLease, PostgresServer

pytestmark = pytest.mark.once

FOLDER = Path(migrations.__file__).parent

Open = Callable[[str], Engine]


@pytest.fixture
def open_url() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_url(url: str) -> Engine:
            engine = open_engine(parse_database_url(url))
            stack.callback(engine.dispose)
            return engine

        yield open_url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'aitrader.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(url: str, open_url: Open) -> Engine:
    return open_url(url)


@pytest.fixture
def schema(engine: Engine) -> Migrations:
    return Migrations(engine, FOLDER)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_up_down_and_up_again(engine: Engine, schema: Migrations) -> None:
    ours = set(metadata.tables)
    assert schema.current() is None
    assert tables(engine) == set()
    schema.upgrade()
    assert schema.current() == schema.head()
    assert tables(engine) == ours | {"alembic_version"}
    schema.downgrade("base")
    assert schema.current() is None
    assert tables(engine) <= {"alembic_version"}
    schema.upgrade()
    assert schema.current() == schema.head()
    assert tables(engine) == ours | {"alembic_version"}


def test_upgrading_again_changes_nothing(schema: Migrations) -> None:
    schema.upgrade()
    schema.upgrade()
    assert schema.current() == schema.head()


def test_models_and_migrations_agree(schema: Migrations) -> None:
    assert schema.differences() != []
    schema.upgrade()
    assert schema.differences() == []


def test_indexes_and_constraints_are_those_of_the_models(engine: Engine, schema: Migrations) -> None:
    schema.upgrade()
    found = inspect(engine)
    for name, table in metadata.tables.items():
        assert {index["name"] for index in found.get_indexes(name)} >= {index.name for index in table.indexes}
        checks = {str(check["name"]) for check in found.get_check_constraints(name)}
        named = {str(item.name) for item in table.constraints if isinstance(item, CheckConstraint)}
        wanted = {check if check.startswith("ck_") else f"ck_{name}_{check}" for check in named}
        assert checks == wanted, name


def test_a_database_that_is_not_at_head_is_refused_with_the_command_to_run(schema: Migrations) -> None:
    with pytest.raises(Conflict) as caught:
        schema.require_head()
    assert caught.value.code == "database_not_migrated"
    assert "none" in caught.value.detail
    assert schema.head() in caught.value.detail
    assert "aitrader db upgrade" in caught.value.detail
    schema.upgrade()
    schema.require_head()


def test_a_database_of_a_newer_version_is_refused_too(engine: Engine, schema: Migrations) -> None:
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'fromthefuture'"))
    with pytest.raises(Conflict, match="fromthefuture"):
        schema.require_head()
    with pytest.raises(Invalid) as caught:
        schema.upgrade()
    assert caught.value.code == "migration_failed"


def test_an_unknown_revision_is_refused(schema: Migrations) -> None:
    with pytest.raises(Invalid) as caught:
        schema.upgrade("nonsense")
    assert caught.value.code == "migration_failed"
    assert schema.current() is None


def test_a_migration_that_fails_leaves_nothing(engine: Engine, schema: Migrations) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE workers (id INTEGER)"))  # the last table is in the way
    with pytest.raises(Exception, match="workers"):
        schema.upgrade()
    assert schema.current() is None
    assert tables(engine) <= {"workers", "alembic_version"}


_UPGRADE = """
import sys
from pathlib import Path
import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
schema = Migrations(open_engine(parse_database_url(sys.argv[1])), Path(migrations.__file__).parent)
print("ready", flush=True)
go = Path(sys.argv[2])
while not go.exists():
    pass
schema.upgrade()
schema.require_head()
print("done", flush=True)
"""


def test_processes_that_upgrade_at_once_all_succeed(
    url: str, schema: Migrations, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    go = tmp_path / "go"
    processes = [start_process([sys.executable, "-c", _UPGRADE, url, str(go)]) for _ in range(3)]
    for process in processes:
        process.wait_for_line("ready", 60)
    go.touch()
    for process in processes:
        assert process.wait(60) == 0, process.describe()
    schema.require_head()
    assert schema.differences() == []


@pytest.mark.parametrize("use", ["current", "require_head", "upgrade", "differences"])
def test_a_database_that_does_not_answer_is_said_to_be_so(open_url: Open, use: str) -> None:
    lease = PortLease()
    schema = Migrations(open_url(f"postgresql://nobody@127.0.0.1:{lease.port}/none"), FOLDER)
    with pytest.raises(Unavailable) as caught:
        getattr(schema, use)()
    assert caught.value.code == "database_unavailable"
    lease.release()


def test_counting_up_from_many_threads_loses_nothing(engine: Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    look = "SELECT n FROM counter" if url.startswith("sqlite") else "SELECT n FROM counter FOR UPDATE"

    def count() -> None:
        for _ in range(30):
            with engine.begin() as connection:
                n = connection.execute(text(look)).scalar_one()
                connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(count) for _ in range(4)]:
            future.result(60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 120


@pytest.fixture
def sqlite(tmp_path: Path, open_url: Open) -> Engine:
    return open_url(f"sqlite:///{tmp_path / 'aitrader.db'}")


def test_sqlite_connections_are_set_up(sqlite: Engine) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with sqlite.connect() as one, sqlite.connect() as two:
        for connection in (one, two):
            connection.connection.driver_connection
            for pragma, value in wanted.items():
                assert connection.connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value, pragma  # type: ignore[attr-defined]
            assert connection.connection.dbapi_connection.isolation_level is None  # type: ignore[union-attr]


def test_sqlite_transactions_take_the_write_lock_at_their_begin(sqlite: Engine) -> None:
    with sqlite.connect() as first, sqlite.connect() as second:
        first.begin()
        second.connection.execute("PRAGMA busy_timeout=1")  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="locked"):
            second.begin()
        reader = second.execution_options(**{READ_ONLY: True})
        assert reader.execute(text("SELECT 1")).scalar_one() == 1


def test_sqlite_refuses_rows_that_point_nowhere(sqlite: Engine) -> None:
    Migrations(sqlite, FOLDER).upgrade()
    with pytest.raises(Exception, match="FOREIGN KEY"), sqlite.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fills (id, order_id, broker_fill_id, quantity, price, filled_at)"
                " VALUES ('f', 'none', 'b', '1', '1', 0)"
            )
        )


def test_postgresql_sessions_do_not_wait_forever(postgres_url: str, open_url: Open) -> None:
    with open_url(postgres_url).connect() as connection:
        limits = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["5s", "2s", "15s"]


@pytest.mark.parametrize(
    "text",
    ["nonsense", "", "mysql://u:s3cr3t@h/d", "sqlite://", "sqlite:///:memory:", "postgresql+nodriver://u:s3cr3t@h/d"],
)
def test_urls_of_what_we_cannot_use_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_database_url(text)
    assert "s3cr3t" not in caught.value.detail


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_any_spelling_of_postgresql_will_do(
    scheme: str, postgres_server: PostgresServer, postgres_url: str, open_url: Open
) -> None:
    with open_url(postgres_url.replace("postgresql", scheme, 1)).connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
