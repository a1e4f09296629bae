"""Rules about files that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "adapters", "aitrader", "plugins", "migrations")
MOST_LINES = 400

# They run what is in the data. Data comes from outside.
UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}
UNSAFE_CALLS = {"eval", "exec"}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def unsafe(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in UNSAFE_MODULES)
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] in UNSAFE_MODULES:
                yield module
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield name
            case ast.Call(func=ast.Attribute(attr="load"), keywords=keywords):
                yield from ("allow_pickle" for keyword in keywords if keyword.arg == "allow_pickle")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import pickle", ["pickle"]),
        ("from marshal import loads", ["marshal"]),
        ("import json, shelve as s", ["shelve"]),
        ("eval('1')", ["eval"]),
        ("exec(text)", ["exec"]),
        ("numpy.load(path, allow_pickle=True)", ["allow_pickle"]),
        ("import json\nmodel.evaluate()\nexecutor.exec_driver_sql('x')", []),
    ],
)
def test_the_ban_list_works(text: str, found: list[str]) -> None:
    assert list(unsafe(text)) == found


def test_data_is_never_run() -> None:
    found = {
        str(path.relative_to(ROOT)): names for path in sources() if (names := list(unsafe(path.read_text("utf-8"))))
    }
    assert found == {}


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    relative = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_there_are_pages() -> None:
    assert len(pages()) > 8
