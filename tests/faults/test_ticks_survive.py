"""Ticks of 500 symbols to signals to decisions, while every process is killed and Redis is emptied.

``AITRADER_TEST_TICKS=60000`` makes it short.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from domain.market.ticks import Tick, tick_fields
from plugins.pattern_engine.options import PatternOptions
from tests.processes import Process, eventually
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack

COUNT = int(os.environ.get("AITRADER_TEST_TICKS", "1000000"))
SYMBOLS = 500
PARTS = 10
DAY_MS = 86_400_000
OPTIONS = {"cooldown_ms": 3_600_000, "ttl_ms": DAY_MS, "snapshot_seconds": 1, "channel": 50, "candlesticks": False}
# What a process may grow by while it handles the second half; queues and caches have filled by then.
ROOM_MB = 24


def walk() -> Iterator[Tick]:
    """Yield ticks of all symbols by turns, a millisecond apart; the last one is of a second ago."""
    draw, prices = random.Random(11), [100.0] * SYMBOLS
    start = int(time.time() * 1000) - 1000 - COUNT
    for number in range(COUNT):
        place = number % SYMBOLS
        prices[place] *= math.exp(draw.gauss(0, 0.001))
        yield Tick(f"NSE:S{place}", prices[place], float(draw.randrange(1, 1000)), start + number)


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Engine:
    """The pattern engine as a process, and what it says of itself."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._words = [word for name, value in OPTIONS.items() for word in ("--set", f"{name}={json.dumps(value)}")]
        self.process: Process
        self.start()

    def start(self) -> None:
        self.process = self._stack.run("engine", "serve", "pattern", "--port", "0", *self._words)
        self._url = self.process.wait_for_line(r"(http://127\.0\.0\.1:\d+)", 30).group(1)

    def health(self) -> Any:
        with urllib.request.urlopen(f"{self._url}/health", timeout=5) as answer:
            return json.load(answer)


@pytest.mark.once
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_done_twice(
    start_process: Callable[..., Process], tmp_path: Path, own_redis: RedisServer, postgres_server: PostgresServer
) -> None:
    stack = Stack(start_process, tmp_path, database=postgres_server.create_database(), redis=own_redis.url)
    stack.migrate()
    worker = stack.worker()
    engine = Engine(stack)
    client = redis.Redis.from_url(own_redis.url)
    eventually(lambda: client.exists("signals:global"), 30, 0.05, "the group was made")
    eventually(lambda: engine.health()["status"] == "ok", 30, 0.05, "the engine reads")
    ticks = list(walk())
    detector = PatternOptions(**OPTIONS).detector()  # type: ignore[arg-type]
    expected = {f"{tick.symbol}-{hit.pattern}-{tick.time_ms}" for tick in ticks for hit in detector.on_tick(tick)}
    assert len(expected) > SYMBOLS

    def write(part: int) -> None:
        size = COUNT // PARTS
        for first in range(part * size, (part + 1) * size, 2000):
            with client.pipeline(transaction=False) as pipe:
                for tick in ticks[first : min(first + 2000, (part + 1) * size)]:
                    pipe.xadd("ticks:global", tick_fields(tick))  # type: ignore[arg-type]
                pipe.execute()

    def read_all() -> None:
        last = ticks[int(written * COUNT / PARTS) - 1].time_ms
        eventually(lambda: engine.health()["last_tick_ms"] == last, 300, 0.1, "the engine read all ticks")

    def stored() -> int:
        return int(stack.query("SELECT count(*) FROM signals")[0][0])

    sizes: dict[str, float] = {}
    for part in range(PARTS):
        written = part + 1
        write(part)
        if part == 1:
            engine.process.kill()
            engine.start()
        elif part == 3:
            worker.kill()
            # What it had read is taken over after a minute; meanwhile others are taken in.
            worker = stack.worker()
        elif part == 5:
            read_all()
            client.flushall()
            eventually(lambda: client.exists("aitrader:pattern_engine:ticks:global"), 30, 0.05, "it went on")
        elif part == 6:
            read_all()
            eventually(
                lambda: client.xpending("signals:global", "aitrader")["pending"] == 0, 300, 0.2, "all is taken"
            )
            sizes = {"engine": resident_mb(engine.process.pid), "worker": resident_mb(worker.pid)}
        elif part == 7:
            read_all()
            own_redis.kill()
            own_redis.start()
    eventually(lambda: stored() == len(expected), 400, 0.5, f"{len(expected)} signals")

    assert {row[0] for row in stack.query("SELECT signal_id FROM signals")} == expected
    assert stack.query("SELECT count(*), count(DISTINCT signal) FROM decisions") == [(len(expected),) * 2]
    assert stack.query("SELECT count(*) FROM outbox WHERE topic = 'decisions'") == [(len(expected),)]
    grown = {
        "engine": resident_mb(engine.process.pid) - sizes["engine"],
        "worker": resident_mb(worker.pid) - sizes["worker"],
    }
    assert all(value < ROOM_MB for value in grown.values()), (sizes, grown)
