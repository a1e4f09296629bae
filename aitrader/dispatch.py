"""After commit: publish what is in the outbox, and hint at jobs without holding up whoever committed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from domain.common.errors import AITraderError
from domain.common.events import EventBus, PublishedEvent
from domain.common.unit_of_work import UnitOfWork
from domain.jobs.ports import JobQueue

log = logging.getLogger(__name__)

_BATCH = 200
_MOST_IDS = 500


class DispatchEvents:
    """Moves events from the outbox to the bus. Any number of processes may do so at once.

    Args:
        gather_s: how long to wait before each turn, seconds: events that follow each other closely share one
            transaction, and publishing does not compete for the database with the work that a commit has just begun.
    """

    def __init__(
        self,
        unit_of_work: Callable[[], UnitOfWork],
        bus: EventBus,
        gather_s: float = 0.01,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._bus = bus
        self._gather_s = gather_s
        self._on_wake: Callable[[], None] = lambda: None

    def attach(self, on_wake: Callable[[], None]) -> None:
        """Say what ``wake`` should do; nothing until then, as in a program that only submits jobs."""
        self._on_wake = on_wake

    def wake(self) -> None:
        """Ask that events be published soon."""
        self._on_wake()

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        """Hand over events that were numbered where they were stored; listeners catch up from SQL on a lost one."""
        try:
            self._bus.publish(events)
        except AITraderError as error:
            log.warning("events were not handed over", extra={"reason": error.detail})

    def __call__(self) -> None:
        """Publish all that is pending.

        Raises:
            Unavailable: the database or the bus did not answer; listeners catch up from SQL.
        """
        time.sleep(self._gather_s)
        while True:
            with self._unit_of_work() as work:
                events = work.outbox.publish_pending(_BATCH)
                # Somebody else may number events just now, and not have seen ours.
                left_out = not events and work.outbox.pending()[0] > 0
                work.commit()
            self._bus.publish(events)
            if left_out:
                self._on_wake()
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
        while (first := self._waiting.get()) is not None:
            together, more = self._gather(first)
            for queue, job_ids in together.items():
                self._send(queue, job_ids)
            if not more:
                return

    def _gather(self, first: tuple[str, list[str]]) -> tuple[dict[str, list[str]], bool]:
        """Return all that waits by queue, sent together, and whether there may be more."""
        queue, job_ids = first
        together = {queue: list(job_ids)}
        while sum(map(len, together.values())) < _MOST_IDS:
            try:
                following = self._waiting.get_nowait()
            except Empty:
                break
            if following is None:
                return together, False
            together.setdefault(following[0], []).extend(following[1])
        return together, True

    def _send(self, queue: str, job_ids: Sequence[str]) -> None:
        try:
            self._queue.hint(queue, job_ids)
        except AITraderError as error:
            log.warning("hint lost, the sweeper will ask again", extra={"queue": queue, "reason": error.detail})
