"""Virtual environments for programs from PyPI whose requirements do not go together with ours."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_VARIABLE = "AITRADER_TEST_CACHE_DIR"


def environment(*requirements: str) -> Path:
    """Return the ``bin`` of an environment with some requirements in it, made once and kept in a cache."""

    def make(place: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        _pip(str(place / "bin" / "python"), "install", *requirements)

    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return _made("-".join((*requirements, python)), make) / "bin"


def unpacked(requirement: str) -> Path:
    """Return a folder with what a wheel holds, without what it needs; made once and kept in a cache."""

    def make(place: Path) -> None:
        _pip(sys.executable, "install", "--no-deps", "--no-compile", "--target", str(place), requirement)

    return _made(requirement, make)


def _pip(python: str, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", *arguments, "--quiet"], check=True, capture_output=True, timeout=600)


def _made(name: str, make: Callable[[Path], None]) -> Path:
    cache = Path(os.environ.get(_VARIABLE) or Path.home() / ".cache" / "aitrader-tests")
    place = cache / name.replace("==", "-")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            make(place)
            (place / "ready").touch()
    return place
