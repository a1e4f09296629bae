"""Command lines in processes of their own, forked from one that has imported the program already.

A new interpreter takes a second to import what a command needs; the tests of the command line start hundreds. Each
still has its own process, environment, directory and streams. What starts a program for the sake of starting it, such
as the end-to-end tests, does not come here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_DEADLINE_S = 120
# What most commands import before they do anything.
_IMPORTED = (
    "aitrader.bootstrap",
    "aitrader.logs",
    "limits.aio.storage",
    "rich.progress",
    "rich.table",
    "structlog.dev",
)


@dataclass
class Done:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of the error; fails when there is more, or a traceback."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line


class CommandServer:
    """The process that commands are forked from."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server"],
            env={**os.environ, "PYTHONPATH": path},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, stdin: str = "") -> Done:
        """Run a command line to its end."""
        server = self._process
        assert server.stdin is not None
        assert server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in ("in", "out", "err")]
            streams[0].write_text(stdin, encoding="utf-8")
            order = {"arguments": arguments, "env": dict(env), "cwd": str(cwd), "streams": [*map(str, streams)]}
            print(json.dumps(order), file=server.stdin, flush=True)
            if not select.select([server.stdout], [], [], _DEADLINE_S)[0]:
                server.kill()
                raise TimeoutError(f"{arguments} takes longer than {_DEADLINE_S} s")
            code = int(server.stdout.readline())
            return Done(code, *(path.read_text(encoding="utf-8") for path in streams[1:]))

    def close(self) -> None:
        """End it."""
        self._process.communicate("")


def _serve() -> None:
    from aitrader import cli

    for module in (*_IMPORTED, *(module for module, _help in cli.COMMANDS.values())):
        importlib.import_module(module)
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            _become(**json.loads(line))
            cli.main()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(arguments: list[str], env: dict[str, str], cwd: str, streams: list[str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["aitrader", *arguments]
    for number, (path, mode) in enumerate(zip(streams, "rww", strict=True)):
        with open(path, mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)


@contextlib.contextmanager
def command_server() -> Iterator[CommandServer]:
    """A server for as long as it is used."""
    server = CommandServer()
    try:
        yield server
    finally:
        server.close()


if __name__ == "__main__":
    _serve()
