"""Running a market feed in this process: ticks to quotes, bars, patterns and signals, and to who else wants them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from domain.common.errors import AITraderError, Unavailable
from domain.common.time import Clock
from domain.market.ports import MarketFeed
from domain.market.ticks import Tick
from domain.pipeline.running import TickPipeline
from domain.signals.detecting import Detector
from domain.signals.model import Signal

log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_STOP_S = 10.0

OnTicks = Callable[[Sequence[Tick]], None]


class FeedRunner:
    """The thread of one feed. A failure is said once, and tried again every second.

    Args:
        feed: where ticks come from.
        sinks: who takes each batch, in this order; one that fails is said, and does not stop the others.
        keep: called every ``keep_s`` seconds and at the end, by the thread of the feed.
    """

    def __init__(
        self, feed: MarketFeed, sinks: Sequence[OnTicks], keep: Callable[[], None], keep_s: float = 30.0
    ) -> None:
        self._feed = feed
        self._sinks = sinks
        self._keep = keep
        self._keep_s = keep_s
        self._kept_at = time.monotonic()
        self._failing: set[int] = set()
        self._down = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed {feed.name}", daemon=True)
        self.ended = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current batch."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._feed.run(self._on_ticks, self._stop)
                break
            except Exception as error:
                self._say(error)
            self._stop.wait(_PAUSE_S)
        if not self._stop.is_set():
            log.info("the market feed came to its end", extra={"feed": self._feed.name})
        self._kept()
        self.ended.set()

    def _say(self, error: Exception) -> None:
        """Say a failure once, until ticks came again."""
        if not self._down:
            told = {"feed": self._feed.name, "reason": getattr(error, "detail", repr(error))}
            log.warning("the market feed failed", extra=told, exc_info=not isinstance(error, AITraderError))
        self._down = True

    def _on_ticks(self, ticks: Sequence[Tick]) -> None:
        self._down = False
        for number, sink in enumerate(self._sinks):
            try:
                sink(ticks)
                self._failing.discard(number)
            except Exception as error:
                if number not in self._failing:
                    log.exception("ticks were not taken", extra={"reason": repr(error)})
                self._failing.add(number)
        if time.monotonic() - self._kept_at >= self._keep_s:
            self._kept()

    def _kept(self) -> None:
        self._kept_at = time.monotonic()
        try:
            self._keep()
        except Exception:
            log.exception("the state of the patterns was not kept")


def surely(take: Callable[[Signal], object], clock: Clock, stopping: Callable[[], bool]) -> Callable[[Signal], None]:
    """Return ``take`` tried again while the database does not answer, for as long as the signal may be acted on."""

    def taking(signal: Signal) -> None:
        while True:
            try:
                take(signal)
                return
            except Unavailable as error:
                if stopping() or clock.now_ms() > signal.time_ms + signal.ttl_ms:
                    log.error("a signal was lost", extra={"signal": signal.signal_id, "reason": error.detail})
                    return
                clock.sleep(_PAUSE_S)
            except AITraderError as error:
                log.warning("a signal was refused", extra={"signal": signal.signal_id, "reason": error.detail})
                return

    return taking


class DetectorFile:
    """The state of a `Detector` in a file, so that it survives a restart."""

    def __init__(self, path: Path, detector: Detector) -> None:
        self._path = path
        self._detector = detector

    def load(self) -> None:
        """Go on from what was kept, if anything was, and under the same rules."""
        try:
            state: Any = json.loads(self._path.read_text(encoding="utf-8"))
            self._detector.load(state)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the state of the patterns cannot be read; they begin anew", extra={"reason": repr(error)})

    def save(self) -> None:
        """Keep the state, whole or not at all."""
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self._detector.dump()), encoding="utf-8")
        os.replace(beside, self._path)


def pipeline_sink(pipeline: TickPipeline) -> OnTicks:
    """Return a sink in which a tick that fails does not cost those behind it."""

    def on_ticks(ticks: Sequence[Tick]) -> None:
        failed: Exception | None = None
        for tick in ticks:
            try:
                pipeline.on_tick(tick)
            except Exception as error:
                failed = error
        if failed is not None:
            raise failed

    return on_ticks
