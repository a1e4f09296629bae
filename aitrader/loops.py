"""Threads that do one thing again and again, with a watchdog time that readiness looks at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from domain.common.errors import AITraderError

log = logging.getLogger(__name__)


class Loop:
    """Calls ``action`` every ``interval_s`` seconds, or sooner when woken.

    ``action`` may return after how many seconds it wants to be called next; the shorter of the two counts.
    An error is logged once per spell of failing and never ends the loop.
    """

    def __init__(self, name: str, interval_s: float, action: Callable[[], float | None]) -> None:
        self.name = name
        self.interval_s = interval_s
        self._action = action
        self._wake = threading.Event()
        self._stopping = False
        self._failing = False
        self._ticked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Call the action soon. Cheap; from any thread."""
        self._wake.set()

    def stop(self) -> None:
        """End after the current call."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)

    def late(self) -> bool:
        """Whether the loop missed three turns, because it hangs or its action keeps failing."""
        return time.monotonic() - self._ticked > 3 * self.interval_s + 5

    def _run(self) -> None:
        while not self._stopping:
            wait = self._call()
            self._wake.wait(wait)
            self._wake.clear()

    def _call(self) -> float:
        try:
            wait = self._action()
        except AITraderError as error:
            self._complain(error.detail, None)
            return self.interval_s
        except Exception as error:
            self._complain(str(error), error)
            return self.interval_s
        self._failing = False
        self._ticked = time.monotonic()
        return self.interval_s if wait is None else max(0.0, min(self.interval_s, wait))

    def _complain(self, reason: str, error: Exception | None) -> None:
        if not self._failing:
            log.error("loop failed", extra={"loop": self.name, "reason": reason}, exc_info=error)
        self._failing = True
