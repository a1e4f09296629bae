from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.dispatch import BackgroundHints, DispatchEvents
from domain.common.errors import Unavailable
from domain.common.events import Event, PublishedEvent
from tests.unit.jobs.support import FakeQueue, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = open_world(tmp_path)
    yield made
    made.engine.dispose()


class Bus:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.published: list[PublishedEvent] = []
        self.down = False

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        if self.down:
            raise Unavailable("the bus did not answer")
        self.published += events

    def listen(self, callback: Any) -> Any: ...

    def ping(self) -> None: ...

    def close(self) -> None: ...


def store(world: World, count: int, topic: str = "t", audience: str = "ann") -> None:
    with world.work() as work:
        work.outbox.add([Event(topic, audience, {"n": number}) for number in range(count)])
        work.commit()


def read(world: World, after: int = 0) -> list[PublishedEvent]:
    with world.work() as work:
        return work.outbox.read("t", "ann", after, 1000)


def pending(world: World) -> int:
    with world.work() as work:
        return work.outbox.pending()[0]


def test_publishes_all_that_is_pending_in_order(world: World) -> None:
    store(world, 450)
    bus = Bus()
    DispatchEvents(world.work, bus)()
    assert [event.seq for event in bus.published] == list(range(1, 451))
    assert [event.data["n"] for event in bus.published] == list(range(450))
    assert bus.published == read(world)
    assert pending(world) == 0


def test_nothing_is_published_twice(world: World) -> None:
    bus = Bus()
    dispatch = DispatchEvents(world.work, bus)
    store(world, 2)
    dispatch()
    dispatch()
    store(world, 1)
    dispatch()
    assert [event.seq for event in bus.published] == [1, 2, 3]


def test_each_topic_and_audience_counts_on_its_own(world: World) -> None:
    bus = Bus()
    for topic, audience in (("t", "ann"), ("t", "bob"), ("u", "ann")):
        store(world, 2, topic, audience)
    DispatchEvents(world.work, bus)()
    assert [event.seq for event in bus.published] == [1, 2, 1, 2, 1, 2]


def test_while_the_bus_is_down_events_stay_readable(world: World) -> None:
    bus = Bus()
    bus.down = True
    dispatch = DispatchEvents(world.work, bus)
    store(world, 3)
    with pytest.raises(Unavailable):
        dispatch()
    assert [event.seq for event in read(world)] == [1, 2, 3]
    bus.down = False
    store(world, 1)
    dispatch()
    assert [event.seq for event in bus.published] == [4]
    assert [event.seq for event in read(world, after=2)] == [3, 4]


def test_a_rolled_back_event_was_never_there(world: World) -> None:
    with world.work() as work:
        work.outbox.add([Event("t", "ann", {})])
    bus = Bus()
    DispatchEvents(world.work, bus)()
    assert bus.published == []


def test_a_commit_with_events_wakes_the_dispatcher_once_it_is_attached(world: World) -> None:
    dispatch = DispatchEvents(world.work, Bus())
    noisy = World(world.engine)
    noisy.work = partial(SqlUnitOfWork, world.engine, on_events=dispatch.wake)
    store(noisy, 1)
    woken: list[int] = []
    dispatch.attach(lambda: woken.append(1))
    store(noisy, 1)
    with noisy.work() as work:
        work.commit()
    assert woken == [1]


def test_hints_pass_through_before_it_is_started() -> None:
    queue = FakeQueue()
    hints = BackgroundHints(queue)
    hints.hint("default", ["a", "b"])
    assert queue.hints == [("default", ["a", "b"])]
    queue.waiting["default"] = 7
    assert hints.pending("default") == 7


@pytest.mark.parametrize("started", [False, True])
def test_hints_never_raise(started: bool, caplog: pytest.LogCaptureFixture) -> None:
    queue = FakeQueue()
    queue.down = True
    hints = BackgroundHints(queue)
    if started:
        hints.start()
    with caplog.at_level(logging.WARNING):
        hints.hint("default", ["a"])
        hints.close()
    assert [record.message for record in caplog.records] == ["hint lost, the sweeper will ask again"]
    queue.down = False
    hints.hint("default", ["b"])
    assert queue.hints == [("default", ["b"])]


def test_started_hints_never_block_and_all_are_sent_before_the_end() -> None:
    gate = threading.Event()

    class Slow(FakeQueue):
        def hint(self, queue: str, job_ids: Sequence[str]) -> None:
            gate.wait(10)
            super().hint(queue, job_ids)

    queue = Slow()
    hints = BackgroundHints(queue)
    hints.start()
    for number in range(10):
        hints.hint("default", [str(number)])
    assert queue.hints == []
    gate.set()
    hints.close()
    hints.close()
    assert [job_id for _, ids in queue.hints for job_id in ids] == [str(number) for number in range(10)]


def test_events_are_numbered_where_they_are_stored(world: World) -> None:
    bus, woken = Bus(), []
    dispatch = DispatchEvents(world.work, bus)
    store(world, 2)  # left by somebody who went away
    with SqlUnitOfWork(world.engine, on_events=lambda: woken.append(1), publish=dispatch.publish) as work:
        work.outbox.add([Event("t", "ann", {"n": 2})])
        work.commit()
    assert [(event.seq, event.data["n"]) for event in bus.published] == [(1, 0), (2, 1), (3, 2)]
    assert pending(world) == 0
    assert woken == []


def test_a_rolled_back_event_takes_no_number(world: World) -> None:
    bus = Bus()
    dispatch = DispatchEvents(world.work, bus)
    with SqlUnitOfWork(world.engine, publish=dispatch.publish) as work:
        work.outbox.add([Event("t", "ann", {})])
    store(world, 1)
    dispatch()
    assert [event.seq for event in bus.published] == [1]


def test_what_has_piled_up_is_left_to_the_dispatcher(world: World) -> None:
    bus, woken = Bus(), []
    dispatch = DispatchEvents(world.work, bus)
    store(world, 200)
    with SqlUnitOfWork(world.engine, on_events=lambda: woken.append(1), publish=dispatch.publish) as work:
        work.outbox.add([Event("t", "ann", {"n": 200})])
        work.commit()
    assert len(bus.published) == 50
    assert woken == [1]
    dispatch()
    assert [event.seq for event in bus.published] == list(range(1, 202))


def test_a_lost_bus_does_not_undo_what_was_stored(world: World, caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    bus.down = True
    dispatch = DispatchEvents(world.work, bus)
    with SqlUnitOfWork(world.engine, publish=dispatch.publish) as work:
        work.outbox.add([Event("t", "ann", {})])
        work.commit()
    assert [event.seq for event in read(world)] == [1]
    assert "events were not handed over" in caplog.messages
