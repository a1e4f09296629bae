from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.bus.in_process import InProcessBus
from adapters.bus.redis_bus import RedisBus
from adapters.redis.client import connect
from aitrader.testing.event_bus import EventBusContract, make_events
from domain.common.errors import Unavailable
from domain.common.events import EventBus, PublishedEvent
from tests.processes import eventually
from tests.servers import RedisServer

pytestmark = pytest.mark.once


class TestInProcessBus(EventBusContract):
    @pytest.fixture
    def bus(self) -> Iterator[EventBus]:
        with closing(InProcessBus()) as bus:
            yield bus


class TestRedisBus(EventBusContract):
    @pytest.fixture
    def bus(self, redis_url: str) -> Iterator[EventBus]:
        with connect(redis_url) as client, closing(RedisBus(client)) as bus:
            yield bus

    def test_events_reach_other_connections(self, bus: EventBus, redis_url: str) -> None:
        heard: list[PublishedEvent] = []
        with connect(redis_url) as client, closing(RedisBus(client)) as other:
            other.listen(heard.append)
            bus.publish(make_events(5))
            eventually(lambda: heard == make_events(5))

    def test_rubbish_on_the_channel_is_ignored(self, bus: EventBus, redis_server: RedisServer) -> None:
        heard: list[PublishedEvent] = []
        bus.listen(heard.append)
        for text in ("", "{", "[]", "null", '{"topic":"x"}', "\ud7ff"):
            redis_server.command("PUBLISH", "aitrader:events", text)
        bus.publish(make_events(1))
        eventually(lambda: heard == make_events(1))

    @pytest.mark.parametrize("how", ["restart", "kill", "disconnect"])
    def test_later_events_arrive_after_the_connection_was_lost(self, own_redis: RedisServer, how: str) -> None:
        heard: list[int] = []
        with connect(own_redis.url) as client, closing(RedisBus(client)) as bus:
            bus.listen(lambda event: heard.append(event.seq))
            bus.publish(make_events(1))
            eventually(lambda: heard)
            if how == "restart":
                own_redis.restart(empty=True)
            elif how == "kill":
                own_redis.kill()
                own_redis.start()
            else:
                own_redis.disconnect_clients()
            sent = iter(range(2, 10_000))

            def arrives() -> bool:
                bus.publish(make_events(1, first=next(sent)))
                return len(heard) > 1

            eventually(arrives, timeout=20)

    def test_says_so_when_redis_is_down(self, own_redis: RedisServer) -> None:
        with connect(own_redis.url) as client, closing(RedisBus(client)) as bus:
            bus.ping()
            own_redis.kill()
            for use in (bus.ping, lambda: bus.publish(make_events(1))):
                with pytest.raises(Unavailable) as caught:
                    use()
                assert caught.value.code == "redis_unavailable"
            bus.publish([])

    def test_who_starts_to_listen_while_redis_is_down_hears_later_events(self, own_redis: RedisServer) -> None:
        own_redis.kill()
        heard: list[PublishedEvent] = []
        with connect(own_redis.url) as client, closing(RedisBus(client)) as bus:
            bus.listen(heard.append)
            own_redis.start()

            def arrives() -> bool:
                bus.publish(make_events(1))
                return bool(heard)

            eventually(arrives, timeout=20)
