"""What every `EventBus` does. Subclass `EventBusContract` and override the ``bus`` fixture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from aitrader.testing.waiting import until
from domain.common.events import EventBus, PublishedEvent


def make_events(count: int, *, first: int = 1, topic: str = "job_updates") -> list[PublishedEvent]:
    """Return ``count`` published events with consecutive numbers."""
    return [
        PublishedEvent(topic, "alice", seq, 1_700_000_000_000 + seq, {"n": seq, "text": "₹ ☃"})
        for seq in range(first, first + count)
    ]


class EventBusContract:
    """Tests for any `EventBus`."""

    @pytest.fixture
    def bus(self) -> Iterator[EventBus]:
        """Yield a bus that is closed after the test."""
        raise NotImplementedError("override the bus fixture")

    def test_every_listener_gets_every_event_unchanged(self, bus: EventBus) -> None:
        heard: list[list[PublishedEvent]] = [[], [], []]
        for inbox in heard:
            bus.listen(inbox.append)
        events = make_events(3)
        bus.publish(events)
        until(lambda: all(len(inbox) == 3 for inbox in heard))
        assert heard == [events] * 3

    def test_events_of_one_publisher_stay_in_order(self, bus: EventBus) -> None:
        heard: list[PublishedEvent] = []
        bus.listen(heard.append)
        events = make_events(200)
        for start in range(0, 200, 7):
            bus.publish(events[start : start + 7])
        until(lambda: len(heard) == 200)
        assert heard == events

    def test_listeners_are_called_from_another_thread(self, bus: EventBus) -> None:
        threads: list[int] = []
        bus.listen(lambda event: threads.append(threading.get_ident()))
        bus.publish(make_events(1))
        until(lambda: threads)
        assert threading.get_ident() not in threads

    def test_who_stopped_listening_hears_no_more(self, bus: EventBus) -> None:
        gone: list[PublishedEvent] = []
        still: list[PublishedEvent] = []
        stop = bus.listen(gone.append)
        bus.listen(still.append)
        bus.publish(make_events(1))
        until(lambda: gone and still)
        stop()
        bus.publish(make_events(1, first=2))
        until(lambda: len(still) == 2)
        assert len(gone) == 1

    def test_stopping_twice_stops_nobody_else(self, bus: EventBus) -> None:
        heard: list[PublishedEvent] = []
        first = bus.listen(heard.append)
        bus.listen(heard.append)
        first()
        first()
        bus.publish(make_events(1))
        until(lambda: heard)

    def test_a_failing_listener_stops_neither_itself_nor_others(self, bus: EventBus) -> None:
        calls: list[int] = []
        heard: list[PublishedEvent] = []

        def fail(event: PublishedEvent) -> None:
            calls.append(event.seq)
            raise RuntimeError("a listener that fails")

        bus.listen(fail)
        bus.listen(heard.append)
        bus.publish(make_events(2))
        until(lambda: len(heard) == 2 and len(calls) == 2)

    def test_a_slow_listener_does_not_hold_up_the_publisher(self, bus: EventBus) -> None:
        go_on = threading.Event()
        heard: list[PublishedEvent] = []

        def slow(event: PublishedEvent) -> None:
            go_on.wait(30)
            heard.append(event)

        bus.listen(slow)
        bus.publish(make_events(3))
        assert heard == []
        go_on.set()
        until(lambda: len(heard) == 3)

    def test_a_listener_may_listen_and_stop_from_its_own_call(self, bus: EventBus) -> None:
        heard: list[PublishedEvent] = []
        stops: list[Callable[[], None]] = []

        def once(event: PublishedEvent) -> None:
            heard.append(event)
            stops[0]()

        stops.append(bus.listen(once))
        bus.publish(make_events(1))
        until(lambda: heard)
        others: list[PublishedEvent] = []
        bus.listen(others.append)
        bus.publish(make_events(2, first=2))
        until(lambda: len(others) == 2)
        assert len(heard) == 1

    def test_publishing_nothing_or_to_nobody_is_allowed(self, bus: EventBus) -> None:
        bus.publish([])
        bus.publish(make_events(2))

    def test_ping_answers(self, bus: EventBus) -> None:
        bus.ping()

    def test_nobody_is_called_after_close_and_closing_again_is_harmless(self, bus: EventBus) -> None:
        heard: list[PublishedEvent] = []
        stop = bus.listen(heard.append)
        bus.publish(make_events(1))
        until(lambda: heard)
        bus.close()
        bus.publish(make_events(1, first=2))
        bus.close()
        stop()
        assert len(heard) == 1
