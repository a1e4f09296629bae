"""The thread that reads ticks and writes signals.

Signals have ids made of symbol, pattern and time. After a crash it goes on from the state that was kept last, sees
some ticks again, and writes some signals again, under the same ids: whoever takes them in takes each once. For the
same reason signals that are still alive are written again when Redis was emptied: nobody may have read them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from dataclasses import astuple
from typing import Any, cast

import redis

from aitrader.api import Invalid, PatternHit, Tick, read_tick, signal_data
from plugins.pattern_engine.options import PatternOptions

log = logging.getLogger("aitrader.pattern_engine")

_MOST_SIGNALS = 100_000
_BATCH = 1000
_BLOCK_MS = 500
_PAUSE_S = 1.0
_MOST_SYMBOLS = 20_000
_MOST_ALIVE = 100_000
_LOOK_S = 0.25

Entry = tuple[bytes, dict[bytes, bytes]]


class PatternRunner:
    """Runs a `Detector` over a Redis stream.

    Args:
        client: Redis; blocking reads of half a second must be possible.
        options: where and when.
    """

    def __init__(self, client: redis.Redis, options: PatternOptions) -> None:
        self._client = client
        self._options = options
        self._key = f"aitrader:pattern_engine:{options.ticks}"
        self._detector = options.detector()
        self._position: str | None = None
        self._kept_at = 0.0
        self._unwritten: list[tuple[Tick, PatternHit]] = []
        self._alive: deque[tuple[int, Tick, PatternHit]] = deque(maxlen=_MOST_ALIVE)
        self._looked_at = 0.0
        self._symbols: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pattern-engine", daemon=True)
        self._counts = {"ticks": 0, "refused": 0, "signals": 0}
        self._last_ms: int | None = None
        self._trouble: str | None = "Redis was not reached yet"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current batch, and keep the state."""
        self._stopping.set()
        self._thread.join(10)

    def health(self) -> dict[str, Any]:
        """Return how it is, as JSON types."""
        state = "ok" if self._trouble is None else "down"
        return {
            "status": state,
            "detail": self._trouble,
            **self._counts,
            "symbols": len(self._detector),
            "last_tick_ms": self._last_ms,
        }

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
                self._trouble = None
            except redis.RedisError as error:
                if self._trouble is None:
                    log.warning("Redis did not answer", extra={"reason": str(error)})
                self._trouble = f"Redis did not answer: {error}"
                self._stopping.wait(_PAUSE_S)
        try:
            self._keep()
        except redis.RedisError as error:
            log.warning("the state was not kept", extra={"reason": str(error)})

    def step(self, block_ms: int = _BLOCK_MS) -> int:
        """Handle what came, waiting a while for something; return how many ticks there were."""
        if self._position is None:
            self._position = self._load()
            self._keep()
        self._look()
        self._write()
        answer = self._client.xread({self._options.ticks: self._position}, count=_BATCH, block=block_ms)
        streams = cast("list[tuple[bytes, list[Entry]]]", answer or [])
        entries = [entry for _, found in streams for entry in found]
        for entry_id, fields in entries:
            self._take(fields)
            self._position = entry_id.decode()
        self._write()
        if entries and time.monotonic() - self._kept_at >= self._options.snapshot_seconds:
            self._keep()
        return len(entries)

    def _take(self, fields: dict[bytes, bytes]) -> None:
        self._counts["ticks"] += 1
        try:
            tick = read_tick(fields, self._symbols)
            if len(self._symbols) > _MOST_SYMBOLS:
                raise Invalid(f"more than {_MOST_SYMBOLS} symbols", code="too_many_symbols")
        except Invalid as error:
            self._refuse(error)
            return
        self._unwritten += [(tick, hit) for hit in self._detector.on_tick(tick)]
        self._last_ms = tick.time_ms

    def _refuse(self, error: Invalid) -> None:
        self._counts["refused"] += 1
        if self._counts["refused"] & (self._counts["refused"] - 1) == 0:  # 1, 2, 4, 8, …
            log.warning("a tick was refused", extra={"reason": error.detail, "refused": self._counts["refused"]})

    def _write(self) -> None:
        """Write what was seen; what could not be written is written first, next time."""
        if not self._unwritten:
            return
        with self._client.pipeline(transaction=False) as pipe:
            for tick, hit in self._unwritten:
                fields: dict[Any, Any] = {"v": 1, "type": "signal", "data": self._signal(tick, hit)}
                for stream in (self._options.signals, f"signals:{tick.symbol}"):
                    pipe.xadd(stream, fields, maxlen=_MOST_SIGNALS, approximate=True)
            pipe.execute()
        self._counts["signals"] += len(self._unwritten)
        self._alive.extend((tick.time_ms + self._options.ttl_ms, tick, hit) for tick, hit in self._unwritten)
        self._unwritten.clear()

    def _look(self) -> None:
        """See whether Redis was emptied since signals were written; then those that are alive are written again."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        if self._client.exists(self._key):
            return
        again = [(tick, hit) for until, tick, hit in self._alive if until >= (self._last_ms or 0)]
        log.warning("Redis was emptied; signals that are alive are written again", extra={"signals": len(again)})
        self._unwritten = [*again, *self._unwritten]
        self._alive.clear()
        self._write()
        self._keep()

    def _signal(self, tick: Tick, hit: PatternHit) -> str:
        return json.dumps(signal_data(tick, hit, self._options.ttl_ms))

    def _load(self) -> str:
        """Take up the state that was kept under the same rules; without one, begin with what comes from now on."""
        kept = cast("bytes | None", self._client.get(self._key))
        state = None if kept is None else json.loads(kept)
        if state is None or not self._detector.load(state):
            return self._newest()
        self._alive.extend((row[0], Tick(*row[1:5]), PatternHit(*row[5:])) for row in state.get("alive", ()))
        return str(state["position"])

    def _newest(self) -> str:
        last = cast("list[Entry]", self._client.xrevrange(self._options.ticks, count=1))
        return last[0][0].decode() if last else "0"

    def _keep(self) -> None:
        if self._position is None or self._unwritten:
            return
        newest = self._last_ms or 0
        while self._alive and self._alive[0][0] < newest:
            self._alive.popleft()
        alive = [[until, *astuple(tick), *astuple(hit)] for until, tick, hit in self._alive]
        state = {**self._detector.dump(), "position": self._position, "alive": alive}
        self._client.set(self._key, json.dumps(state))
        self._kept_at = time.monotonic()
