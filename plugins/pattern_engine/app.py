"""``/health`` of the pattern engine; the engine runs as long as the application does."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import redis

from aitrader.api import AsgiApp, Invalid
from plugins.pattern_engine.options import PatternOptions
from plugins.pattern_engine.runner import PatternRunner

_TIMEOUT_S = 5


def make_app(options: PatternOptions) -> AsgiApp:
    """Return the application.

    Raises:
        Invalid: no Redis is named, or not by a URL.
    """
    url = options.redis_url or os.environ.get("REDIS_URL")
    if not url:
        raise Invalid("the pattern engine reads ticks from Redis; set REDIS_URL", code="redis_url_missing")
    try:
        client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    except ValueError as error:
        raise Invalid(f"not a Redis URL: {error}; expected redis://host:6379/0", code="invalid_redis_url") from None
    return _App(PatternRunner(client, options))


class _App:
    def __init__(self, runner: PatternRunner) -> None:
        self._runner = runner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope["path"], send)

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._runner.start()
            else:
                await asyncio.to_thread(self._runner.stop)
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return

    async def _answer(self, path: str, send: Any) -> None:
        health = self._runner.health()
        known = path == "/health"
        body: Any = health if known else {"detail": "GET /health"}
        status = (200 if health["status"] == "ok" else 503) if known else 404
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})
