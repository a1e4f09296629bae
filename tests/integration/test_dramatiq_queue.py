from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from adapters.queue.doorbell import DoorbellBroker, DoorbellConsumer
from adapters.queue.dramatiq_queue import DramatiqConsumer, DramatiqQueue
from adapters.redis.client import connect
from aitrader.testing.job_queue import Gate
from domain.common.errors import Unavailable
from tests.processes import Process, eventually
from tests.servers import RedisServer

pytestmark = pytest.mark.once

Start = Callable[..., DramatiqConsumer]


@pytest.fixture(autouse=True)
def look_for_redis_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.2)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a consumer; it is stopped after the test, whatever became of Redis."""
    with ExitStack() as stack:

        def start(url: str, slots: dict[str, int], work: Callable[[str], object]) -> DramatiqConsumer:
            consumer = DramatiqConsumer(stack.enter_context(connect(url)))
            stack.callback(consumer.stop, 10)
            consumer.start(slots, work)
            return consumer

        yield start


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.let()


@pytest.fixture
def queue(own_redis: RedisServer) -> Iterator[DramatiqQueue]:
    with connect(own_redis.url) as client:
        yield DramatiqQueue(client)


def flush(redis: RedisServer) -> None:
    redis.flush()


def restart(redis: RedisServer) -> None:
    redis.restart(empty=True)


def kill(redis: RedisServer) -> None:
    redis.kill()
    redis.start()


def disconnect(redis: RedisServer) -> None:
    redis.disconnect_clients()


FAULTS = [flush, restart, kill, disconnect]


def hinted(queue: DramatiqQueue, done: Callable[[], bool]) -> Callable[[], bool]:
    """Hint as the sweeper does, until it helped."""

    def attempt() -> bool:
        if done():
            return True
        if not queue.pending("default"):
            queue.hint("default", ["sweep"])
        return done()

    return attempt


@pytest.mark.parametrize("fault", FAULTS)
def test_an_idle_consumer_recovers(
    own_redis: RedisServer, queue: DramatiqQueue, start: Start, fault: Callable[[RedisServer], None]
) -> None:
    gate = Gate(open=True)
    start(own_redis.url, {"default": 2}, gate)
    queue.hint("default", ["a"])
    eventually(lambda: gate.done["default"] == 1)
    fault(own_redis)
    eventually(hinted(queue, lambda: gate.done["default"] > 1), timeout=30)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_busy_consumer_recovers(
    own_redis: RedisServer, queue: DramatiqQueue, start: Start, gate: Gate, fault: Callable[[RedisServer], None]
) -> None:
    start(own_redis.url, {"default": 2}, gate)
    queue.hint("default", [str(number) for number in range(10)])
    eventually(lambda: gate.inside["default"] == 2)
    fault(own_redis)
    assert gate.inside["default"] == 2
    gate.let(2)
    eventually(lambda: gate.done["default"] == 2)
    gate.let()
    eventually(hinted(queue, lambda: gate.done["default"] > 2), timeout=30)
    assert gate.most["default"] <= 2


def test_calls_go_on_and_stop_works_while_redis_is_down(
    own_redis: RedisServer, queue: DramatiqQueue, start: Start, gate: Gate
) -> None:
    consumer = start(own_redis.url, {"default": 2, "cpu": 1}, gate)
    queue.hint("default", ["a", "b", "c"])
    eventually(lambda: gate.inside["default"] == 2)
    own_redis.kill()
    assert consumer.stop(0.05) is False
    gate.let()
    assert consumer.stop(30) is True
    assert gate.done["default"] == 2
    assert consumer.stop(1) is True


def test_a_hint_that_was_fetched_and_not_taken_does_not_spoil_stop(
    own_redis: RedisServer, queue: DramatiqQueue, start: Start, gate: Gate
) -> None:
    consumer = start(own_redis.url, {"default": 1}, gate)
    queue.hint("default", ["a", "b"])
    eventually(lambda: gate.inside["default"] == 1)
    assert consumer.stop(0.05) is False
    gate.let()
    eventually(lambda: queue.pending("default") == 0)  # the second was fetched, but nobody takes it any more
    own_redis.kill()
    assert consumer.stop(30) is True
    assert gate.calls["default"] == 1


def test_says_so_when_redis_is_down(own_redis: RedisServer, queue: DramatiqQueue) -> None:
    queue.hint("default", ["a"])
    own_redis.kill()
    for use in (lambda: queue.hint("default", ["b"]), lambda: queue.pending("default")):
        with pytest.raises(Unavailable) as caught:
            use()
        assert caught.value.code == "redis_unavailable"
    own_redis.start()
    queue.hint("default", ["c", "d"])
    assert queue.pending("default") == 2


def test_a_consumer_that_starts_while_redis_is_down_works_later(
    own_redis: RedisServer, queue: DramatiqQueue, start: Start
) -> None:
    own_redis.kill()
    gate = Gate(open=True)
    start(own_redis.url, {"default": 1}, gate)
    own_redis.start()
    eventually(hinted(queue, lambda: gate.done["default"] > 0), timeout=30)


def test_one_message_per_hint_in_redis(redis_url: str, redis_server: RedisServer) -> None:
    with connect(redis_url) as client:
        queue = DramatiqQueue(client)
        queue.hint("default", ["a", "b", "a"])
        assert queue.pending("default") == 3
        keys = {key.decode() for key in client.keys("*")}
    assert {"aitrader:default", "aitrader:default.msgs", "aitrader:default.bell"} <= keys
    assert not any(key.endswith((".DQ", ".XQ")) for key in keys), "no delayed and no dead messages"


def test_the_bell_does_not_grow(redis_url: str) -> None:
    with connect(redis_url) as client:
        queue = DramatiqQueue(client)
        queue.hint("default", [str(number) for number in range(200)])
        assert queue.pending("default") == 200
        assert client.llen("aitrader:default.bell") <= 64


def test_an_idle_consumer_waits_at_the_bell_and_is_woken_by_it(
    redis_url: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    fetches: list[int] = []
    wait, fetch = DoorbellConsumer._wait_at_bell, DoorbellBroker.__getattr__

    def waited(self: DoorbellConsumer) -> Any:
        answer = wait(self)
        rung.append(answer)
        return answer

    def fetched(self: DoorbellBroker, name: str) -> Any:
        if name == "do_fetch":
            fetches.append(len(rung))
        return fetch(self, name)

    monkeypatch.setattr(DoorbellConsumer, "_wait_at_bell", waited)
    monkeypatch.setattr(DoorbellBroker, "__getattr__", fetched)
    gate = Gate(open=True)
    start(redis_url, {"default": 4}, gate)
    with connect(redis_url) as client, connect(redis_url) as observer:
        queue = DramatiqQueue(client)
        eventually(lambda: any(entry["cmd"] == "blpop" for entry in observer.client_list()))
        waits = len(rung)
        queue.hint("default", ["a"])
        eventually(lambda: gate.done["default"] == 1)
    # The call came because BLPOP returned the ring, not because a wait ran out and the consumer looked again.
    assert [answer for answer in rung[waits:] if answer is not None] != []
    # While idle it fetches once per wait: it never polls.
    assert len(fetches) <= len(rung) + 3


_WORKER = r"""
import os, signal, sys, threading
from adapters.queue.dramatiq_queue import DramatiqConsumer
from adapters.redis.client import connect

