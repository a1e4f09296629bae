"""The child process of a worker: ``python -m aitrader.child FD`` runs one job after another for its parent.

It opens no database: jobs arrive over the socket, and progress and outcomes go back over it.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from adapters.process.wire import job_from_json, outcome_to_json, receive, send
from aitrader.attempts import run_attempt
from aitrader.bootstrap import build
from aitrader.logs import set_up_logging
from aitrader.settings import load_settings
from domain.engines.calls import calls_json
from domain.jobs.model import Canceled, LeaseLost, Released

_VERDICTS: dict[str, type[Canceled | Released | LeaseLost]] = {
    "canceled": Canceled,
    "released": Released,
    "lease_lost": LeaseLost,
}


class ParentControl:
    """What the child hears from, and tells, its parent. Without its parent the child ends at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._verdict: Canceled | Released | LeaseLost | None = None
        self._sending = threading.Lock()
        self.jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def verdict(self) -> Canceled | Released | LeaseLost | None:
        """Return why the job must stop now."""
        return self._verdict

    def report(self, fraction: float, message: str) -> None:
        """Pass progress on."""
        self.send({"progress": [fraction, message]})

    def send(self, message: dict[str, Any]) -> None:
        """Send to the parent."""
        with self._sending:
            send(self._connection, message)

    def listen(self) -> None:
        """Hear the parent until it is gone."""
        try:
            while True:
                self._hear(receive(self._connection))
        except (EOFError, OSError):
            os._exit(1)

    def _hear(self, message: dict[str, Any]) -> None:
        if "stop" in message:
            self._verdict = _VERDICTS[message["stop"]]()
        if "job" in message:
            self._verdict = None
            self.jobs.put(message["job"])


def main(descriptor: int) -> None:
    """Run jobs until the parent is gone."""
    control = ParentControl(Connection(descriptor))
    settings = load_settings()
    set_up_logging(settings, service="child")
    parts = build(settings)
    tools, calls = parts.toolbox(), parts.engine_calls()
    threading.Thread(target=control.listen, name="parent", daemon=True).start()
    while True:
        job = job_from_json(control.jobs.get())
        outcome = outcome_to_json(run_attempt(job, control, tools))
        control.send({"outcome": outcome, "engine_calls": calls_json(calls.take())})


if __name__ == "__main__":
    main(int(sys.argv[1]))
