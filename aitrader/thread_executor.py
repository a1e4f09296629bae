"""Runs an attempt in the calling thread: for short, I/O-bound job types that check often."""

from __future__ import annotations

from aitrader.attempts import Toolbox, run_attempt
from domain.jobs.model import JobTypeInfo, Outcome
from domain.jobs.ports import Lease


class ThreadExecutor:
    """The executor of ``Isolation.THREAD``. Cancel and deadline act when the job calls ``check``."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools

    def run(self, lease: Lease, info: JobTypeInfo) -> Outcome:
        """Run the attempt here."""
        return run_attempt(lease.job, lease, self._tools)

    def close(self) -> None:
        """Nothing runs outside the caller's thread."""
