"""Patterns in ticks, found as they come: constant work and constant memory for each tick of a symbol.

Everything is a function of the ticks so far, in their order: the same ticks give the same hits, live and in a replay.
Averages are exponential with the span ``n`` (weight 2 / (n + 1) for the newest), https://en.wikipedia.org/wiki/EWMA.
A score is what the pattern says of the next moves: 1 up, -1 down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EMA_CROSS = "ema_cross"
VWAP_DEVIATION = "vwap_deviation"
VOLUME_SPIKE = "volume_spike"
VOLATILITY_BREAKOUT = "volatility_breakout"
DONCHIAN_BREAKOUT = "donchian_breakout"
PATTERNS = (EMA_CROSS, VWAP_DEVIATION, VOLUME_SPIKE, VOLATILITY_BREAKOUT, DONCHIAN_BREAKOUT)

DAY_MS = 86_400_000
CROSS_SCORE = 0.5
DONCHIAN_SCORE = 0.6


@dataclass(frozen=True, slots=True)
class PatternRules:
    """When a pattern is seen.

    Args:
        fast, slow: spans of the averages that cross, in ticks.
        span: of the means and variances that spikes and breakouts are measured against, in ticks.
        channel: how many ticks before this one a Donchian channel looks at.
        deviation, spike, breakout: how many standard deviations are remarkable.
        cooldown_ms: for how long a pattern is not seen again in a symbol.
    """

    fast: int = 12
    slow: int = 26
    span: int = 50
    channel: int = 100
    deviation: float = 2.5
    spike: float = 4.0
    breakout: float = 4.0
    cooldown_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class PatternHit:
    """A pattern was seen. ``value`` is what made it remarkable: standard deviations, or the distance to a level."""

    pattern: str
    score: float
    value: float


class SymbolPatterns:
    """The patterns of one symbol. Not safe for threads.

    Args:
        rules: when a pattern is seen.
    """

    __slots__ = (
        "_channel",
        "_count",
        "_day",
        "_fast",
        "_fast_weight",
        "_highs",
        "_lows",
        "_mean_return",
        "_mean_volume",
        "_price",
        "_rules",
        "_seen",
        "_slow",
        "_slow_weight",
        "_spread",
        "_sum_value",
        "_sum_volume",
        "_time",
        "_var_return",
        "_var_volume",
        "_weight",
    )

    def __init__(self, rules: PatternRules) -> None:
        self._rules = rules
        self._fast_weight = 2 / (rules.fast + 1)
        self._slow_weight = 2 / (rules.slow + 1)
        self._weight = 2 / (rules.span + 1)
        self._channel = rules.channel
        self._count = 0
        self._time = 0
        self._price = self._fast = self._slow = 0.0
        self._day = -1
        self._sum_value = self._sum_volume = self._spread = 0.0
        self._mean_volume = self._var_volume = 0.0
        self._mean_return = self._var_return = 0.0
        # (number of the tick, price), prices falling and rising: the first is the extreme of the window.
        self._highs: deque[tuple[int, float]] = deque()
        self._lows: deque[tuple[int, float]] = deque()
        self._seen: dict[str, int] = {}

    def update(self, price: float, volume: float, time_ms: int) -> list[PatternHit]:
        """Take a tick in and return what is seen now; a tick older than the last one changes nothing.

        Args:
            price: above zero.
            volume: traded with this tick; not below zero.
            time_ms: milliseconds UTC.
        """
        if time_ms < self._time:
            return []
        self._count += 1
        found: list[PatternHit] = []
        if self._count == 1:
            self._fast = self._slow = price
            self._mean_volume = volume
        else:
            self._cross(price, found)
            change = math.log(price / self._price)
            self._volume(volume, change, found)
            self._return(change, found)
        self._vwap(price, volume, time_ms, found)
        self._donchian(price, found)
        self._price, self._time = price, time_ms
        return self._rested(found, time_ms) if found else found

    def _cross(self, price: float, found: list[PatternHit]) -> None:
        before = self._fast - self._slow
        self._fast += self._fast_weight * (price - self._fast)
        self._slow += self._slow_weight * (price - self._slow)
        after = self._fast - self._slow
        if before * after < 0 and self._count > self._rules.slow:
            found.append(PatternHit(EMA_CROSS, math.copysign(CROSS_SCORE, after), after / price))

    def _volume(self, volume: float, change: float, found: list[PatternHit]) -> None:
        off = volume - self._mean_volume
        if off > 0 and change and self._count > self._rules.span and self._var_volume > 0:
            strength = off / math.sqrt(self._var_volume)
            if strength >= self._rules.spike:
                found.append(PatternHit(VOLUME_SPIKE, math.copysign(_squash(strength), change), strength))
        step = self._weight * off
        self._mean_volume += step
        self._var_volume = (1 - self._weight) * (self._var_volume + off * step)

    def _return(self, change: float, found: list[PatternHit]) -> None:
        off = change - self._mean_return
        if self._count > self._rules.span and self._var_return > 0:
            strength = off / math.sqrt(self._var_return)
            if abs(strength) >= self._rules.breakout:
                found.append(PatternHit(VOLATILITY_BREAKOUT, _squash(strength), strength))
        step = self._weight * off
        self._mean_return += step
        self._var_return = (1 - self._weight) * (self._var_return + off * step)

    def _vwap(self, price: float, volume: float, time_ms: int, found: list[PatternHit]) -> None:
        """Far from the day's volume-weighted price, prices are taken to come back."""
        day = time_ms // DAY_MS
        if day != self._day:
            self._day, self._sum_value, self._sum_volume = day, 0.0, 0.0
        self._sum_value += price * volume
        self._sum_volume += volume
        if not self._sum_volume:
            return
        off = price * self._sum_volume / self._sum_value - 1
        if self._count > self._rules.span and self._spread > 0:
            strength = off / math.sqrt(self._spread)
            if abs(strength) >= self._rules.deviation:
                found.append(PatternHit(VWAP_DEVIATION, -_squash(strength), strength))
        self._spread += self._weight * (off * off - self._spread)

    def _donchian(self, price: float, found: list[PatternHit]) -> None:
        """A price beyond all of the channel before it; the channel is that of the ticks before this one."""
        highs, lows, oldest = self._highs, self._lows, self._count - self._channel
        if self._count > self._channel:
            if price > highs[0][1]:
                found.append(PatternHit(DONCHIAN_BREAKOUT, DONCHIAN_SCORE, price / highs[0][1] - 1))
            elif price < lows[0][1]:
                found.append(PatternHit(DONCHIAN_BREAKOUT, -DONCHIAN_SCORE, price / lows[0][1] - 1))
        while highs and highs[-1][1] <= price:
            highs.pop()
        while lows and lows[-1][1] >= price:
            lows.pop()
        highs.append((self._count, price))
        lows.append((self._count, price))
        if highs[0][0] <= oldest:
            highs.popleft()
        if lows[0][0] <= oldest:
            lows.popleft()

    def _rested(self, found: list[PatternHit], time_ms: int) -> list[PatternHit]:
        seen, cooldown = self._seen, self._rules.cooldown_ms
        rested = [hit for hit in found if time_ms - seen.get(hit.pattern, -cooldown) >= cooldown]
        for hit in rested:
            seen[hit.pattern] = time_ms
        return rested

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON types, exact: what ``load`` makes of it goes on as this would."""
        fixed = ("_rules", "_fast_weight", "_slow_weight", "_weight", "_channel", "_highs", "_lows")
        state = {name: getattr(self, name) for name in self.__slots__ if name not in fixed}
        return {**state, "_highs": list(self._highs), "_lows": list(self._lows)}

    @classmethod
    def load(cls, rules: PatternRules, state: Mapping[str, Any]) -> SymbolPatterns:
        """Return what was dumped, under the same rules."""
        loaded = cls(rules)
        for name, value in state.items():
            ends = name in ("_highs", "_lows")
            setattr(loaded, name, deque((int(n), float(p)) for n, p in value) if ends else value)
        return loaded


def _squash(strength: float) -> float:
    """Return a strength in standard deviations as a score: 4 is 0.5, twice as much 0.67."""
    return strength / (4 + abs(strength))
