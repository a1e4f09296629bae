"""The loops over bars, compiled. Each is called from Python alone, and reads no bar after the one it judges.

The compiler (numba) neither reorders nor fuses floating point operations unless it is told to. The first use on a
machine compiles for some seconds and keeps the result.
"""

from __future__ import annotations

import numpy as np

from domain.common.compiling import compiled


@compiled(error_model="numpy")
def average_true_range(high, low, close, span, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill ``out`` with the mean true range of the last ``span`` bars; NaN before there are so many.

    Each mean is summed anew, so that it depends on its own bars alone.
    """
    for t in range(len(close)):
        if t < span:
            out[t] = np.nan
            continue
        total = 0.0
        for u in range(t - span + 1, t + 1):
            total += max(high[u], close[u - 1]) - min(low[u], close[u - 1])
        out[t] = total / span


@compiled(error_model="numpy")
def zigzag(  # type: ignore[no-untyped-def]  # pragma: no cover
    high, low, close, atr, reversal, bar, known, price, kind
):
    """Fill in the turning points and return how many there are; the outputs are as long as the bars.

    A high is known at the first close ``reversal`` ATR below it, a low at the first so far above it.
    """
    count, side, top, bottom = 0, 0, -1, -1
    for t in range(len(close)):
        if not atr[t] > 0:
            continue
        if top < 0 or high[t] > high[top]:
            top = t
        if bottom < 0 or low[t] < low[bottom]:
            bottom = t
        fell = side >= 0 and close[t] <= high[top] - reversal * atr[t]
        rose = side <= 0 and close[t] >= low[bottom] + reversal * atr[t]
        if fell and rose:  # only before the first turning point: the later extreme is what the close came back from
            fell, rose = top > bottom, bottom > top
        if fell:
            bar[count], known[count], price[count], kind[count] = top, t, high[top], 1
            count, side, bottom = count + 1, -1, -1
            for u in range(top + 1, t + 1):
                if bottom < 0 or low[u] < low[bottom]:
                    bottom = u
        elif rose:
            bar[count], known[count], price[count], kind[count] = bottom, t, low[bottom], -1
            count, side, top = count + 1, 1, -1
            for u in range(bottom + 1, t + 1):
                if top < 0 or high[u] > high[top]:
                    top = u
    return count


@compiled(error_model="numpy")
def first_breaks(  # type: ignore[no-untyped-def]  # pragma: no cover
    close, begin, known, until, line, stop, margin, out
):
    """Fill ``out`` with the bar at which each formation is broken upwards, or -1.

    A formation is broken by the first close above ``line`` + ``margin``. It is none when a close from ``begin`` to
    before ``known`` was already there, or when one is below ``stop`` - ``margin`` first. Lines are rows of (bar,
    price, slope); ``until`` is the last bar that may break it.
    """
    for row in range(len(begin)):
        out[row] = -1
        for t in range(begin[row], min(until[row] + 1, len(close))):
            if close[t] < stop[row, 1] + stop[row, 2] * (t - stop[row, 0]) - margin[row]:
                break
            if close[t] > line[row, 1] + line[row, 2] * (t - line[row, 0]) + margin[row]:
                if t >= known[row]:
                    out[row] = t
                break


@compiled(error_model="numpy")
def touches(  # type: ignore[no-untyped-def]  # pragma: no cover
    bar, price, kind, unit, touch, memory, count, first, newest, level
):
    """Find for each high the highs that touch its level, itself included; a higher one before ends the search.

    ``count`` is how many, ``first`` the place of the oldest, ``newest`` the places of the last ones, newest first and
    -1 where there are fewer. ``level`` gets the highest and the lowest touch, and the lowest low since the oldest.
    """
    for place in range(len(bar)):
        count[place], first[place] = 0, place
        newest[place, :] = -1
        if kind[place] < 0:
            continue
        reach = touch * unit[place]
        level[place, :] = price[place]
        bottom = price[place]
        other = place
        while other >= 0 and bar[place] - bar[other] <= memory and price[other] <= price[place] + reach:
            if price[other] >= price[place] - reach:
                if count[place] < newest.shape[1]:
                    newest[place, count[place]] = other
                count[place] += 1
                first[place] = other
                level[place, 0] = max(level[place, 0], price[other])
                level[place, 1] = min(level[place, 1], price[other])
                level[place, 2] = bottom
            if other > 0:
                bottom = min(bottom, price[other - 1])
            other -= 2


@compiled(error_model="numpy")
def flags(  # type: ignore[no-untyped-def]  # pragma: no cover
    high, low, close, atr, pole, pole_bars, fewest, most, retrace, same, beyond, where, channel
):
    """Find bull flags and return how many there are; the outputs have a row for each bar.

    ``where`` gets the bars of the break, of foot and top of the pole, and of the lowest low of the flag; ``channel``
    gets (slope, upper boundary, lower boundary), both at the first bar after the top: parallels of the line that
    fits the closes of the flag best, through the high and the low that are farthest from it.
    """
    count, top, foot = 0, -1, -1
    for t in range(len(close)):
        if top >= 0:
            rise, size = high[top] - low[foot], t - 1 - top
            if size >= fewest:
                middle, mean = 0.5 * (size - 1), 0.0
                for u in range(size):
                    mean += close[top + 1 + u]
                mean /= size
                slope, spread = 0.0, 0.0
                for u in range(size):
                    slope += (u - middle) * (close[top + 1 + u] - mean)
                    spread += (u - middle) * (u - middle)
                slope /= spread
                upper, lower, lowest = 0.0, 0.0, top + 1
                for u in range(size):
                    fit = mean + slope * (u - middle)
                    upper = max(upper, high[top + 1 + u] - fit)
                    lower = min(lower, low[top + 1 + u] - fit)
                    if low[top + 1 + u] < low[lowest]:
                        lowest = top + 1 + u
                fits = slope * size <= same * atr[foot] and upper - lower <= retrace * rise
                if fits and close[t] > mean + slope * (size - middle) + upper + beyond * atr[foot]:
                    where[count, 0], where[count, 1], where[count, 2], where[count, 3] = t, foot, top, lowest
                    start = mean - slope * middle
                    channel[count, 0], channel[count, 1], channel[count, 2] = slope, start + upper, start + lower
                    count += 1
                    top = -1
            if top >= 0 and (high[t] > high[top] or low[t] < high[top] - retrace * rise or t - top > most):
                top = -1
        if top < 0 and t > pole_bars:
            least, highest = t - pole_bars, True
            for u in range(t - pole_bars, t):
                highest = highest and high[u] < high[t]
                if low[u] <= low[least]:
                    least = u
            if highest and high[t] - low[least] >= pole * atr[least]:
                top, foot = t, least
    return count
