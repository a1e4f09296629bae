"""The part of the `JobsWork` contract about the outbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from aitrader.testing.job_samples import Work, do
from aitrader.testing.waiting import together, until
from domain.common.events import EVERYONE, Event, PublishedEvent


def emit(work: Work, *events: Event) -> None:
    """Store events and commit."""
    do(work, lambda unit: unit.outbox.add(events))


def publish(work: Work, limit: int = 1000) -> list[PublishedEvent]:
    """Number pending events and commit."""
    return do(work, lambda unit: unit.outbox.publish_pending(limit))


def drain(work: Work) -> list[PublishedEvent]:
    """Publish until nothing is pending."""
    published = []
    while batch := publish(work, 7):
        published += batch
    return published


def _event(number: int, audience: str = "alice", topic: str = "job_updates") -> Event:
    return Event(topic, audience, {"n": number})


def _read(work: Work, audience: str = "alice", after: int = 0, limit: int = 1000) -> list[PublishedEvent]:
    with work() as unit:
        return unit.outbox.read("job_updates", audience, after, limit)


class OutboxContract:
    """Tests for any `Outbox`; see `JobsWorkContract`."""

    def test_numbers_start_at_one_and_have_no_gaps_within_a_stream(self, work: Work) -> None:
        emit(work, _event(1), _event(1, "bob"), _event(2), _event(1, EVERYONE), _event(1, topic="signals"))
        emit(work, _event(3), _event(2, "bob"))
        emit(work)
        published = publish(work)
        # Every event was made to carry the number that it must get.
        assert [event.seq for event in published] == [event.data["n"] for event in published]
        assert len(published) == 7
        emit(work, _event(4), _event(2, EVERYONE))
        assert [(event.audience, event.seq) for event in publish(work)] == [("alice", 4), (EVERYONE, 2)]

    def test_publishes_the_oldest_first_and_no_more_than_asked_for(self, work: Work) -> None:
        emit(work, *(_event(number) for number in range(1, 6)))
        batches = [[event.seq for event in publish(work, 2)] for _ in range(4)]
        assert batches == [[1, 2], [3, 4], [5], []]

    def test_events_come_back_unchanged(self, work: Work) -> None:
        data: dict[str, Any] = {"text": "₹ ☃ \x00 '", "list": [1, 2.5, None, True, {"a": []}], "": {}}
        emit(work, Event("job_updates", "alice", data))
        (published,) = publish(work)
        assert (published.topic, published.audience, published.seq) == ("job_updates", "alice", 1)
        assert published.data == data
        assert published.time_ms > 1_600_000_000_000
        assert _read(work) == [published]

    def test_what_did_not_commit_is_never_seen(self, work: Work) -> None:
        with work() as unit:
            unit.outbox.add([_event(1)])
        with pytest.raises(ZeroDivisionError), work() as unit:
            unit.outbox.add([_event(1)])
            raise ZeroDivisionError
        assert publish(work) == []
        with work() as unit:
            assert unit.outbox.pending() == (0, None)

    def test_numbers_that_did_not_commit_are_given_again(self, work: Work) -> None:
        emit(work, _event(1), _event(2))
        with work() as unit:
            assert [event.seq for event in unit.outbox.publish_pending(10)] == [1, 2]
        with work() as unit:
            assert unit.outbox.last_seq("job_updates", "alice") == 0
            assert unit.outbox.pending()[0] == 2
        assert [event.seq for event in publish(work)] == [1, 2]
        assert publish(work) == []

    def test_a_client_resumes_where_it_stopped(self, work: Work) -> None:
        emit(work, *(_event(number) for number in range(1, 11)), _event(1, "bob"), _event(1, topic="signals"))
        assert _read(work) == []
        drain(work)
        assert [event.seq for event in _read(work)] == list(range(1, 11))
        assert [event.seq for event in _read(work, after=7)] == [8, 9, 10]
        assert [event.seq for event in _read(work, after=2, limit=3)] == [3, 4, 5]
        assert _read(work, after=10) == []
        assert _read(work, after=99) == []
        assert _read(work, "carol") == []
        assert [event.seq for event in _read(work, "bob")] == [1]

    def test_knows_the_last_number_of_each_stream(self, work: Work) -> None:
        emit(work, _event(1), _event(2), _event(1, "bob"))

        def last(audience: str) -> int:
            with work() as unit:
                return unit.outbox.last_seq("job_updates", audience)

        assert last("alice") == 0
        drain(work)
        assert (last("alice"), last("bob"), last("carol")) == (2, 1, 0)

    def test_tells_how_many_wait_and_for_how_long(self, work: Work) -> None:
        emit(work, _event(1), _event(2))
        with work() as unit:
            count, age_ms = unit.outbox.pending()
        assert count == 2
        assert age_ms is not None
        assert 0 <= age_ms < 600_000
        publish(work, 1)
        with work() as unit:
            assert unit.outbox.pending()[0] == 1
        drain(work)
        with work() as unit:
            assert unit.outbox.pending() == (0, None)

    def test_prunes_only_what_was_published_long_enough_ago(self, work: Work) -> None:
        emit(work, _event(1), _event(2), _event(3))
        publish(work, 2)
        assert do(work, lambda unit: unit.outbox.prune(3_600_000)) == 0
        gone = [0]

        def prune() -> bool:
            gone[0] += do(work, lambda unit: unit.outbox.prune(0))
            return gone[0] >= 2

        until(prune)
        assert gone == [2]
        with work() as unit:
            assert unit.outbox.pending()[0] == 1
            assert unit.outbox.last_seq("job_updates", "alice") == 2
        # A client that asks for what is gone sees the gap: the first number is above the one it asked for.
        assert [event.seq for event in publish(work)] == [3]
        assert [event.seq for event in _read(work, after=0)] == [3]

    def test_pruning_everything_does_not_start_the_numbers_again(self, work: Work) -> None:
        emit(work, _event(1))
        drain(work)
        until(lambda: do(work, lambda unit: unit.outbox.prune(0)))
        emit(work, _event(2))
        assert [event.seq for event in publish(work)] == [2]

    def test_many_publishers_at_once_give_every_number_once(self, work: Work) -> None:
        streams = ("alice", "bob", EVERYONE)
        published: list[list[PublishedEvent]] = []

        def produce(who: int) -> Callable[[], None]:
            def run() -> None:
                for number in range(10):
                    emit(work, *(Event("job_updates", name, {"who": who, "n": number}) for name in streams))

            return run

        def dispatch() -> None:
            for _ in range(15):
                published.append(publish(work, 5))

        together([*(produce(who) for who in range(4)), *[dispatch] * 4])
        published.append(drain(work))
        numbers = defaultdict(list)
        for batch in published:
            for event in batch:
                numbers[event.audience].append(event.seq)
        assert {name: sorted(seqs) for name, seqs in numbers.items()} == {name: [*range(1, 41)] for name in streams}
        for name in streams:
            stored = _read(work, name)
            assert [event.seq for event in stored] == [*range(1, 41)]
            for who in range(4):
                own = [event.data["n"] for event in stored if event.data["who"] == who]
                assert own == list(range(10)), "one producer's events changed their order"

    def test_a_reader_at_the_same_time_never_sees_a_gap(self, work: Work) -> None:
        def produce() -> None:
            for number in range(40):
                emit(work, _event(number))
                publish(work, 3)

        def follow() -> list[int]:
            seen: list[int] = []
            while len(seen) < 80:
                seen += [event.seq for event in _read(work, after=seen[-1] if seen else 0)]
                publish(work, 2)
            return seen

        results = together([produce, produce, follow])
        assert results[2] == [*range(1, 81)]
