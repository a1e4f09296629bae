"""Feeds that others are on the other end of: Redis, a broker over MCP, and the whole of `up`."""

from __future__ import annotations

import csv
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from adapters.feeds.polled import PolledFeed
from adapters.feeds.redis_ticks import RedisTicks, write_ticks
from adapters.redis.client import connect
from aitrader.feeding import DetectorFile, FeedRunner, surely
from aitrader.testing.broker_context import FakeContext
from aitrader.testing.clock import FakeClock
from aitrader.testing.signal_work import signal
from aitrader.testing.waiting import until
from domain.common.errors import Invalid, Unavailable
from domain.market.ticks import Tick
from domain.signals.detecting import Detector
from domain.trading.brokerage import SessionState
from domain.trading.model import Account, Mode
from plugins.mcp_broker.broker import open_broker
from plugins.mcp_broker.options import McpOptions
from tests.mock_broker import mock_broker
from tests.processes import Process, eventually
from tests.servers import RedisServer
from tests.stack import Stack

pytestmark = pytest.mark.once

STREAM = "ticks:global"


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    client = connect(own_redis.url)
    yield client
    client.close()


def tick(number: int, symbol: str = "NSE:A") -> Tick:
    return Tick(symbol, 100 + number / 7, float(number), 1_763_955_901_000 + number)


def started(feed: Any, found: list[Tick]) -> FeedRunner:
    runner = FeedRunner(feed, [found.extend], lambda: None)
    runner.start()
    return runner


def test_ticks_of_redis_come_once_whatever_happens_to_it(client: redis.Redis, own_redis: RedisServer) -> None:
    found: list[Tick] = []
    write_ticks(client, STREAM, [tick(1)])  # before anybody listens
    feed = RedisTicks(client, STREAM)
    runner = started(feed, found)
    until(lambda: feed._position is not None, 10)
    write_ticks(client, STREAM, [tick(2), tick(3)])
    client.xadd(STREAM, {"symbol": "NSE:A", "price": "nothing"})
    client.xadd(STREAM, {"data": json.dumps({"symbol": "nse:b", "price": 5, "volume": 1, "timestamp": 1763955901.0})})
    until(lambda: len(found) == 3, 10)
    own_redis.kill()
    own_redis.start()
    eventually(lambda: write_ticks(client, STREAM, [tick(4)]) is None, 20, 0.1, "Redis is there again")
    until(lambda: len(found) == 4, 20)
    runner.stop()
    assert found == [tick(2), tick(3), Tick("NSE:B", 5, 1, 1_763_955_901_000), tick(4)]


def test_a_redis_that_is_away_is_said(own_redis: RedisServer) -> None:
    client = connect(own_redis.url)
    own_redis.kill()
    with pytest.raises(Unavailable):
        write_ticks(client, STREAM, [tick(1)])
    with pytest.raises(Unavailable):
        RedisTicks(client, STREAM).run(lambda ticks: None, threading.Event())


def test_prices_of_a_broker_over_mcp() -> None:
    with mock_broker(logged_in=True) as control:
        context = FakeContext(mcp_url=control.url)
        account = Account("a", "u", "mcp", Mode.PAPER, "INR", 0)
        broker = open_broker(account, McpOptions(calls_per_second=1000), context)
        try:
            until(lambda: context.clock.advance(20) or broker.session().state is SessionState.CONNECTED, 10)
            assert broker.capabilities().market_data
            quotes = broker.prices(["NSE:INFY", "NSE:NOBODY", "NSE:TCS"])
            assert [quote.symbol for quote in quotes] == ["NSE:INFY", "NSE:TCS"]
            assert all(quote.price > 0 and quote.bid == quote.ask == quote.price for quote in quotes)

            found: list[Tick] = []
            runner = started(PolledFeed(partial(broker.prices, ["NSE:INFY"]), 0.05), found)
            until(lambda: found, 10)
            control("price", symbol="NSE:INFY", price="1555.50")
            until(lambda: found[-1].price == 1555.5, 10)
            runner.stop()
            assert [item.time_ms for item in found] == sorted({item.time_ms for item in found})
        finally:
            broker.close()


class Flaky:
    """A feed that fails now and then."""

    name = "flaky"

    def __init__(self) -> None:
        self._left = [tick(number) for number in range(6)]
        away = Unavailable("away")
        self._fails: dict[int, list[Exception]] = {4: [away, RuntimeError("a bug")], 2: [away]}

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: Any) -> None:
        while self._left:
            if self._fails.get(len(self._left)):
                raise self._fails[len(self._left)].pop()
            on_ticks([self._left.pop(0)])


