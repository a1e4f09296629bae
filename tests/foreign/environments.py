"""Virtual environments for programs from PyPI whose requirements do not go together with ours."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

_VARIABLE = "AITRADER_TEST_CACHE_DIR"


def environment(requirement: str) -> Path:
    """Return the ``bin`` of an environment with one requirement in it, made once and kept in a cache."""
    cache = Path(os.environ.get(_VARIABLE) or Path.home() / ".cache" / "aitrader-tests")
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    place = cache / f"{requirement.replace('==', '-')}-{python}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement]
            subprocess.run(pip, check=True, capture_output=True, timeout=600)
            (place / "ready").touch()
    return place / "bin"
