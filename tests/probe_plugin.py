"""The probe plugin, as other processes and as this one find it. The job types are in `aitrader.testing.probes`."""

from __future__ import annotations

import os
from pathlib import Path

from aitrader.attempts import Toolbox
from aitrader.job_types import RegisteredJobTypes
from aitrader.plugin_host import Candidate, PluginHost
from aitrader.testing import probes
from aitrader.testing.bars import MemoryBarStore

ROOT = Path(__file__).resolve().parent.parent
_NAME = "probe-1.0"


def install(directory: Path) -> dict[str, str]:
    """Make the plugin's metadata in `directory`; return the environment in which processes find the plugin."""
    metadata = directory / f"{_NAME}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[aitrader]\nprobe = aitrader.testing.probes\n")
    paths = [str(directory), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def host() -> PluginHost:
    """Return a plugin host with the probes alone."""
    return PluginHost([Candidate("probe", "probe", "1.0", lambda: probes)], strict=True)


def toolbox(artifacts_dir: Path) -> Toolbox:
    """Return what the probes need in this process."""
    plugins = host()
    return Toolbox(RegisteredJobTypes(plugins.job_types), plugins.strategies, MemoryBarStore, artifacts_dir)
