"""Signals and what may be asked of them. Times are milliseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from domain.common.events import Event
from domain.common.time import rfc3339

TOPIC = "trading_signals"
MOST_TTL_MS = 86_400_000


class SignalStatus(StrEnum):
    """Whether a signal came in time to be acted on."""

    TAKEN = "taken"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Signal:
    """An opinion on a symbol at one moment, with its strength and where it comes from.

    Args:
        id: ours.
        signal_id: the producer's; the same one again from the same producer is the same signal.
        user_id: whose it is: nobody else sees it.
        source: the producer.
        score: -1 (sell) to 1 (buy); 0 is no opinion.
        pattern: what was seen, such as ``ema_cross``.
        time_ms: when it was true.
        ttl_ms: how long after that it may be acted on.
        meta: more about it; JSON types.
    """

    id: str
    signal_id: str
    user_id: str
    source: str
    symbol: str
    score: float
    pattern: str
    time_ms: int
    ttl_ms: int
    received_at: int
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> SignalStatus:
        """Whether it came in time; one that came late is kept, and never acted on."""
        late = self.received_at > self.time_ms + self.ttl_ms
        return SignalStatus.EXPIRED if late else SignalStatus.TAKEN


class AliveSignal(NamedTuple):
    """What matters of a signal that may still be acted on."""

    source: str
    pattern: str
    score: float
    time_ms: int
    signal_id: str


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals to list. None means any; ``min_score`` is the least strength, whichever way it points."""

    user_id: str
    symbol: str | None = None
    source: str | None = None
    pattern: str | None = None
    min_score: float | None = None
    since_ms: int | None = None
    until_ms: int | None = None


def signal_view(signal: Signal) -> dict[str, Any]:
    """Return a signal as JSON types."""
    return {
        "id": signal.id,
        "signal_id": signal.signal_id,
        "source": signal.source,
        "symbol": signal.symbol,
        "score": signal.score,
        "pattern": signal.pattern,
        "status": signal.status.value,
        "time": rfc3339(signal.time_ms),
        "expires_at": rfc3339(signal.time_ms + signal.ttl_ms),
        "received_at": rfc3339(signal.received_at),
        "meta": signal.meta,
    }


def signal_event(signal: Signal) -> Event:
    """Return the event of a signal that came in, for its owner."""
    return Event(TOPIC, signal.user_id, signal_view(signal))
