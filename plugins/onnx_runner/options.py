"""What can be set about the model server."""

from __future__ import annotations

from pydantic import Field

from aitrader.api import StrictModel


class RunnerOptions(StrictModel):
    """What can be set about the server."""

    threads: int = Field(2, ge=1, le=64, description="questions that are answered at once")
    waiting: int = Field(64, ge=0, le=10_000, description="questions that may wait; more are answered 503")
    most_bytes: int = Field(16 << 20, ge=1024, le=1 << 30, description="how long a question may be, in bytes")
