"""What can be set about the strategy engine's server."""

from __future__ import annotations

from pydantic import Field

from aitrader.api import StrictModel


class StrategyOptions(StrictModel):
    """What can be set about the server."""

    threshold: float = Field(0.2, ge=0, le=1, description="how strong evidence must be, where a request does not say")
    models: int = Field(1000, ge=1, le=100_000, description="how many models the leaderboard remembers")
