"""The peer's worker: arq with no-op jobs, and a program that enqueues to it.

``peer_worker.py work`` runs jobs until it is stopped; each writes the time of its end to a Redis hash, and with
``PEER_SQL`` also its start and end to its row, as an application that shows job states would.
``peer_worker.py submit COUNT INTERVAL_S`` prints [[id, sent_at], …] as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker, func
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

DONE = "peer:done"

_START = text("UPDATE peer_jobs SET status = 'running' WHERE id = :id AND status = 'queued'")
_END = text("UPDATE peer_jobs SET status = 'succeeded', finished_at = :now WHERE id = :id AND status = 'running'")


async def noop(ctx: dict[str, Any], job_id: str) -> None:
    """Do nothing and say when."""
    await ctx["redis"].hset(DONE, job_id, time.time())


async def noop_sql(ctx: dict[str, Any], job_id: str) -> None:
    """Do nothing between two states of a row."""
    async with ctx["engine"].connect() as connection:
        await connection.execute(_START, {"id": job_id})
        await connection.execute(_END, {"id": job_id, "now": int(time.time() * 1000)})
    await ctx["redis"].hset(DONE, job_id, time.time())


async def start_up(ctx: dict[str, Any]) -> None:
    """Open the pool."""
    url = os.environ["PEER_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    ctx["engine"] = create_async_engine(
        url, pool_size=8, max_overflow=0, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
    )


def work() -> None:
    """Run jobs."""
    function = noop_sql if os.environ.get("PEER_SQL") else noop
    worker = Worker(
        functions=[func(function, name="noop")],
        on_startup=start_up,
        redis_settings=RedisSettings.from_dsn(os.environ["PEER_REDIS_URL"]),
        poll_delay=float(os.environ.get("PEER_POLL_S", "0.5")),
        max_jobs=8,
        keep_result=0,
        log_results=False,
    )
    print("ready", flush=True)
    worker.run()


async def submit(count: int, interval_s: float) -> list[tuple[str, float]]:
    """Enqueue ``count`` jobs at a steady rate, or at once when the interval is 0."""
    redis = await create_pool(RedisSettings.from_dsn(os.environ["PEER_REDIS_URL"]))
    sent = []
    start = time.monotonic()
    for number in range(count):
        due = start + (number + 0.37 * ((number * 0.618) % 1)) * interval_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        job_id = str(uuid.uuid4())
        sent_at = time.time()
        await redis.enqueue_job("noop", job_id, _job_id=job_id)
        sent.append((job_id, sent_at))
    await redis.aclose()
    return sent


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work()
    else:
        json.dump(asyncio.run(submit(int(sys.argv[2]), float(sys.argv[3]))), sys.stdout)
