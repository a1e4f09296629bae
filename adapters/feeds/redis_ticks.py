"""Ticks in a Redis stream: written here for other programs, or read from one that others write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

import redis

from domain.common.errors import Invalid, Unavailable
from domain.market.ports import StopSignal
from domain.market.ticks import Tick, read_tick, tick_fields

log = logging.getLogger(__name__)

_BATCH = 1000
_BLOCK_MS = 500
_MOST_KEPT = 1_000_000

Entry = tuple[bytes, dict[bytes, bytes]]


class RedisTicks:
    """``MarketFeed`` over a stream such as ``ticks:global``: what comes from now on, each entry once.

    After an error it goes on behind the last entry it handed over. What is no tick is skipped, and said.
    """

    name = "redis"

    def __init__(self, client: redis.Redis, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._position: str | None = None
        self._symbols: dict[str, str] = {}
        self._refused = 0

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        """Hand ticks over until told to stop.

        Raises:
            Unavailable: Redis does not answer.
        """
        while not stop.is_set():
            entries = self._read()
            ticks = [tick for _, fields in entries if (tick := self._tick(fields)) is not None]
            if ticks:
                on_ticks(ticks)
            if entries:
                self._position = entries[-1][0].decode()

    def _read(self) -> list[Entry]:
        try:
            if self._position is None:
                last = cast("list[Entry]", self._client.xrevrange(self._stream, count=1))
                self._position = last[0][0].decode() if last else "0"
            answer = self._client.xread({self._stream: self._position}, count=_BATCH, block=_BLOCK_MS)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}", code="redis_down") from error
        streams = cast("list[tuple[bytes, list[Entry]]]", answer or [])
        return [entry for _, found in streams for entry in found]

    def _tick(self, fields: dict[bytes, bytes]) -> Tick | None:
        try:
            return read_tick(fields, self._symbols)
        except Invalid as error:
            self._refused += 1
            if self._refused & (self._refused - 1) == 0:  # 1, 2, 4, 8, …
                log.warning("a tick was refused", extra={"reason": error.detail, "refused": self._refused})
            return None


def write_ticks(client: redis.Redis, stream: str, ticks: Sequence[Tick]) -> None:
    """Add ticks to a stream, which keeps about the last million.

    Raises:
        Unavailable: Redis does not answer; some may have been written.
    """
    try:
        with client.pipeline(transaction=False) as pipe:
            for tick in ticks:
                fields = cast("dict[Any, Any]", tick_fields(tick))
                pipe.xadd(stream, fields, maxlen=_MOST_KEPT, approximate=True)
            pipe.execute()
    except redis.RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}", code="redis_down") from error
