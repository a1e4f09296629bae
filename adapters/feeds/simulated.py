"""Prices that nobody traded at, for practice: seeded random walks, one for each symbol."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from domain.common.time import Clock
from domain.market.ports import StopSignal
from domain.market.ticks import Tick

_PERIOD_S = 0.25
_START = 100.0
_DECIMALS = 2
_MEAN_VOLUME = 100.0
# Of one step: about one percent in an hour of four steps a second.
_STEP = 0.0001


class SimulatedFeed:
    """``MarketFeed`` that says a price of every symbol four times a second.

    The n-th price of a symbol depends on the seed, the symbol and n only.

    Args:
        symbols: which ones.
        clock: times of the ticks.
        speed: how many times faster than four a second.
    """

    name = "simulated"

    def __init__(self, symbols: Sequence[str], clock: Clock, *, seed: int = 0, speed: float = 1.0) -> None:
        self._clock = clock
        self._wait_s = _PERIOD_S / speed
        self._walks = {symbol: _Walk(f"{seed}:{symbol}") for symbol in symbols}

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        """Hand ticks over until told to stop."""
        while not stop.is_set():
            now = self._clock.now_ms()
            on_ticks([walk.next(symbol, now) for symbol, walk in self._walks.items()])
            stop.wait(self._wait_s)


class _Walk:
    def __init__(self, seed: str) -> None:
        self._draw = random.Random(seed)  # noqa: S311
        self._price = _START * math.exp(self._draw.gauss(0, 0.5))

    def next(self, symbol: str, at: int) -> Tick:
        self._price *= math.exp(self._draw.gauss(0, _STEP))
        volume = round(self._draw.expovariate(1 / _MEAN_VOLUME))
        return Tick(symbol, max(0.01, round(self._price, _DECIMALS)), float(volume), at)
