from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from aitrader.cli import db as db_commands
from aitrader.cli import run
from tests.unit.cli.conftest import Cli, Done

FOLDER = Path(migrations.__file__).parent


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An external database: a SQLite file that nobody migrates on his own."""
    return f"sqlite:///{tmp_path / 'external.db'}"


def test_up_and_down(cli: Cli, url: str) -> None:
    def db(*arguments: str, stdin: str = "") -> Any:
        return cli("db", *arguments, stdin=stdin, DATABASE_URL=url)

    before = db("current", "--json")
    head = before.json["head"]
    assert (before.code, before.json, before.err) == (0, {"current": None, "head": head}, "")
    unmigrated = db("check")
    assert (unmigrated.code, unmigrated.out) == (6, "")
    assert unmigrated.error.endswith("run: aitrader db upgrade")

    up = db("upgrade")
    assert (up.code, up.out, up.err) == (0, "", f"the database is at revision {head}\n")
    assert db("upgrade").code == 0
    assert db("current").out == f"{head} (newest: {head})\n"
    good = db("check")
    assert (good.code, good.out, good.err) == (0, "", "the database agrees with the models\n")

    asked = db("downgrade", "base", stdin="n\n")
    assert asked.code == 130
    assert db("downgrade", "base", stdin="").code == 130
    assert db("current", "--json").json["current"] == head
    down = db("downgrade", "base", "--yes")
    assert (down.code, down.out, down.err) == (0, "", "the database is at revision none\n")
    assert db("current").out.startswith("none ")


def test_a_revision_that_is_not_there(cli: Cli, url: str) -> None:
    done = cli("db", "upgrade", "nonsense", DATABASE_URL=url)
    assert (done.code, done.out) == (2, "")
    assert "nonsense" in done.error


def test_check_tells_what_differs(cli: Cli, url: str) -> None:
    assert cli("db", "upgrade", DATABASE_URL=url).code == 0
    engine = open_engine(parse_database_url(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stranger (id INTEGER)")
    engine.dispose()
    done = cli("db", "check", DATABASE_URL=url)
    assert (done.code, done.out) == (1, "")
    assert "stranger" in done.err


def test_a_revision_is_written_next_to_the_others(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(FOLDER.rglob("*.py"))
    engine = open_engine(parse_database_url(url))
    schema = Migrations(engine, copy)
    schema.upgrade()
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE workers")
    monkeypatch.setattr(db_commands, "_migrations", lambda: schema)
    head = schema.head()

    assert run(["db", "revision", "-m", "bring workers back"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == copy / "versions"
    text = path.read_text()
    assert "bring workers back" in text
    assert f'down_revision = "{head}"' in text.replace("'", '"').replace(": str | None", "")
    assert "create_table" in text
    assert "aitrader" not in text.replace("AITrader", "")
    assert "adapters" not in text
    schema.upgrade()
    assert schema.current() != head
    assert schema.differences() == []
    engine.dispose()
    assert sorted(FOLDER.rglob("*.py")) == before


def assert_refused(done: Done) -> None:
    assert (done.code, done.out) == (6, "")
    assert done.err.splitlines()[-1].startswith("error: the database is at revision none")
    assert done.err.splitlines()[-1].endswith("run: aitrader db upgrade")
    assert "Traceback" not in done.err
    assert "ready" not in done.err


@pytest.mark.parametrize("command", ["serve", "worker", "up"])
def test_an_unmigrated_database_is_refused(cli: Cli, url: str, command: str) -> None:
    assert_refused(cli(command, DATABASE_URL=url, PORT="0"))


@pytest.mark.parametrize("command", ["serve", "up"])
def test_an_unmigrated_database_is_refused_before_a_port_is_opened(cli: Cli, url: str, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # A command that comes as far as opening the port finds it taken, and says so.
        assert_refused(cli(command, DATABASE_URL=url, PORT=str(taken.getsockname()[1])))


@pytest.mark.parametrize(
    "arguments", [("db", "current"), ("db", "upgrade"), ("jobs", "list"), ("worker",), ("serve",)], ids=" ".join
)
def test_a_database_that_does_not_answer(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments, DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/x")
    assert (done.code, done.out) == (5, "")
    assert "the database did not answer" in done.err
    assert "hunter2" not in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("url", ["oracle://me:hunter2@host/x", "sqlite://", "nonsense"])
def test_a_database_that_is_not_supported(cli: Cli, url: str) -> None:
    done = cli("db", "current", DATABASE_URL=url)
    assert (done.code, done.out) == (2, "")
    assert "sqlite:///path" in done.error
    assert "hunter2" not in done.err
