"""How often each credential and each address may ask.

A sliding window over two counters: no bursts at the edges of windows, and the cost of a request does not depend on
the limit. Redis shares the counters between processes when it answers; requests never wait for it nor fail with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from adapters.http.problems import Refused

log = logging.getLogger(__name__)

_REDIS_S = 0.1
_REDIS_AWAY_S = 5.0
_SWEEP_S = 10.0


class Bucket(StrEnum):
    """What is counted."""

    CREDENTIAL = "credential"
    ADDRESS = "address"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a request. ``reset_s`` is when there is more."""

    limit: int
    remaining: int
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell the client."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class Rates:
    """Counts requests. Belongs to the event loop.

    Args:
        per_credential: such as ``1200/minute``; also of probes and static files, by address.
        per_address: of requests without credentials, or with bad ones.
        store_url: a Redis shared with other processes.
    """

    def __init__(self, per_credential: str, per_address: str, store_url: str | None) -> None:
        self._items: dict[Bucket, RateLimitItem] = {
            Bucket.CREDENTIAL: parse(per_credential),
            Bucket.ADDRESS: parse(per_address),
            Bucket.PROBE: parse(per_credential),
        }
        self._memory = MemoryStorage()
        self._local = SlidingWindowCounterRateLimiter(self._memory)
        self._store_url = store_url
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._shared_from = 0.0

    async def start(self) -> None:
        """Begin to forget old counters, and connect to Redis when it is first needed."""
        # The storage would look through all counters at each request; it leaves that to a timer that is running.
        self._memory.timer = asyncio.create_task(self._sweep())
        if self._store_url is not None:
            try:
                self._shared = SlidingWindowCounterRateLimiter(_redis(self._store_url))
            except Exception as error:  # rates are no reason not to start
                log.warning("cannot count requests in Redis; counting here", extra={"error": type(error).__name__})

    async def stop(self) -> None:
        """Let go of Redis."""
        if self._memory.timer is not None:
            self._memory.timer.cancel()
        if self._shared is not None:
            storage: Any = self._shared.storage
            with contextlib.suppress(Exception):
                await storage.bridge.storage.aclose()

    async def spend(self, bucket: Bucket, who: str) -> Allowance:
        """Count a request.

        Raises:
            Refused: there were too many; says when to come back.
        """
        good, allowance = await self._count(bucket, who)
        if good:
            return allowance
        headers = {**allowance.headers, "Retry-After": str(max(1, allowance.reset_s))}
        raise Refused(429, "too many requests; wait before the next", code="rate_limited", headers=headers)

    async def _count(self, bucket: Bucket, who: str) -> tuple[bool, Allowance]:
        now = asyncio.get_running_loop().time()
        if self._shared is not None and now >= self._shared_from:
            try:
                async with asyncio.timeout(_REDIS_S):
                    return await self._ask(self._shared, bucket, who)
            except Exception as error:  # whatever is wrong with Redis, requests go on
                log.warning("Redis does not count requests; counting here", extra={"error": type(error).__name__})
                self._shared_from = now + _REDIS_AWAY_S
        return await self._ask(self._local, bucket, who)

    async def _ask(
        self, limiter: SlidingWindowCounterRateLimiter, bucket: Bucket, who: str
    ) -> tuple[bool, Allowance]:
        item = self._items[bucket]
        good = await limiter.hit(item, bucket.value, who)
        stats = await limiter.get_window_stats(item, bucket.value, who)
        reset = max(0, math.ceil(stats.reset_time - time.time()))
        return good, Allowance(item.amount, stats.remaining if good else 0, reset)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for key in list(self._memory.expirations):
                await self._memory.get(key)  # drops it when it is over


def _redis(url: str) -> RedisStorage:
    url = f"redis+{url}" if url.startswith("unix:") else url
    return RedisStorage(
        f"async+{url}",
        implementation="redispy",
        key_prefix="aitrader:rates",
        socket_timeout=_REDIS_S,
        socket_connect_timeout=_REDIS_S,
    )
