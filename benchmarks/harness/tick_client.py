"""Writes ticks to Redis one by one and listens for decisions: on the event bus, and on a WebSocket. Prints JSON."""

from __future__ import annotations

import argparse
import json
import threading
import time
from typing import Any

import redis
from websockets.sync.client import ClientConnection, connect

from adapters.bus.redis_bus import CHANNEL

SYMBOL = "NSE:BENCH"
_WAIT_S = 10.0


class Heard:
    """When the newest decision was heard."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.count = 0
        self._at = 0.0

    def hear(self) -> None:
        """Note a decision."""
        with self._news:
            self._at = time.perf_counter()
            self.count += 1
            self._news.notify_all()

    def next(self, known: int) -> tuple[int, float]:
        """Wait for more than so many; return how many there are, and when the newest came."""
        with self._news:
            if not self._news.wait_for(lambda: self.count > known, _WAIT_S):
                raise RuntimeError("a tick led to no decision")
            return self.count, self._at


def on_bus(client: redis.Redis, heard: Heard, ready: threading.Event) -> None:
    """Listen as another process of AITrader does."""
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(CHANNEL)
    ready.set()
    for message in pubsub.listen():
        if b'"decisions"' in message["data"]:
            heard.hear()


def on_socket(socket: ClientConnection, heard: Heard) -> None:
    """Listen as a dashboard does."""
    for text in socket:
        if json.loads(text)["event"] == "decisions":
            heard.hear()


def bare(client: redis.Redis) -> list[float]:
    """Return the milliseconds of what Redis alone takes: two stream entries written and read, one publish."""
    taken, last = [], {"bench:a": "$", "bench:b": "$"}
    for number in range(300):
        began = time.perf_counter()
        for stream in last:
            entry = client.xadd(stream, {"n": number}, maxlen=1000)
            client.xread({stream: "0" if number == 0 else last[stream]}, count=10)
            last[stream] = entry
        client.publish("bench", b"x" * 500)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    for name in ("--port", "--count"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--token", "--redis"):
        parser.add_argument(name, required=True)
    asked = parser.parse_args()
    client = redis.Redis.from_url(asked.redis)
    bus, socket_heard, ready = Heard(), Heard(), threading.Event()
    threading.Thread(target=on_bus, args=(redis.Redis.from_url(asked.redis), bus, ready), daemon=True).start()
    ready.wait(10)
    headers = {"Authorization": f"Bearer {asked.token}"}
    found: dict[str, Any] = {"bare_ms": bare(client), "bus_ms": [], "socket_ms": []}
    with connect(f"ws://127.0.0.1:{asked.port}/ws", additional_headers=headers) as socket:
        socket.send(json.dumps({"action": "subscribe", "topics": ["decisions"]}))
        while json.loads(socket.recv(10))["event"] != "snapshot":
            pass
        threading.Thread(target=on_socket, args=(socket, socket_heard), daemon=True).start()
        on_the_bus = on_the_socket = 0
        for number in range(asked.count):
            tick = {"symbol": SYMBOL, "price": 100 + number / 10, "volume": 10, "timestamp": repr(time.time())}
            sent = time.perf_counter()
            client.xadd("ticks:global", tick, maxlen=100_000)
            if number < 5:  # the channel is not full yet
                time.sleep(0.2)
                on_the_bus, on_the_socket = bus.count, socket_heard.count
                continue
            on_the_bus, at = bus.next(on_the_bus)
            found["bus_ms"].append((at - sent) * 1000)
            on_the_socket, at = socket_heard.next(on_the_socket)
            found["socket_ms"].append((at - sent) * 1000)
            time.sleep(0.05)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
