"""What can be set about the sentiment server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aitrader.api import StrictModel

Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SentimentOptions(StrictModel):
    """What can be set about the server."""

    sources: dict[str, Weight] = Field(
        default_factory=dict,
        description='how far each source is believed, such as {"reuters":1,"blog":0.3}; told as authenticity_score',
    )
    authenticity: Weight = Field(1.0, description="how far a source is believed that is not named")
    threads: int = Field(2, ge=1, le=64, description="questions that are answered at once")
    waiting: int = Field(64, ge=0, le=10_000, description="questions that may wait; more are answered 429")
    batch: int = Field(32, ge=1, le=1024, description="texts of one question at most")
    most_bytes: int = Field(2 << 20, ge=1024, le=1 << 28, description="how long a question may be, in bytes")
