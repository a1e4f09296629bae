from __future__ import annotations

import os
from pathlib import Path

import pytest

SEED = (
    *("DATABASE_URL", "REDIS_URL", "MCP_URL", "ONNX_RUNNER_URL", "SENTIMENT_ENGINE_URL", "STRATEGY_ENGINE_URL"),
    *("PORT", "DEBUG", "LOG_LEVEL"),
)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory without ``.env`` and an environment without settings; returns the directory."""
    for name in list(os.environ):
        if name in SEED or name.startswith("AITRADER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
