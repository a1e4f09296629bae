"""The queue of an embedded installation: hints are a counter per queue, workers are threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger(__name__)


class InProcessQueue:
    """A ``JobQueue`` and ``JobConsumer`` in one, for one process."""

    def __init__(self) -> None:
        self._hints: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._changed: dict[str, threading.Condition] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = False

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        """Wake one thread per id."""
        with self._lock:
            self._hints[queue] += len(job_ids)
            self._condition(queue).notify(len(job_ids))

    def pending(self, queue: str) -> int:
        """Return how many hints wait."""
        with self._lock:
            return self._hints[queue]

    def start(self, slots: Mapping[str, int], work: Callable[[str], object]) -> None:
        """Begin with so many threads per queue."""
        for queue, count in slots.items():
            for number in range(count):
                thread = threading.Thread(
                    target=self._run, args=(queue, work), name=f"job-{queue}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Take no more hints; wait for running calls."""
        with self._lock:
            self._stopping = True
            for changed in self._changed.values():
                changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Nothing to release."""

    def _run(self, queue: str, work: Callable[[str], object]) -> None:
        while self._take(queue):
            try:
                work(queue)
            except BaseException:  # also SystemExit: a job that calls sys.exit() must not cost a slot
                log.exception("a worker thread could not run a job; the sweeper will ask again")

    def _take(self, queue: str) -> bool:
        with self._lock:
            self._condition(queue).wait_for(lambda: self._stopping or self._hints[queue] > 0)
            if self._stopping:
                return False
            self._hints[queue] -= 1
            return True

    def _condition(self, queue: str) -> threading.Condition:
        """Return where the threads of a queue wait, so that a hint wakes no more threads than it should."""
        return self._changed.setdefault(queue, threading.Condition(self._lock))
