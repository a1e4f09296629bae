"""The past as if it happened now, for practice: recorded ticks, or ticks made of stored bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from domain.common.time import Clock
from domain.market.ports import StopSignal
from domain.market.ticks import Tick

_MOST_AT_ONCE = 1000


class ReplayedFeed:
    """``MarketFeed`` of old ticks with the times of now: the first comes at once, the others after it as they did.

    Args:
        ticks: returns the ticks by time, from the start.
        clock: the time of now.
        speed: how many times faster than they came; 0 is as fast as possible.
    """

    name = "replay"

    def __init__(self, ticks: Callable[[], Iterable[Tick]], clock: Clock, *, speed: float = 1.0) -> None:
        self._ticks = ticks
        self._clock = clock
        self._speed = speed
        self._told = 0

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        """Hand ticks over to the end; called again after an error, those that were not handed over yet."""
        begun, first, waiting = self._clock.now_ms(), 0, list[Tick]()
        for number, tick in enumerate(self._ticks()):
            if number < self._told:
                continue
            first = first or tick.time_ms
            at = begun + round((tick.time_ms - first) / self._speed) if self._speed else self._clock.now_ms()
            if (at > self._clock.now_ms() and waiting) or len(waiting) >= _MOST_AT_ONCE:
                on_ticks(waiting)
                self._told += len(waiting)
                waiting = []
            if stop.wait(max(0.0, (at - self._clock.now_ms()) / 1000)):
                return
            waiting.append(replace(tick, time_ms=at))
        on_ticks(waiting)
        self._told += len(waiting)
