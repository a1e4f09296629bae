"""After commit: publish what is in the outbox, and hint at jobs without holding up whoever committed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from domain.common.errors import AITraderError
from domain.common.events import EventBus
from domain.common.unit_of_work import UnitOfWork
from domain.jobs.ports import JobQueue

log = logging.getLogger(__name__)

_BATCH = 200


class DispatchEvents:
    """Moves events from the outbox to the bus. Any number of processes may do so at once."""

    def __init__(self, unit_of_work: Callable[[], UnitOfWork], bus: EventBus) -> None:
        self._unit_of_work = unit_of_work
        self._bus = bus
        self._on_wake: Callable[[], None] = lambda: None

    def attach(self, on_wake: Callable[[], None]) -> None:
        """Say what ``wake`` should do; nothing until then, as in a program that only submits jobs."""
        self._on_wake = on_wake

    def wake(self) -> None:
        """Ask that events be published soon."""
        self._on_wake()

    def __call__(self) -> None:
        """Publish all that is pending.

        Raises:
            Unavailable: the database or the bus did not answer; listeners catch up from SQL.
        """
        while True:
            with self._unit_of_work() as work:
                events = work.outbox.publish_pending(_BATCH)
                work.commit()
            self._bus.publish(events)
            if len(events) < _BATCH:
                return


class BackgroundHints:
    """A ``JobQueue`` whose hints never fail and, once started, never block. The sweeper covers lost ones."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._waiting: SimpleQueue[tuple[str, list[str]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Send hints from a thread of their own from now on."""
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        """Pass a hint on."""
        if self._thread is None:
            self._send(queue, job_ids)
        else:
            self._waiting.put((queue, list(job_ids)))

    def pending(self, queue: str) -> int:
        """Return how many hints wait to be taken."""
        return self._queue.pending(queue)

    def close(self) -> None:
        """Send what waits and stop the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(5)

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._send(*waiting)

    def _send(self, queue: str, job_ids: Sequence[str]) -> None:
        try:
            self._queue.hint(queue, job_ids)
        except AITraderError as error:
            log.warning("hint lost, the sweeper will ask again", extra={"queue": queue, "reason": error.detail})
