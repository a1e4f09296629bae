"""Places where a test may kill this process, to prove that nothing is lost or done twice there."""

from __future__ import annotations

import os
import signal

VARIABLE = "AITRADER_TEST_FAILPOINT"


def failpoint(name: str) -> None:
    """Die here, as from ``kill -9``, if the environment says so: ``AITRADER_TEST_FAILPOINT=name``."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
