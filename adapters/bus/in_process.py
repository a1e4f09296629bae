"""Events between threads of one process."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from domain.common.events import PublishedEvent

log = logging.getLogger(__name__)


class InProcessBus:
    """Calls listeners from one thread, so that a slow listener never holds up a publisher."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[PublishedEvent], None]] = []
        self._events: queue.SimpleQueue[PublishedEvent | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        """Hand events to every listener."""
        if not self._listeners:
            return
        for event in events:
            self._events.put(event)

    def listen(self, callback: Callable[[PublishedEvent], None]) -> Callable[[], None]:
        """Call ``callback`` for each event until the returned function is called."""

        def listener(event: PublishedEvent) -> None:  # one per call, so that equal callbacks are told apart
            callback(event)

        with self._lock:
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
                self._thread.start()

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def ping(self) -> None:
        """Always answers."""

    def close(self) -> None:
        """Stop the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._listeners.clear()
        if thread is not None:
            self._events.put(None)
            thread.join(5)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            for callback in list(self._listeners):
                try:
                    callback(event)
                except Exception:
                    log.exception("an event listener failed")
