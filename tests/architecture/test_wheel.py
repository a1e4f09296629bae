"""What pip installs: everything that runs, and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "adapters", "aitrader", "plugins", "migrations")
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "node_modules")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in the wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=_LEFT_OUT)
    with_own_setuptools = ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *with_own_setuptools, "-w", str(folder)]
    done = subprocess.run([*command, str(folder / "source")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("aitrader-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def tracked(pattern: str, *folders: str) -> set[str]:
    """Return the files of the repository that match, as they are named in the wheel."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_module_is_in_it(wheel: list[str]) -> None:
    assert tracked("*.py", *PACKAGES) == {name for name in wheel if name.endswith(".py")}


def test_what_is_not_python_is_in_it(wheel: list[str]) -> None:
    wanted = tracked("*", "adapters/marketdata/samples", "adapters/http/static", "adapters/sentiment/weights")
    wanted |= {"migrations/script.py.mako", "migrations/env.py", "migrations/versions/0001_initial.py"}
    wanted |= {"adapters/sentiment/lexicon.txt"}
    wanted |= {f"{package}/py.typed" for package in PACKAGES if package != "migrations"}
    assert len([name for name in wanted if name.endswith(".parquet")]) == 3
    assert wanted - set(wheel) == set()


def test_nothing_else_is_in_it(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert [name for name in wheel if name.endswith((".pyc", ".db", ".env"))] == []
