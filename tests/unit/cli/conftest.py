from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aitrader.settings import variables
from tests.command_server import ROOT, CommandServer, Done, command_server

SHIPPED = [
    "backtest",
    "mcp_broker",
    "mock_mcp",
    "model_train",
    "onnx_runner",
    "paper",
    "pattern_engine",
    "pattern_scan",
    "replay",
    "sentiment",
    "sentiment_server",
    "strategy_engine",
    "suggestion",
]


Cli = Callable[..., Done]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings, except for a data directory of the test's own."""
    kept = {name: value for name, value in os.environ.items() if name not in variables()}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    data = {
        "AITRADER_DATA_DIR": str(tmp_path / "data"),
        "AITRADER_PLUGINS_ONLY": ",".join(SHIPPED),
    }
    return {**kept, **data, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def commands() -> Iterator[CommandServer]:
    with command_server() as server:
        yield server


@pytest.fixture
def cli(commands: CommandServer, environment: dict[str, str], tmp_path: Path) -> Cli:
    """Run ``aitrader`` with these arguments, in an empty directory; keywords are environment variables."""

    def run(*arguments: str, stdin: str = "", **env: str) -> Done:
        wanted = {**environment, **env}
        if wanted["PYTHONPATH"] == environment["PYTHONPATH"]:
            return commands.run(arguments, wanted, tmp_path, stdin)
        done = subprocess.run(
            [sys.executable, "-m", "aitrader", *arguments],
            env=wanted,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def change_audit_log(database: Path) -> None:
    """Change the first line of an embedded audit log behind the program's back."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TRIGGER audit_events_append_only")
        connection.execute("UPDATE audit_events SET actor = 'mallory' WHERE id = 1")
        connection.commit()
