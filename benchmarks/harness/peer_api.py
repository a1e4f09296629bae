"""The peer: FastAPI on uvicorn that validates a job, inserts one row and enqueues to arq.

``POST /jobs`` inserts and enqueues, for anyone; ``POST /guarded`` does so for who holds a token and counts their
requests, as AITrader does; ``POST /enqueue`` only enqueues. Tuned as its own documentation advises: one
engine with a pool of 8, Core inserts, one statement per transaction, uvloop and httptools.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from arq import create_pool
from arq.connections import RedisSettings
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, insert
from sqlalchemy.ext.asyncio import create_async_engine
from uuid_utils.compat import uuid7

metadata = MetaData()
jobs = Table(
    "peer_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("job_type", String(64), nullable=False),
    Column("queue", String(32), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("run_at", BigInteger, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)


class Payload(BaseModel):
    """What the job type asks for."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field("NASDAQ:AAPL", max_length=64)
    bars: int = Field(100, ge=1, le=1_000_000)


class NewJob(BaseModel):
    """The body of ``POST /jobs``."""

    model_config = ConfigDict(extra="forbid")

    job_type: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
    payload: Payload
    priority: int = Field(0, ge=-100, le=100)
    run_at: int | None = None
    max_attempts: int | None = Field(None, ge=1, le=20)


class Accepted(BaseModel):
    """The answer."""

    id: str
    status: str
    job_type: str


def row_of(new: NewJob) -> dict[str, Any]:
    """Return the row to insert."""
    now = int(time.time() * 1000)
    payload = json.dumps(new.payload.model_dump(), sort_keys=True, separators=(",", ":"))
    return {
        "id": str(uuid7()),
        "user_id": "owner",
        "job_type": new.job_type,
        "queue": "default",
        "priority": new.priority,
        "payload": payload,
        "payload_hash": hashlib.sha256(payload.encode()).hexdigest(),
        "status": "queued",
        "run_at": new.run_at or now,
        "max_attempts": new.max_attempts or 3,
        "created_at": now,
    }


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open and close the pools."""
    url = os.environ["PEER_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    # One statement is one transaction: AUTOCOMMIT saves the peer two round trips per request.
    engine = create_async_engine(
        url, pool_size=8, max_overflow=0, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
    )
    app.state.engine = engine
    app.state.redis = await create_pool(RedisSettings.from_dsn(os.environ["PEER_REDIS_URL"]))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield
    await app.state.redis.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
_insert = insert(jobs)


@app.post("/jobs", status_code=202)
async def submit(new: NewJob) -> Accepted:
    """Insert and enqueue."""
    row = row_of(new)
    async with app.state.engine.connect() as connection:
        await connection.execute(_insert, row)
    await app.state.redis.enqueue_job("noop", row["id"], _job_id=row["id"])
    return Accepted(id=row["id"], status="queued", job_type=new.job_type)


TOKEN = "peer_0123456789abcdef0123456789abcdef0123456789abcdef"
_tokens = {hashlib.sha256(TOKEN.encode()).hexdigest(): "owner"}
_bearer = HTTPBearer()
_limit = parse("1000000000/minute")
_limiter = SlidingWindowCounterRateLimiter(MemoryStorage())


async def allowed(response: Response, given: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> str:
    """Check the token by its hash, count the request, and say what is left."""
    user = _tokens.get(hashlib.sha256(given.credentials.encode()).hexdigest())
    if user is None:
        raise HTTPException(401)
    if not await _limiter.hit(_limit, "credential", user):
        raise HTTPException(429)
    stats = await _limiter.get_window_stats(_limit, "credential", user)
    response.headers["RateLimit-Limit"] = str(_limit.amount)
    response.headers["RateLimit-Remaining"] = str(stats.remaining)
    response.headers["RateLimit-Reset"] = str(max(0, round(stats.reset_time - time.time())))
    return user


@app.post("/guarded", status_code=202)
async def submit_guarded(new: NewJob, _user: Annotated[str, Depends(allowed)]) -> Accepted:
    """Insert and enqueue for who may."""
    return await submit(new)


@app.post("/enqueue", status_code=202)
async def enqueue(new: NewJob) -> Accepted:
    """Enqueue only: nothing remembers the job but Redis."""
    row = row_of(new)
    await app.state.redis.enqueue_job("noop", row["id"], _job_id=row["id"])
    return Accepted(id=row["id"], status="queued", job_type=new.job_type)


@app.get("/ready")
async def ready() -> dict[str, bool]:
    """Say that requests are answered."""
    return {"ready": True}
