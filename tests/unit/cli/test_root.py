from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from aitrader import cli as command_line
from aitrader.cli import COMMANDS, root, run
from domain.common import errors
from tests.unit.cli.conftest import ROOT, Cli

HEAVY = ("numpy", "pyarrow", "sqlalchemy", "quart", "dramatiq", "talib", "matplotlib", "rich")


def commands(group: click.Group = root, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: {' '.join(['aitrader', *path])}")
    assert "Example" in shown
    assert f"aitrader {' '.join(path)}".strip() in shown.split("Example")[1]


def test_the_table_of_commands_tells_the_truth() -> None:
    context = click.Context(root)
    assert list(COMMANDS) == root.list_commands(context)
    for name, (module, text) in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert command.callback is not None
        assert command.callback.__module__ == module
        assert text.endswith(".")


def test_the_exit_codes_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 not found" in shown
    assert "5 dependency unreachable" in shown


@pytest.mark.parametrize(
    "script",
    [
        "import aitrader",
        "from aitrader.cli import run; run(['--help'])",
        "from aitrader.cli import run; run(['--version'])",
    ],
)
def test_help_and_import_load_nothing_heavy(script: str) -> None:
    check = f"import sys; {script}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("source", ["raise RuntimeError('boom')", "import no_such_module", "del x", "def broken(:"])
def test_a_broken_command_breaks_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    (tmp_path / "broken_command_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "broken", ("broken_command_module", "Is broken."))
    assert run(["--help"]) == 0
    assert "Is broken." in capsys.readouterr().out
    assert run(["db", "--help"]) == 0
    capsys.readouterr()
    assert run(["broken", "--anything", "at", "all"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: broken could not be loaded: ")
    assert len(shown.err.splitlines()) == 1


def test_a_module_without_the_command_is_broken_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "absent", ("json", "Is absent."))
    assert run(["absent"]) == 1
    assert "absent could not be loaded: AttributeError" in capsys.readouterr().err


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make ``aitrader fail`` raise the given exception."""

    def install(error: BaseException) -> None:
        @click.command()
        def fail() -> None:
            raise error

        monkeypatch.setattr(command_line.LazyGroup, "get_command", lambda *_: fail)

    return install


FIELD = errors.FieldError("payload.x", "is wrong")


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (errors.NotFound("no such thing"), 3, ["error: no such thing"]),
        (errors.Denied("not you"), 4, ["error: not you"]),
        (errors.Unavailable("nobody there"), 5, ["error: nobody there"]),
        (errors.Conflict("not now"), 6, ["error: not now"]),
        (errors.Invalid("wrong", errors=[FIELD]), 2, ["error: wrong", "  payload.x: is wrong"]),
        (errors.Malformed("what"), 2, ["error: what"]),
        (errors.TooLarge("too much"), 2, ["error: too much"]),
        (errors.AITraderError("something"), 1, ["error: something"]),
        (
            ValueError("odd\nand long"),
            1,
            ["error: ValueError: odd (aitrader -v … shows the traceback)"],
        ),
        (KeyboardInterrupt(), 130, ["", "interrupted"]),
        (click.ClickException("no"), 1, ["Error: no"]),
        (click.exceptions.Exit(7), 7, []),
    ],
)
def test_what_an_error_becomes(
    raising: Any, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, lines: list[str]
) -> None:
    raising(error)
    assert run(["fail"]) == code
    shown = capsys.readouterr()
    assert (shown.out, [line for line in shown.err.splitlines() if line]) == ("", [line for line in lines if line])


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
@pytest.mark.parametrize(("error", "code"), [(errors.Conflict("not now"), 6), (ValueError("odd"), 1)])
def test_verbose_shows_the_traceback_and_keeps_the_code(
    raising: Any, capsys: pytest.CaptureFixture[str], error: Exception, code: int, flag: str
) -> None:
    raising(error)
    assert run([flag, "fail"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):")
    assert shown.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["jobs", "nonsense"],
        ["jobs", "list", "--status", "asleep"],
        ["jobs", "list", "--limit", "0"],
        ["serve", "--port", "70000"],
        ["db", "downgrade"],
        ["jobs", "submit", "backtest", "-p", "novalue"],
        ["jobs", "submit", "backtest", "-f", "/no/such/file"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""


def test_version(cli: Cli) -> None:
    done = cli("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("aitrader, version ")
