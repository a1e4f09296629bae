"""Events between processes over Redis Pub/Sub. Pub/Sub may lose messages silently: listeners heal from SQL."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict

import orjson
import redis

from domain.common.errors import Unavailable
from domain.common.events import PublishedEvent

log = logging.getLogger(__name__)

CHANNEL = "aitrader:events"
_WAIT_S = 1.0


class RedisBus:
    """One channel for all events."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._listeners: list[_Listener] = []

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        """Publish all events in one round trip."""
        if not events:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for event in events:
                    pipe.publish(CHANNEL, orjson.dumps(asdict(event)))
                pipe.execute()
        except redis.RedisError as error:
            raise Unavailable(f"Redis did not answer: {error}", code="redis_unavailable") from error

    def listen(self, callback: Callable[[PublishedEvent], None]) -> Callable[[], None]:
        """Subscribe in a thread of its own, again after every lost connection."""
        listener = _Listener(self._client, callback)
        listener.start()
        self._listeners = [*(other for other in self._listeners if other.is_alive()), listener]
        return listener.stop

    def ping(self) -> None:
        """Prove that Redis answers."""
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise Unavailable(f"Redis did not answer: {error}", code="redis_unavailable") from error

    def close(self) -> None:
        """Stop all listeners; the client belongs to whoever made it."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:  # all at once: each may take a second to notice
            listener.tell_to_stop()
        for listener in listeners:
            listener.stop()


class _Listener(threading.Thread):
    def __init__(self, client: redis.Redis, callback: Callable[[PublishedEvent], None]) -> None:
        super().__init__(name="bus", daemon=True)
        self._client = client
        self._callback = callback
        self._stopping = threading.Event()
        self._subscribed = threading.Event()

    def start(self) -> None:
        super().start()
        self._subscribed.wait(_WAIT_S)

    def tell_to_stop(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        self.tell_to_stop()
        if threading.current_thread() is not self:
            self.join(5)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except redis.RedisError as error:
                log.warning("event subscription lost", extra={"error": str(error)})
                self._stopping.wait(_WAIT_S)

    def _read(self) -> None:
        with self._client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(CHANNEL)
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=_WAIT_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._subscribed.set()
                if message["type"] == "message":
                    self._deliver(message["data"])

    def _deliver(self, data: bytes) -> None:
        try:
            self._callback(PublishedEvent(**orjson.loads(data)))
        except (TypeError, ValueError):
            log.warning("unreadable event on the bus")
        except Exception:
            log.exception("an event listener failed")
