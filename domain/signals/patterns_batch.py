"""The patterns of `SymbolPatterns` over many ticks at once: the same arithmetic, compiled.

The same ticks give the same hits to the last bit: the compiler (numba) neither reorders nor fuses floating point
operations unless it is told to. The first use on a machine compiles for some seconds and keeps the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.common.compiling import compiled
from domain.signals.patterns import (
    CROSS_SCORE,
    DAY_MS,
    DONCHIAN_SCORE,
    PATTERNS,
    PatternHit,
    PatternRules,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEVER = -(2**62)
# Places in the arrays of state.
_PRICE, _FAST, _SLOW, _SUM_VALUE, _SUM_VOLUME, _SPREAD = 0, 1, 2, 3, 4, 5
_MEAN_VOLUME, _VAR_VOLUME, _MEAN_RETURN, _VAR_RETURN = 6, 7, 8, 9
_COUNT, _TIME, _DAY, _HIGH_FIRST, _HIGH_SIZE, _LOW_FIRST, _LOW_SIZE = 0, 1, 2, 3, 4, 5, 6
_FLOATS = (
    "_price",
    "_fast",
    "_slow",
    "_sum_value",
    "_sum_volume",
    "_spread",
    "_mean_volume",
    "_var_volume",
    "_mean_return",
    "_var_return",
)
_COUNTS = ("_count", "_time", "_day")


def update_many(
    rules: PatternRules, state: Mapping[str, Any], prices: Floats, volumes: Floats, times: Ints
) -> tuple[dict[str, Any], list[tuple[int, PatternHit]]]:
    """Take ticks of one symbol in, as ``SymbolPatterns.update`` does one by one.

    Args:
        state: what ``SymbolPatterns.dump`` gave.
        prices, volumes, times: the ticks, equally long.

    Returns:
        The state after them, for ``SymbolPatterns.load``, and (place of the tick, what is seen with it).
    """
    floats = np.array([state[name] for name in _FLOATS], np.float64)
    high_at, high = _ring(state["_highs"], rules.channel + 1)
    low_at, low = _ring(state["_lows"], rules.channel + 1)
    sizes = [0, len(state["_highs"]), 0, len(state["_lows"])]
    counts = np.array([state["_count"], state["_time"], state["_day"], *sizes], np.int64)
    seen = np.array([state["_seen"].get(name, _NEVER) for name in PATTERNS], np.int64)
    spans = np.array([rules.slow, rules.span, rules.channel, rules.cooldown_ms], np.int64)
    weights = [2 / (span + 1) for span in (rules.fast, rules.slow, rules.span)]
    levels = np.array([*weights, rules.deviation, rules.spike, rules.breakout], np.float64)
    room = len(PATTERNS) * len(prices)
    where, which = np.empty(room, np.int64), np.empty(room, np.int64)
    scores, values = np.empty(room), np.empty(room)
    count = _run(
        prices, volumes, times, floats, counts, high_at, high, low_at, low, seen, spans, levels,
        where, which, scores, values,
    )  # fmt: skip
    ends = counts.tolist()
    after = dict(zip(_FLOATS, floats.tolist(), strict=True)) | dict(zip(_COUNTS, ends[:3], strict=True))
    after["_highs"] = _ends(high_at, high, ends[_HIGH_FIRST], ends[_HIGH_SIZE])
    after["_lows"] = _ends(low_at, low, ends[_LOW_FIRST], ends[_LOW_SIZE])
    after["_seen"] = {name: at for name, at in zip(PATTERNS, seen.tolist(), strict=True) if at != _NEVER}
    columns = (column[:count].tolist() for column in (where, which, scores, values))
    rows = zip(*columns, strict=True)
    return after, [(place, PatternHit(PATTERNS[name], score, value)) for place, name, score, value in rows]


def _ring(ends: Sequence[tuple[int, float]], span: int) -> tuple[Ints, Floats]:
    at, price = np.zeros(span, np.int64), np.zeros(span, np.float64)
    for place, (number, value) in enumerate(ends):
        at[place], price[place] = number, value
    return at, price


def _ends(at: Ints, price: Floats, first: int, size: int) -> list[tuple[int, float]]:
    places = [(first + number) % len(at) for number in range(size)]
    return [(int(at[place]), float(price[place])) for place in places]


@compiled(error_model="numpy")
def _run(  # type: ignore[no-untyped-def]  # pragma: no cover
    prices, volumes, times, floats, state, high_at, high, low_at, low, seen, spans, levels,
    where, which, scores, values,
):  # fmt: skip
    slow_span, span, channel, cooldown = spans[0], spans[1], spans[2], spans[3]
    fast_weight, slow_weight, weight = levels[0], levels[1], levels[2]
    deviation, spike, breakout = levels[3], levels[4], levels[5]
    last, fast, slow = floats[_PRICE], floats[_FAST], floats[_SLOW]
    sum_value, sum_volume, spread = floats[_SUM_VALUE], floats[_SUM_VOLUME], floats[_SPREAD]
    mean_volume, var_volume = floats[_MEAN_VOLUME], floats[_VAR_VOLUME]
    mean_return, var_return = floats[_MEAN_RETURN], floats[_VAR_RETURN]
    count, last_time, day = state[_COUNT], state[_TIME], state[_DAY]
    high_first, high_size = state[_HIGH_FIRST], state[_HIGH_SIZE]
    low_first, low_size = state[_LOW_FIRST], state[_LOW_SIZE]
    size = len(high_at)
    found = 0
    for place in range(len(prices)):
        price, volume, time = prices[place], volumes[place], times[place]
        if time < last_time:
            continue
        count += 1
        if count == 1:
            fast = slow = price
            mean_volume = volume
        else:
            before = fast - slow
            fast += fast_weight * (price - fast)
            slow += slow_weight * (price - slow)
            after = fast - slow
            if before * after < 0 and count > slow_span and time - seen[0] >= cooldown:
                seen[0] = time
                where[found], which[found] = place, 0
                scores[found], values[found] = math.copysign(CROSS_SCORE, after), after / price
                found += 1
            change = math.log(price / last)
            off = volume - mean_volume
            if off > 0 and change != 0 and count > span and var_volume > 0:
                strength = off / math.sqrt(var_volume)
                if strength >= spike and time - seen[2] >= cooldown:
                    seen[2] = time
                    where[found], which[found] = place, 2
                    scores[found] = math.copysign(strength / (4 + abs(strength)), change)
                    values[found] = strength
                    found += 1
            step = weight * off
            mean_volume += step
            var_volume = (1 - weight) * (var_volume + off * step)
            off = change - mean_return
            if count > span and var_return > 0:
                strength = off / math.sqrt(var_return)
                if abs(strength) >= breakout and time - seen[3] >= cooldown:
                    seen[3] = time
                    where[found], which[found] = place, 3
                    scores[found], values[found] = strength / (4 + abs(strength)), strength
                    found += 1
            step = weight * off
            mean_return += step
            var_return = (1 - weight) * (var_return + off * step)
        today = time // DAY_MS
        if today != day:
            day, sum_value, sum_volume = today, 0.0, 0.0
        sum_value += price * volume
        sum_volume += volume
        if sum_volume != 0:
            off = price * sum_volume / sum_value - 1
            if count > span and spread > 0:
                strength = off / math.sqrt(spread)
                if abs(strength) >= deviation and time - seen[1] >= cooldown:
                    seen[1] = time
                    where[found], which[found] = place, 1
                    scores[found], values[found] = -(strength / (4 + abs(strength))), strength
                    found += 1
            spread += weight * (off * off - spread)
        if count > channel:
            if price > high[high_first]:
                if time - seen[4] >= cooldown:
                    seen[4] = time
                    where[found], which[found] = place, 4
                    scores[found], values[found] = DONCHIAN_SCORE, price / high[high_first] - 1
                    found += 1
            elif price < low[low_first] and time - seen[4] >= cooldown:
                seen[4] = time
                where[found], which[found] = place, 4
                scores[found], values[found] = -DONCHIAN_SCORE, price / low[low_first] - 1
                found += 1
        oldest = count - channel
        while high_size and high[(high_first + high_size - 1) % size] <= price:
            high_size -= 1
        while low_size and low[(low_first + low_size - 1) % size] >= price:
            low_size -= 1
        end = (high_first + high_size) % size
        high_at[end], high[end] = count, price
        high_size += 1
        end = (low_first + low_size) % size
        low_at[end], low[end] = count, price
        low_size += 1
        if high_at[high_first] <= oldest:
            high_first, high_size = (high_first + 1) % size, high_size - 1
        if low_at[low_first] <= oldest:
            low_first, low_size = (low_first + 1) % size, low_size - 1
        last, last_time = price, time
    floats[_PRICE], floats[_FAST], floats[_SLOW] = last, fast, slow
    floats[_SUM_VALUE], floats[_SUM_VOLUME], floats[_SPREAD] = sum_value, sum_volume, spread
    floats[_MEAN_VOLUME], floats[_VAR_VOLUME] = mean_volume, var_volume
    floats[_MEAN_RETURN], floats[_VAR_RETURN] = mean_return, var_return
    state[_COUNT], state[_TIME], state[_DAY] = count, last_time, day
    state[_HIGH_FIRST], state[_HIGH_SIZE] = high_first, high_size
    state[_LOW_FIRST], state[_LOW_SIZE] = low_first, low_size
    return found
