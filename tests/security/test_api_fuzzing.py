"""schemathesis over the whole OpenAPI document with a trader's token: no 5xx, no response off the document."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import Process
from tests.stack import Stack

pytestmark = pytest.mark.once

SEED = 20261122
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.timeout(300)
def test_no_request_breaks_the_api_or_its_document(tmp_path: Path, start_process: Callable[..., Process]) -> None:
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    stack.api("up")
    trader = stack.trader_token("trader")
    command = [
        Path(sys.executable).with_name("st"),
        "run",
        f"{stack.url}/openapi.json",
        f"--header=Authorization: Bearer {trader}",
        f"--checks={CHECKS}",
        f"--seed={SEED}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=15",
        "--generation-database=none",
        "--suppress-health-check=all",
        "--continue-on-failure",
        "--no-color",
    ]
    env = {**os.environ, "PYTHONUTF8": "1"}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
    assert passed is not None, run.stdout[-3000:]
    assert int(passed[1]) == int(passed[2]) > 500
