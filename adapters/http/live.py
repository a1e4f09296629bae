"""Topics whose newest word is all that counts: a slow client misses steps in between, never the last one.

Nothing is logged and nothing can be resumed. ``seq`` counts what one client was sent of a topic, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.http.json_body import dump_json
from domain.common.time import rfc3339

MOST_KEYS = 10_000

Filter = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Latest:
    """Something new about one key; encoded once for all clients."""

    key: str
    time_ms: int
    data: dict[str, Any]
    text: str

    @classmethod
    def of(cls, key: str, time_ms: int, data: dict[str, Any]) -> Latest:
        """Return what is new, encoded."""
        return cls(key, time_ms, data, dump_json(data).decode())


@dataclass(slots=True)
class LiveSubscription:
    """What one client wants of a live topic, and what it has not been sent yet.

    Nothing leaves before the snapshot did: ``open`` is False until then.
    """

    topic: str
    filter: Filter
    seq: int = 0
    open: bool = False
    waiting: dict[str, Latest] = field(default_factory=dict)

    def take(self, latest: Latest) -> bool:
        """Keep the newest word on a key, in place of an older one; return whether it was wanted."""
        if not all(latest.data.get(name) in values for name, values in self.filter.items()):
            return False
        if latest.key not in self.waiting and len(self.waiting) >= MOST_KEYS:
            self.waiting.pop(next(iter(self.waiting)))
        self.waiting[latest.key] = latest
        return True

    def next_frame(self) -> str | None:
        """Return the frame that has waited longest; None when there is none."""
        if not self.open or not self.waiting:
            return None
        latest = self.waiting.pop(next(iter(self.waiting)))
        self.seq += 1
        time = rfc3339(latest.time_ms)
        return f'{{"event":"{self.topic}","seq":{self.seq},"time":"{time}","data":{latest.text}}}'
