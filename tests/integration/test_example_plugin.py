"""The example of docs/writing-a-plugin.md: installed as a user would, checked and run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrader.settings import variables
from tests.processes import Process

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "aitrader-acme"
PAGE = ROOT / "docs" / "writing-a-plugin.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(
        EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info", ".*")
    )
    with_own_setuptools = ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *with_own_setuptools]
    done = subprocess.run(
        [*command, "--target", str(folder / "site"), str(folder / "source")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def environment(site: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in variables()}
    path = os.pathsep.join([str(site), str(ROOT)])
    return {**kept, "PYTHONPATH": path, "AITRADER_DATA_DIR": str(tmp_path / "data"), "AITRADER_PROCESSES": "1"}


@pytest.fixture
def aitrader(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run a command that must succeed; return its stdout and stderr."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "aitrader", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_it_is_admitted_and_checked(aitrader: Callable[..., str]) -> None:
    checked = aitrader("plugins", "check", "acme")
    assert "job type acme_up_days: schemas and example are valid" in checked
    assert "strategy acme_after_down_day: fits the port" in checked
    assert checked.splitlines()[-1] == "acme is fine"


def test_its_jobs_run(
    aitrader: Callable[..., str],
    environment: dict[str, str],
    start_process: Callable[..., Process],
    tmp_path: Path,
) -> None:
    aitrader("data", "samples")
    aitrader("db", "upgrade")
    worker = start_process([sys.executable, "-m", "aitrader", "worker"], env=environment, cwd=tmp_path)
    worker.wait_for_line("worker ready", timeout=30)
    watched = aitrader("jobs", "submit", "acme_up_days", "-p", "symbol=index:spx", "--watch", "--json")
    job_id = json.loads(watched.splitlines()[-1])["job_id"]
    result = json.loads(aitrader("jobs", "show", job_id, "--json"))["result"]
    assert 0.5 < result["up"] / result["days"] < 0.6
    aitrader(
        *(
            "jobs",
            "submit",
            "backtest",
            "-p",
            'symbols=["INDEX:SPX"]',
            "-p",
            "strategy=acme_after_down_day",
            "--watch",
        )
    )


def test_its_own_tests_pass(environment: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_page_shows_the_example_as_it_is() -> None:
    shown = re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(shown) == 5
    for path, text in shown:
        assert text == (EXAMPLE / path).read_text(encoding="utf-8"), path


def test_it_imports_only_what_is_promised() -> None:
    for path in EXAMPLE.rglob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (aitrader[\w.]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        allowed = ("aitrader.api", "aitrader_acme", "aitrader.testing")
        assert [name for name in imported if not name.startswith(allowed)] == [], path
