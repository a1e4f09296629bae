"""What every `JobQueue` with its `JobConsumer` does. Subclass `JobQueueContract` and override its fixtures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from aitrader.testing.waiting import until
from domain.jobs.ports import JobConsumer, JobQueue


class Gate:
    """Work whose calls wait until they are let through. Counts who is in, who was in, and the most at once."""

    def __init__(self, *, open: bool = False) -> None:
        self._lock = threading.Lock()
        self._free = threading.Semaphore(1_000_000 if open else 0)
        self.inside: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def __call__(self, queue: str) -> None:
        """Be the work."""
        with self._lock:
            self.calls[queue] += 1
            self.inside[queue] += 1
            self.most[queue] = max(self.most[queue], self.inside[queue])
        passed = self._free.acquire(timeout=60)
        with self._lock:
            self.inside[queue] -= 1
            self.done[queue] += 1
        assert passed, "nobody opened the gate"

    def let(self, count: int = 1_000_000) -> None:
        """Let so many calls through."""
        self._free.release(count)


class JobQueueContract:
    """Tests for any `JobQueue` with its `JobConsumer`."""

    @pytest.fixture
    def queue(self) -> Iterator[JobQueue]:
        """Yield an empty queue."""
        raise NotImplementedError("override the queue fixture")

    @pytest.fixture
    def consumer(self, queue: JobQueue) -> Iterator[JobConsumer]:
        """Yield a consumer of the queue, not started; stop it after the test."""
        raise NotImplementedError("override the consumer fixture")

    @pytest.fixture
    def gate(self) -> Iterator[Gate]:
        """Yield a gate; it is opened after the test so that no thread hangs."""
        gate = Gate()
        yield gate
        gate.let()

    def test_pending_counts_hints_that_nobody_took(self, queue: JobQueue) -> None:
        assert queue.pending("default") == 0
        queue.hint("default", ["a", "b"])
        queue.hint("default", ["c"])
        queue.hint("cpu", ["d"])
        queue.hint("cpu", [])
        assert (queue.pending("default"), queue.pending("cpu"), queue.pending("other")) == (3, 1, 0)

    def test_hints_from_before_the_start_are_worked_off(self, queue: JobQueue, consumer: JobConsumer) -> None:
        gate = Gate(open=True)
        queue.hint("default", ["a", "b", "c"])
        consumer.start({"default": 2}, gate)
        until(lambda: gate.done["default"] == 3)
        assert queue.pending("default") == 0

    def test_each_hint_wakes_one_worker(self, queue: JobQueue, consumer: JobConsumer, gate: Gate) -> None:
        consumer.start({"default": 4}, gate)
        queue.hint("default", ["a", "b", "c"])
        until(lambda: gate.inside["default"] == 3)
        gate.let()
        until(lambda: gate.done["default"] == 3)
        assert gate.calls["default"] == 3

    def test_no_more_calls_at_once_than_slots_and_no_fewer(
        self, queue: JobQueue, consumer: JobConsumer, gate: Gate
    ) -> None:
        consumer.start({"default": 3}, gate)
        queue.hint("default", [str(number) for number in range(12)])
        for left in range(12, 3, -3):
            until(lambda: gate.inside["default"] == 3)
            until(lambda left=left: queue.pending("default") == left - 3)  # type: ignore[misc]
            gate.let(3)
            until(lambda left=left: gate.done["default"] == 15 - left)  # type: ignore[misc]
        gate.let()
        until(lambda: gate.done["default"] == 12)
        assert gate.most["default"] == 3
        assert queue.pending("default") == 0

    def test_queues_have_slots_of_their_own(self, queue: JobQueue, consumer: JobConsumer, gate: Gate) -> None:
        consumer.start({"default": 2, "cpu": 1}, gate)
        queue.hint("cpu", ["a", "b", "c"])
        until(lambda: gate.inside["cpu"] == 1)
        queue.hint("default", ["d", "e", "f"])
        until(lambda: gate.inside["default"] == 2)
        gate.let()
        until(lambda: gate.done == {"cpu": 3, "default": 3})
        assert gate.most == {"cpu": 1, "default": 2}

    def test_hints_of_other_queues_are_left_alone(self, queue: JobQueue, consumer: JobConsumer) -> None:
        gate = Gate(open=True)
        consumer.start({"default": 2}, gate)
        queue.hint("cpu", ["a", "b"])
        queue.hint("default", ["c"])
        until(lambda: gate.done["default"] == 1)
        assert queue.pending("cpu") == 2
        assert gate.calls["cpu"] == 0

    def test_doubled_hints_only_call_again(self, queue: JobQueue, consumer: JobConsumer) -> None:
        gate = Gate(open=True)
        consumer.start({"default": 2}, gate)
        queue.hint("default", ["same", "same"])
        queue.hint("default", ["same"])
        until(lambda: gate.done["default"] == 3)

    def test_work_that_raises_does_not_cost_a_slot(self, queue: JobQueue, consumer: JobConsumer) -> None:
        raised: list[str] = []
        gate = Gate(open=True)
        errors: list[BaseException] = [RuntimeError("no"), SystemExit(3), MemoryError()] * 2

        def work(name: str) -> None:
            if name == "bad":
                raised.append(name)
                raise errors.pop()
            gate(name)

        consumer.start({"bad": 2, "default": 1}, lambda name: work(name))
        queue.hint("bad", [str(number) for number in range(6)])
        until(lambda: len(raised) == 6)
        queue.hint("default", ["x"])
        until(lambda: gate.done["default"] == 1)

    def test_stop_waits_for_running_calls(self, queue: JobQueue, consumer: JobConsumer, gate: Gate) -> None:
        consumer.start({"default": 40}, gate)
        queue.hint("default", ["a", "b"])
        until(lambda: gate.inside["default"] == 2)
        stopped: list[bool] = []
        stopper = threading.Thread(target=lambda: stopped.append(consumer.stop(30)))
        stopper.start()
        # A call that ends late, but in time: it must be waited for even though the others ended long ago.
        stopper.join(1.5)
        assert stopped == []
        gate.let()
        stopper.join(30)
        assert stopped == [True]
        assert gate.done["default"] == 2

    def test_stop_tells_when_calls_still_run_and_may_be_called_again(
        self, queue: JobQueue, consumer: JobConsumer, gate: Gate
    ) -> None:
        consumer.start({"default": 2}, gate)
        queue.hint("default", ["a"])
        until(lambda: gate.inside["default"] == 1)
        assert consumer.stop(0.05) is False
        gate.let()
        assert consumer.stop(30) is True
        assert gate.done["default"] == 1

    def test_nothing_is_called_after_stop(self, queue: JobQueue, consumer: JobConsumer, gate: Gate) -> None:
        consumer.start({"default": 1}, gate)
        queue.hint("default", ["a", "b", "c"])
        until(lambda: gate.inside["default"] == 1)
        assert consumer.stop(0.05) is False
        gate.let()
        assert consumer.stop(30) is True
        queue.hint("default", ["d"])
        assert consumer.stop(1) is True
        assert gate.calls["default"] == 1
        assert queue.pending("default") == 3

    def test_an_idle_consumer_stops(self, consumer: JobConsumer, gate: Gate) -> None:
        consumer.start({"default": 2, "cpu": 1}, gate)
        assert consumer.stop(30) is True

    def test_hints_from_many_threads_all_count(self, queue: JobQueue, consumer: JobConsumer) -> None:
        gate = Gate(open=True)
        consumer.start({"default": 4}, gate)

        def send() -> None:
            for number in range(25):
                queue.hint("default", [str(number)])

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        until(lambda: gate.done["default"] == 100)

    def test_closing_the_queue_twice_is_harmless(self, queue: JobQueue) -> None:
        queue.close()
        queue.close()