go_on = threading.Event()

def work(queue):
    os.write(1, b"call\n")  # print writes the line end separately, so that two threads could mix their lines
    go_on.wait(60)

consumer = DramatiqConsumer(connect(sys.argv[1]))
consumer.start({"default": 2}, work)
print("ready", flush=True)
signal.signal(signal.SIGTERM, lambda *_: go_on.set())
while not go_on.wait(0.05):
    pass
print("stopped", consumer.stop(30), flush=True)
"""


def test_consumers_in_two_processes_share_the_work(
    redis_url: str, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    workers = [start_process([sys.executable, "-c", _WORKER, redis_url]) for _ in range(2)]
    for worker in workers:
        worker.wait_for_line("ready", 60)
    with connect(redis_url) as client:
        queue = DramatiqQueue(client)
        queue.hint("default", [str(number) for number in range(5)])
        # Each has two slots, and calls end only when told to: four calls run, two in each, and one hint waits.
        eventually(lambda: [worker.lines.count("call") for worker in workers] == [2, 2], timeout=20)
        assert queue.pending("default") == 1
        for worker in workers:
            worker.terminate()
        for worker in workers:
            assert worker.wait(60) == 0, worker.describe()
            assert worker.lines[-1] == "stopped True", worker.describe()


def test_hints_that_a_killed_worker_held_are_replaced_by_new_ones(
    redis_url: str, start_process: Callable[..., Process], start: Start
) -> None:
    worker = start_process([sys.executable, "-c", _WORKER, redis_url])
    worker.wait_for_line("ready", 60)
    with connect(redis_url) as client:
        queue = DramatiqQueue(client)
        queue.hint("default", ["a", "b", "c"])
        eventually(lambda: worker.lines.count("call") == 2)
        worker.kill()
        gate = Gate(open=True)
        start(redis_url, {"default": 2}, gate)
        eventually(lambda: gate.done["default"] >= 1)
        queue.hint("default", ["sweep", "sweep"])
        eventually(lambda: gate.done["default"] >= 3)
