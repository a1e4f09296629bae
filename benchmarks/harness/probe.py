"""The plugin of the benchmarks: a job type that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aitrader.api import Isolation, JobContext, JobType, Registry, hookimpl


class NoopPayload(BaseModel):
    """The same shape as the peer's."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field("NASDAQ:AAPL", max_length=64)
    bars: int = Field(100, ge=1, le=1_000_000)


class NoopResult(BaseModel):
    """Nothing."""


class Noop(JobType):
    """Do nothing, in a thread."""

    name = "noop"
    title = "No-op"
    payload_type = NoopPayload
    result_type = NoopResult
    isolation = Isolation.THREAD
    max_attempts = 3
    deadline_s = 60.0
    needs = ()
    example: Mapping[str, Any] = {"symbol": "NASDAQ:AAPL", "bars": 100}

    def run(self, context: JobContext, payload: NoopPayload) -> NoopResult:
        """Do nothing."""
        return NoopResult()


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``noop``."""
    registry.add(Noop.name, Noop())
