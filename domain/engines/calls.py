"""Counts of calls to engines: how many ended how, and how long they took."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Upper ends of the classes that durations are counted in, seconds. The last class has none.
BUCKETS = (0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class EngineCalls:
    """Calls of one engine that ended in one way.

    Args:
        counts: how many took up to each of `BUCKETS`, and how many took longer.
        seconds: how long all of them took together.
    """

    engine: str
    outcome: str
    counts: tuple[int, ...]
    seconds: float


class CallCounter:
    """``EngineMeter`` that remembers. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def observe(self, engine: str, outcome: str, seconds: float) -> None:
        """Count a call."""
        key, place = (engine, outcome), bisect_left(BUCKETS, seconds)
        with self._lock:
            counts = self._counts.get(key)
            if counts is None:
                counts = self._counts[key] = [0] * (len(BUCKETS) + 1)
                self._seconds[key] = 0.0
            counts[place] += 1
            self._seconds[key] += seconds

    def add(self, calls: Iterable[EngineCalls]) -> None:
        """Count calls that another process has counted."""
        with self._lock:
            for item in calls:
                key = item.engine, item.outcome
                known = self._counts.get(key, [0] * (len(BUCKETS) + 1))
                self._counts[key] = [old + new for old, new in zip(known, item.counts, strict=True)]
                self._seconds[key] = self._seconds.get(key, 0.0) + item.seconds

    def calls(self) -> list[EngineCalls]:
        """Return what was counted, by engine and outcome."""
        with self._lock:
            found = [EngineCalls(*key, tuple(counts), self._seconds[key]) for key, counts in self._counts.items()]
        return sorted(found, key=lambda item: (item.engine, item.outcome))

    def take(self) -> list[EngineCalls]:
        """Return what was counted, and begin again."""
        with self._lock:
            counts, seconds = self._counts, self._seconds
            self._counts, self._seconds = {}, {}
        return [EngineCalls(*key, tuple(found), seconds[key]) for key, found in counts.items()]


def calls_json(calls: Iterable[EngineCalls]) -> list[dict[str, Any]]:
    """Return counts as JSON types."""
    return [
        {"engine": item.engine, "outcome": item.outcome, "counts": list(item.counts), "seconds": item.seconds}
        for item in calls
    ]


def read_calls(items: Iterable[Mapping[str, Any]]) -> list[EngineCalls]:
    """Return the counts that `calls_json` wrote."""
    return [EngineCalls(item["engine"], item["outcome"], tuple(item["counts"]), item["seconds"]) for item in items]
