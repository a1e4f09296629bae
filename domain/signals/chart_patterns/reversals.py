"""Bottoms: double, triple, and head and shoulders (upside down: tops)."""

from __future__ import annotations

import numpy as np

from domain.signals.chart_patterns.formations import (
    DOUBLE,
    HEAD,
    TRIPLE,
    Formations,
    Found,
    Mask,
    Turns,
    ending_low,
    even,
    height_of,
    level,
    through,
)
from domain.signals.chart_patterns.model import ChartRules, Floats, Swings

# How much longer one half of a head and shoulders may be than the other (TB: symmetrical about the head).
_LOPSIDED = 2.5


def double_bottoms(swings: Swings, atr: Floats, rules: ChartRules) -> Found:
    """Two lows at one level with a high between; a close above that high completes it.

    The decline into it began above the high (E&M: a reversal must have something to reverse), and the lows are apart
    (E&M: a month; LMW: 22 days). Target: the height above the neckline (E&M, TB). Invalid below the lower low.
    """
    turns = ending_low(swings, atr, 4)
    lows = np.stack((turns.price(0), turns.price(2)))
    return Found(DOUBLE, _bottoms(turns, lows, turns.price(1), turns.price(1), rules))


def triple_bottoms(swings: Swings, atr: Floats, rules: ChartRules) -> Found:
    """Three lows at one level; a close above the higher of the two highs between completes it (TB).

    For the rest see `double_bottoms`.
    """
    turns = ending_low(swings, atr, 6)
    lows = np.stack((turns.price(0), turns.price(2), turns.price(4)))
    between = np.stack((turns.price(1), turns.price(3)))
    return Found(TRIPLE, _bottoms(turns, lows, between.max(axis=0), between.min(axis=0), rules))


def _bottoms(turns: Turns, lows: Floats, neck: Floats, lower_neck: Floats, rules: ChartRules) -> Formations:
    count = 2 * len(lows) - 1
    bottom, uneven = lows.min(axis=0), lows.max(axis=0) - lows.min(axis=0)
    good = (
        (uneven <= rules.same * turns.unit)
        & (lower_neck - lows.max(axis=0) >= rules.depth * turns.unit)
        & (turns.price(count) > neck)
        & (turns.bar(0) - turns.bar(count - 1) >= rules.apart)
    )
    turns, bottom, uneven, neck = turns.where(good), bottom[good], uneven[good], neck[good]
    height = neck - bottom
    tall = np.minimum(height / (2.0 * rules.depth * turns.unit), 1.0)
    fit = (2.0 * even([uneven], rules.same * turns.unit) + tall) / 3.0
    return _waiting(turns, count, level(turns.bar(count - 2), neck), height, bottom, fit)


def heads(swings: Swings, atr: Floats, rules: ChartRules) -> Found:
    """A low between two higher ones at one level; a close above the line through the highs between completes it.

    Shoulders and neckline are nearly level (LMW: within 1.5 % of their means), neither half is 2.5 times as long as
    the other, and the decline into it began above the highs. Target: the head's distance to the neckline, from the
    break on (E&M). Invalid below the right shoulder.
    """
    turns = ending_low(swings, atr, 6)
    reach = rules.shoulders * turns.unit
    shoulders, neck = turns.price(0) - turns.price(4), turns.price(1) - turns.price(3)
    symmetry = _symmetry(turns)
    good = (
        _is_head(turns, rules) & (np.abs(shoulders) <= reach) & (np.abs(neck) <= reach) & (symmetry * _LOPSIDED >= 1)
    )
    turns, symmetry = turns.where(good), symmetry[good]
    line = through(turns.bar(3), turns.price(3), turns.bar(1), turns.price(1))
    fit = (even([shoulders[good], neck[good]], reach[good]) + symmetry) / 2.0
    height = height_of(line, turns.bar(2)) - turns.price(2)
    return Found(HEAD, _waiting(turns, 5, line, height, turns.price(0), fit))


def _is_head(turns: Turns, rules: ChartRules) -> Mask:
    left, head, right = turns.price(4), turns.price(2), turns.price(0)
    lower_neck = np.minimum(turns.price(1), turns.price(3))
    found: Mask = (
        (np.minimum(left, right) - head >= rules.head * turns.unit)
        & (lower_neck > np.maximum(left, right))
        & (turns.price(5) > np.maximum(turns.price(1), turns.price(3)))
    )
    return found


def _symmetry(turns: Turns) -> Floats:
    halves = np.stack((turns.bar(2) - turns.bar(4), turns.bar(0) - turns.bar(2)))
    ratio: Floats = halves.min(axis=0) / halves.max(axis=0)
    return ratio


def _waiting(turns: Turns, count: int, line: Floats, height: Floats, bottom: Floats, fit: Floats) -> Formations:
    """Return bottoms that wait for a close above a line, for as long as they took to form."""
    first, last = turns.bar(count - 1), turns.bar(0)
    return Formations(
        known=turns.known,
        first=first,
        last=last,
        begin=last + 1,
        until=last + (last - first),
        unit=turns.unit,
        line=line,
        stop=level(last, bottom),
        height=height,
        target=np.full(len(last), np.nan),
        invalidation=bottom,
        fit=fit,
        points=turns.points(count),
    )
