"""The pattern engine over a real Redis: ticks in, signals out, the same ones whatever is killed in between."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import redis

from adapters.redis.client import connect
from aitrader.testing.waiting import until
from domain.market.ticks import Tick
from domain.signals.entries import signal_of_entry
from domain.signals.parsing import Sender
from plugins.pattern_engine.options import PatternOptions
from plugins.pattern_engine.runner import PatternRunner
from tests.processes import Process, eventually
from tests.servers import RedisServer

START_S = 1_763_955_901
OPTIONS = PatternOptions(fast=3, slow=6, span=10, channel=8, deviation=1.5, spike=2, breakout=2, cooldown_ms=1000)

Ticks = list[tuple[str, float, float, int]]


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    client = connect(own_redis.url)
    yield client
    client.close()


def walk(count: int) -> Ticks:
    """Return ticks of three symbols."""
    draw, prices, ticks = random.Random(3), {"NSE:A": 100.0, "NSE:B": 2000.0, "C": 5.0}, []
    for number in range(count):
        symbol = list(prices)[number % 3]
        prices[symbol] *= math.exp(draw.gauss(0, 0.001))
        ticks.append((symbol, prices[symbol], draw.expovariate(0.1), START_S * 1000 + number * 100))
    return ticks


def write(client: redis.Redis, ticks: Ticks) -> None:
    for number, (symbol, price, volume, at) in enumerate(ticks):
        fields: dict[str, Any] = {"symbol": symbol, "price": repr(price), "volume": repr(volume)}
        fields["timestamp"] = repr(at / 1000)
        if number % 2:  # both ways of writing
            fields = {"data": json.dumps({name: fields[name] for name in fields})}
        client.xadd("ticks:global", fields)


def expected(ticks: Ticks) -> set[str]:
    detector = OPTIONS.detector()
    return {f"{tick[0]}-{hit.pattern}-{tick[3]}" for tick in ticks for hit in detector.on_tick(Tick(*tick))}


def written(client: redis.Redis, stream: str = "signals:global") -> list[str]:
    rows: Any = client.xrange(stream)
    return [json.loads(fields[b"data"])["id"] for _, fields in rows]


def drain(runner: PatternRunner) -> None:
    while runner.step(1):
        pass


def test_ticks_become_signals_that_are_taken_in(client: redis.Redis) -> None:
    ticks, runner = walk(900), PatternRunner(client, OPTIONS)
    runner.step(1)
    write(client, ticks)
    drain(runner)
    ids = written(client)
    assert len(ids) == len(set(ids)) > 10
    assert set(ids) == expected(ticks)
    of_a = written(client, "signals:NSE:A")
    assert of_a == [signal_id for signal_id in ids if signal_id.startswith("NSE:A-")]
    rows: Any = client.xrange("signals:global")
    for _, fields in rows:
        entry = {name.decode(): value.decode() for name, value in fields.items()}
        signal = signal_of_entry(entry, Sender("owner", "stream", START_S * 1000 + 10**6))
        assert signal.source == "pattern-engine"
        assert signal.meta["price"] > 0


def test_what_is_no_tick_is_counted_and_stops_nothing(client: redis.Redis) -> None:
    ticks, runner = walk(300), PatternRunner(client, OPTIONS)
    runner.step(1)
    bad: list[dict[str, Any]] = [
        {"symbol": "A"},
        {"data": "{"},
        {"data": "[]"},
        {"symbol": "??", "price": "1", "timestamp": str(START_S)},
        {"symbol": "A", "price": "nan", "timestamp": str(START_S)},
        {"symbol": "A", "price": "-1", "timestamp": str(START_S)},
        {"symbol": "A", "price": "1", "volume": "inf", "timestamp": str(START_S)},
        {"symbol": "A", "price": "1", "timestamp": "5"},
        {"symbol": b"\xff", "price": "1", "timestamp": str(START_S)},
    ]
    for fields in bad:
        client.xadd("ticks:global", fields)
    write(client, ticks)
    drain(runner)
    assert set(written(client)) == expected(ticks)
    assert runner.health()["refused"] == len(bad)


def test_a_crash_changes_no_signal(client: redis.Redis) -> None:
    """What was not kept is seen again, and written again under the same ids."""
    ticks, first = walk(900), PatternRunner(client, OPTIONS)
    first.step(1)
    write(client, ticks[:450])
    drain(first)
    again = PatternRunner(client, OPTIONS)
    write(client, ticks[450:])
    drain(again)
    ids = written(client)
    assert set(ids) == expected(ticks)
    assert len(ids) >= len(set(ids))


def test_what_could_not_be_written_is_written_later(
    client: redis.Redis, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks, runner = walk(600), PatternRunner(client, OPTIONS)
    runner.step(1)
    write(client, ticks)

    def fail(*arguments: Any, **named: Any) -> Any:
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(redis.client.Pipeline, "execute", fail)
        with pytest.raises(redis.RedisError):
            runner.step(1)
    drain(runner)
    assert set(written(client)) == expected(ticks)


def test_other_rules_begin_anew(client: redis.Redis) -> None:
    runner = PatternRunner(client, OPTIONS)
    runner.step(1)
    write(client, walk(300))
    drain(runner)
    other = PatternRunner(client, OPTIONS.model_copy(update={"channel": 9}))
    assert other.step(1) == 0
    assert other.health()["symbols"] == 0


@pytest.mark.once
def test_the_server_is_killed_and_nothing_is_missing(
    start_process: Callable[..., Process], own_redis: RedisServer, client: redis.Redis, tmp_path: Path
) -> None:
    ticks = walk(1500)
    sets = [f"{name}={value}" for name, value in OPTIONS.model_dump(exclude_defaults=True).items()]
    words = [word for pair in [*sets, "snapshot_seconds=1"] for word in ("--set", pair)]
    command = [sys.executable, "-m", "aitrader", "engine", "serve", "pattern", "--port", "0", *words]
    env = {"REDIS_URL": own_redis.url, "AITRADER_DATA_DIR": str(tmp_path / "data")}

    def up() -> tuple[Process, str]:
        process = start_process(command, env=env)
        url = process.wait_for_line(r"^(http://\S+)$", 30).group(1)
        eventually(lambda: httpx2.get(url, timeout=2).status_code == 200, 20, 0.1, "the engine is well")
        return process, url

    process, url = up()
    for start in range(0, 1500, 300):
        write(client, ticks[start : start + 300])
        if start in (300, 900):
            process.kill()
            process, url = up()
    eventually(lambda: set(written(client)) == expected(ticks), 30, 0.1, "every signal, and no other")
    health = httpx2.get(url, timeout=2).json()
    assert (health["status"], health["symbols"], health["refused"]) == ("ok", 3, 0)
    assert httpx2.get(url.replace("/health", "/x"), timeout=2).status_code == 404
    process.terminate()
    assert process.wait(10) == 0


def test_an_emptied_redis_gets_the_signals_that_are_alive_again(client: redis.Redis) -> None:
    options = OPTIONS.model_copy(update={"ttl_ms": 30_000})
    ticks, runner = walk(900), PatternRunner(client, options)
    runner.step(1)
    write(client, ticks)
    drain(runner)
    before = [json.loads(fields[b"data"]) for _, fields in cast("Any", client.xrange("signals:global"))]
    client.flushall()
    until(lambda: runner.step(1) or client.exists("signals:global"), 5)
    alive = [item["id"] for item in before if item["timestamp"] * 1000 + 30_000 >= ticks[-1][3]]
    assert 0 < len(alive) < len(before)
    assert written(client) == alive
    later = [(symbol, price, volume, at + 100_000) for symbol, price, volume, at in ticks[:300]]
    write(client, later)
    drain(runner)
    assert len(written(client)) > len(alive)


def test_signals_are_written_again_by_one_that_was_started_again(client: redis.Redis) -> None:
    options = OPTIONS.model_copy(update={"ttl_ms": 10**7, "snapshot_seconds": 0.1})
    ticks, runner = walk(600), PatternRunner(client, options)
    runner.step(1)
    write(client, ticks)
    drain(runner)
    before = written(client)
    runner._keep()
    again = PatternRunner(client, options)
    again.step(1)
    client.flushall()
    until(lambda: again.step(1) or client.exists("signals:global"), 5)
    assert written(client) == before
