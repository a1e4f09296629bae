"""Ending on a signal: gracefully first, for certain in the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

LIMIT_S = 24.0


class Shutdown:
    """Set by SIGTERM or SIGINT. A second SIGINT, or ``LIMIT_S`` seconds, end the process at once."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self.signal: int | None = None

    def install(self) -> None:
        """Take over SIGTERM and SIGINT. Main thread only."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def wait(self) -> None:
        """Sleep until it is time to stop."""
        while not self._event.wait(3600):
            pass

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        return self._event.is_set()

    def then(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when it is time to stop, from the signal handler."""
        self._callbacks.append(callback)

    @property
    def exit_code(self) -> int:
        """0 after SIGTERM, which is how supervisors stop us; 130 after Ctrl-C."""
        return 130 if self.signal == signal.SIGINT else 0

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._event.is_set() and number == signal.SIGINT:
            os._exit(130)
        self.signal = number
        if not self._event.is_set():
            watchdog = threading.Timer(LIMIT_S, lambda: os._exit(1))
            watchdog.daemon = True
            watchdog.start()
        self._event.set()
        for callback in self._callbacks:
            callback()
