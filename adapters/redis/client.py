"""One factory for Redis clients, every option spelled out: the library's defaults retry writes behind our back."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.common.errors import Invalid


def connect(url: str) -> redis.Redis:
    """Return a client for ``redis://``, ``rediss://`` or ``unix://``. Nothing connects yet.

    Commands are never repeated on their own; a call ends within 5 s. Blocking commands must wait less than that.

    Raises:
        Invalid: not a Redis URL.
    """
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=64,
            timeout=2,
            socket_timeout=5,
            socket_connect_timeout=2,
            socket_keepalive=True,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            client_name="aitrader",
        )
    except ValueError as error:
        raise Invalid(f"not a Redis URL: {error}; expected redis://host:6379/0") from None
    return redis.Redis(connection_pool=pool)
