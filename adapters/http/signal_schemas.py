"""The shapes of signals in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from adapters.http.schemas import Model

_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13"
_CURSOR = "^[A-Za-z0-9_-]{21}[AQgw]$"
_LINE = r"^\S(.*\S)?$"
Score = Annotated[float, Field(ge=-1, le=1, description="-1 sell, 1 buy, 0 no opinion", examples=[0.42])]


class SignalRequest(Model):
    """An opinion on a symbol."""

    id: str = Field(
        min_length=1,
        max_length=128,
        pattern=_LINE,
        description="the producer's own; sent again it is the same signal",
        examples=["INFY-1763628300"],
    )
    symbol: str = Field(min_length=1, max_length=45, examples=["NSE:INFY"])
    exchange: str | None = Field(default=None, max_length=20, description="where the symbol has none")
    score: Score
    pattern: str = Field(min_length=1, max_length=64, pattern=_LINE, examples=["ema_cross"])
    timestamp: float | None = Field(
        default=None, ge=946_684_800, le=2**33, description="seconds since 1970; now where left out"
    )
    ttl_ms: int = Field(default=60_000, ge=1, le=86_400_000, description="how long after its time it may be acted on")
    source: str | None = Field(default=None, max_length=64, description="the producer; your name where left out")
    meta: dict[str, Any] = Field(default_factory=dict, description="more about it, at most 2 KB")


class Signal(Model):
    """A signal as it came in."""

    id: UUID = Field(examples=[_ID])
    signal_id: str = Field(examples=["INFY-1763628300"])
    source: str = Field(examples=["pattern-engine"])
    symbol: str = Field(examples=["NSE:INFY"])
    score: Score
    pattern: str = Field(examples=["ema_cross"])
    status: Literal["taken", "expired"] = Field(description="expired: it came too late to be acted on")
    time: datetime
    expires_at: datetime
    received_at: datetime
    meta: dict[str, Any]


class SignalQuery(Model):
    """Which signals."""

    symbol: str | None = Field(default=None, min_length=1, max_length=45)
    source: str | None = Field(default=None, min_length=1, max_length=64)
    pattern: str | None = Field(default=None, min_length=1, max_length=64)
    min_score: float | None = Field(default=None, ge=0, le=1, description="least strength, whichever way it points")
    since: datetime | None = Field(default=None, description="from this time on")
    until: datetime | None = Field(default=None, description="before this time")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class SignalPage(Model):
    """Signals, the newest first."""

    items: list[Signal]
    next_cursor: str | None


class TradingViewAlert(Model):
    """The message of a TradingView alert, as JSON. Further fields are kept with the signal."""

    model_config = ConfigDict(extra="allow")

    secret: str = Field(max_length=200, description="an API token with the scope signals:write", examples=["ait_…"])
    ticker: str = Field(min_length=1, max_length=45, examples=["INFY"])
    action: Literal["buy", "sell", "long", "short", "close", "exit", "flat"]
    exchange: str | None = Field(default=None, max_length=20, examples=["NSE"])
    strategy: str | None = Field(default=None, max_length=64, examples=["ema-cross"])
    time: datetime | None = None
    ttl_ms: int = Field(default=60_000, ge=1, le=86_400_000)
