"""Nothing that we use reports to its makers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["adapters.onnx.session", "plugins.model_train.learner"])
def test_the_onnx_runtime_makes_no_device_id(tmp_path: Path, module: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = f"import aitrader.bootstrap, {module}, onnxruntime; onnxruntime.get_available_providers()"
    env = {**kept, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, check=True)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in str(path)]