def test_a_feed_that_fails_is_taken_up_again(caplog: pytest.LogCaptureFixture) -> None:
    found: list[Tick] = []
    kept: list[int] = []

    def broken(ticks: Sequence[Tick]) -> None:
        raise OSError("disk full")

    runner = FeedRunner(Flaky(), [broken, found.extend], lambda: kept.append(len(found)))
    with caplog.at_level(logging.WARNING):
        runner.start()
        assert runner.ended.wait(20)
    assert found == [tick(number) for number in range(6)]
    assert kept == [6]
    said = [record for record in caplog.records if record.message == "ticks were not taken"]
    assert len(said) == 1, "a sink that keeps failing is said once"
    failures = [record for record in caplog.records if record.message == "the market feed failed"]
    assert len(failures) == 2, "once while it stays away, and again when ticks came in between"


def test_a_signal_is_tried_for_as_long_as_it_may_be_acted_on() -> None:
    clock = FakeClock(1_763_955_901_000)
    made = signal(ttl_ms=5000)
    tries: list[int] = []

    def down(_signal: Any) -> None:
        tries.append(clock.now_ms())
        if len(tries) < 3:
            raise Unavailable("away")

    surely(down, clock, lambda: False)(made)
    assert len(tries) == 3
    tries.clear()

    def gone(_signal: Any) -> None:
        tries.append(clock.now_ms())
        raise Unavailable("away")

    surely(gone, clock, lambda: False)(made)
    assert tries[-1] > made.time_ms + made.ttl_ms
    tries.clear()
    surely(gone, clock, lambda: True)(signal(ttl_ms=10**7))
    assert len(tries) == 1, "whoever stops does not wait"

    def refuse(_signal: Any) -> None:
        raise Invalid("no")

    surely(refuse, clock, lambda: False)(made)


def test_what_patterns_have_seen_survives_a_restart(tmp_path: Path) -> None:
    path, before, after = tmp_path / "patterns.json", Detector(), Detector()
    DetectorFile(path, after).load()
    for number in range(200):
        before.on_tick(tick(number))
    DetectorFile(path, before).save()
    DetectorFile(path, after).load()
    assert json.dumps(after.dump()) == json.dumps(before.dump())
    path.write_text("{nonsense")
    damaged = Detector()
    DetectorFile(path, damaged).load()
    assert len(damaged) == 0


def test_up_with_a_feed_comes_to_paper_orders(start_process: Callable[..., Process], tmp_path: Path) -> None:
    """Ticks, bars, patterns, signals, decisions, orders and fills, in one process, with nothing configured."""
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    stack.end("strategies", "create", "mine", "--set", "threshold=0.1", "--set", "allow_short=true")
    stack.end("strategies", "enable", "mine", "--account", "paper")
    feed = {"AITRADER_FEED": "simulated", "AITRADER_FEED_SPEED": "60", "AITRADER_FEED_SYMBOLS": "CRYPTO:X,CRYPTO:Y"}
    stack.env |= {**feed, "AITRADER_RECORD_TICKS": "true"}
    up = stack.api("up")
    eventually(
        lambda: stack.query("SELECT count(*) FROM orders WHERE status = 'filled' AND strategy = 'mine'")[0][0] > 0,
        40,
        0.2,
        "an order of the strategy was filled",
    )

    def feed_is_well() -> bool:
        health = httpx2.get(f"{stack.url}/health/feed", headers=stack.headers, timeout=5).json()
        assert health["status"] == "ok", health
        return True

    eventually(feed_is_well, 20, 0.2, "the feed tells prices")
    up.terminate()
    assert up.wait(20) == 0
    assert stack.query("SELECT DISTINCT source FROM quotes") == [("simulated",)]
    assert stack.query("SELECT count(*) FROM decisions WHERE status = 'ordered'")[0][0] > 0
    (recorded,) = (stack.data_dir / "ticks").iterdir()
    with recorded.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["symbol"] for row in rows} == {"CRYPTO:X", "CRYPTO:Y"}
    state = json.loads((stack.data_dir / "patterns.json").read_text())
    assert state["patterns"]["CRYPTO:X"]["_count"] == len(rows) / 2
