"""Signals from a real Redis stream: each handled once, whatever is in it, and whatever happens to Redis and to us."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import redis

from adapters.redis.client import connect
from adapters.redis.signal_stream import DEAD, Backlog, SignalStream, backlog
from aitrader.testing.waiting import until
from domain.common.errors import Unavailable
from domain.signals.entries import signal_of_entry
from domain.signals.model import Signal
from domain.signals.parsing import Sender
from tests.servers import RedisServer

STREAM = "signals:global"
NOW = 1_763_955_901_000
GOOD = {"id": "s1", "symbol": "INFY", "exchange": "NSE", "score": 0.42, "pattern": "ema_cross"}


class Reader:
    """A consumer that remembers what it took; ``down`` counts how often its database does not answer."""

    def __init__(self, client: redis.Redis, name: str, **options: Any) -> None:
        self.taken: list[Signal] = []
        self.down = 0
        self.stream = SignalStream(client, STREAM, name, self.take, **options)
        self.stream.read(1)

    def take(self, fields: Mapping[str, str]) -> None:
        if self.down:
            self.down -= 1
            raise Unavailable("the database does not answer")
        if fields.get("data") == '"crash"':
            raise RuntimeError("a bug of ours")
        self.taken.append(signal_of_entry(fields, Sender("owner", "stream", NOW)))

    def read(self) -> list[str]:
        self.stream.read(1)
        return [signal.signal_id for signal in self.taken]


Make = Callable[..., Reader]


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    client = connect(own_redis.url)
    yield client
    client.close()


@pytest.fixture
def make(client: redis.Redis) -> Make:
    return lambda name="one", **options: Reader(client, name, **options)


def write(client: redis.Redis, number: int = 1, **changes: Any) -> None:
    data = {**GOOD, "id": f"s{number}", **changes}
    client.xadd(STREAM, {"v": 1, "type": "signal", "data": json.dumps(data)})


def pending(client: redis.Redis) -> int:
    return int(client.xpending(STREAM, "aitrader")["pending"])  # type: ignore[index]


def test_both_ways_of_writing_are_read(client: redis.Redis, make: Make) -> None:
    reader = make()
    write(client, 1, timestamp=NOW / 1000, meta={"vwap": 1500.5}, pattern_meta={"name": "EMA"}, unknown=5)
    flat = {"id": "s2", "symbol": "NSE:TCS", "score": "-0.5", "pattern": "vwap", "timestamp": f"{NOW / 1000}"}
    client.xadd(STREAM, {**flat, "meta": '{"volume": 7}', "unknown": "x"})
    assert reader.read() == ["s1", "s2"]
    first, second = reader.taken
    assert (first.symbol, first.score, first.source) == ("NSE:INFY", 0.42, "stream")
    assert first.meta == {"vwap": 1500.5, "pattern_meta": {"name": "EMA"}}
    assert (second.symbol, second.score, second.time_ms, second.meta) == ("NSE:TCS", -0.5, NOW, {"volume": 7})
    assert pending(client) == 0


def test_what_is_no_signal_is_put_aside_with_the_reason_and_stops_nothing(client: redis.Redis, make: Make) -> None:
    reader = make()
    bad: list[dict[str, Any]] = [
        {"data": "{"},
        {"data": "[]"},
        {"data": json.dumps({**GOOD, "score": 5})},
        {"data": json.dumps({**GOOD, "timestamp": NOW / 1000 + 60})},
        {"score": "many", "id": "x", "symbol": "A", "pattern": "p"},
        {"score": "nan", "id": "x", "symbol": "A", "pattern": "p"},
        {"something": "else"},
        {"data": b"\xff\xfe"},
        {"data": '"crash"'},
    ]
    for fields in bad:
        client.xadd(STREAM, fields)
    write(client, 9)
    assert reader.read() == ["s9"]
    dead: Any = client.xrange(DEAD)
    assert len(dead) == len(bad)
    assert all(fields[b"reason"] and fields[b"entry"] for _, fields in dead)
    assert dead[2][1][b"data"] == bad[2]["data"].encode()
    assert pending(client) == 0


def test_nothing_is_lost_while_the_database_is_away(client: redis.Redis, make: Make) -> None:
    reader = make()
    for number in range(3):
        write(client, number)
    reader.down = 2
    for _ in range(2):
        with pytest.raises(Unavailable):
            reader.read()
    assert pending(client) == 3
    assert reader.read() == ["s0", "s1", "s2"]
    assert pending(client) == 0


def test_what_a_dead_process_had_read_is_taken_over(client: redis.Redis, make: Make) -> None:
    dead = make("dead")
    write(client, 1)
    dead.down = 1
    with pytest.raises(Unavailable):
        dead.read()
    heir = make("heir", idle_ms=50)
    assert until(heir.read) == ["s1"]
    assert pending(client) == 0


def test_each_entry_is_handled_by_one_of_several(client: redis.Redis, make: Make) -> None:
    readers = [make("one"), make("two")]
    for number in range(200):
        write(client, number)
    while sum(len(reader.read()) for reader in readers) < 200:
        pass
    seen = [signal.signal_id for reader in readers for signal in reader.taken]
    assert len(seen) == len(set(seen)) == 200


def test_an_emptied_redis_is_begun_anew_and_nothing_after_it_is_missed(client: redis.Redis, make: Make) -> None:
    reader = make()
    write(client, 1)
    reader.read()
    client.flushall()
    write(client, 2)
    assert until(lambda: "s2" in reader.read())
    write(client, 3)
    assert reader.read() == ["s1", "s2", "s3"]


def test_a_redis_that_is_killed_is_waited_for(client: redis.Redis, make: Make, own_redis: RedisServer) -> None:
    reader = make()
    own_redis.kill()
    with pytest.raises(Unavailable):
        reader.read()
    own_redis.start()

    def written() -> bool:
        try:
            write(client, 5)
            return "s5" in reader.read() or "s5" in reader.read()
        except (redis.RedisError, Unavailable):
            return False

    until(written)


def test_whoever_leaves_keeps_what_is_not_handled(client: redis.Redis, make: Make) -> None:
    done, left = make("done"), make("left")
    write(client, 1)
    left.down = 1
    with pytest.raises(Unavailable):
        left.read()
    for reader in (done, left):
        reader.stream.close()
    names = [consumer["name"] for consumer in client.xinfo_consumers(STREAM, "aitrader")]  # type: ignore[union-attr]
    assert names == [b"left"]


def test_what_waits_is_told(client: redis.Redis, make: Make) -> None:
    assert backlog(client, STREAM) == Backlog(0, 0, 0)
    reader = make()
    write(client, 1)
    write(client, 2, score="bad")
    assert backlog(client, STREAM) == Backlog(2, 0, 0)
    reader.down = 1
    with pytest.raises(Unavailable):
        reader.stream.read(1)
    assert backlog(client, STREAM).pending > 0
    reader.read()
    reader.read()
    assert backlog(client, STREAM) == Backlog(0, 0, 1)
