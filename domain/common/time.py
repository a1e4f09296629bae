"""Time: UTC everywhere, integer milliseconds in storage, RFC 3339 with ``Z`` in JSON."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Called from any thread."""

    def now_ms(self) -> int:
        """Return the wall clock as milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> int:
        """Return the wall clock as milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def to_ms(moment: datetime) -> int:
    """Return an aware datetime as milliseconds since 1970-01-01 UTC.

    Raises:
        ValueError: the datetime is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a time needs a zone: {moment!r}")
    return round(moment.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """Return milliseconds since 1970-01-01 UTC as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(ms: int) -> str:
    """Return milliseconds since 1970-01-01 UTC as RFC 3339 text with ``Z``."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
