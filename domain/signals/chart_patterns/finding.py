"""Finding the chart patterns of bars. What is found at a bar depends on that bar and those before it only."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from domain.market.model import Bars
from domain.signals.chart_patterns.boundaries import boundaries
from domain.signals.chart_patterns.flags import bull_flags
from domain.signals.chart_patterns.formations import FLAG, Formations, Found, Shape, height_of
from domain.signals.chart_patterns.levels import resistance_breaks, support_bounces
from domain.signals.chart_patterns.model import CHART_PATTERNS, ChartHits, ChartRules, Floats, Ints, Swings
from domain.signals.chart_patterns.reversals import double_bottoms, heads, triple_bottoms
from domain.signals.chart_patterns.swings import average_true_range, find_swings


def find_chart_patterns(bars: Bars, rules: ChartRules | None = None) -> ChartHits:
    """Return every chart pattern that a close completes.

    A hit uses only turning points that were known at its bar. The first bars find nothing: the average true range
    needs ``rules.atr`` of them, and each shape its turning points. Read from the first bar there is, as the turning
    points are a function of all bars before.

    Args:
        bars: n bars, closed, ascending.
        rules: when a shape counts.
    """
    rules = ChartRules() if rules is None else rules
    # Copies, so that the kernels are compiled for one kind of column: read-only ones are another.
    high, low, close = (np.array(column, np.float64) for column in (bars.high, bars.low, bars.close))
    atr = average_true_range(high, low, close, rules.atr)
    swings = find_swings(high, low, close, atr, rules.reversal)
    upright = _completed(high, low, close, atr, swings, rules)
    upside_down = _completed(-low, -high, -close, atr, swings.mirrored(), rules)
    parts = [_named(shape.bullish, hits) for shape, hits in upright]
    parts += [_named(shape.bearish, _turned(hits)) for shape, hits in upside_down]
    columns = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(ChartHits))
    hits = ChartHits(*columns)
    order = np.lexsort((hits.pattern, hits.bar))
    # Two formations of a shape may be broken by the same close: the one that became known last is the hit.
    key = hits.bar[order] * len(CHART_PATTERNS) + hits.pattern[order]
    return hits.take(order[np.append(key[1:] != key[:-1], True)[: len(order)]])


def _completed(
    high: Floats, low: Floats, close: Floats, atr: Floats, swings: Swings, rules: ChartRules
) -> list[tuple[Shape, ChartHits]]:
    """Return the shapes that are broken upwards."""
    found = [
        double_bottoms(swings, atr, rules),
        triple_bottoms(swings, atr, rules),
        heads(swings, atr, rules),
        *boundaries(swings, atr, rules),
        resistance_breaks(swings, atr, rules),
        support_bounces(swings, atr, rules),
    ]
    broken = [(item.shape, _broken(item, close, swings, rules)) for item in found]
    return [*broken, (FLAG, bull_flags(high, low, close, atr, rules))]


def _broken(found: Found, close: Floats, swings: Swings, rules: ChartRules) -> ChartHits:
    from domain.signals.chart_patterns import kernels  # numba is costly to import

    waiting = found.formations
    bar = np.empty(len(waiting), np.int64)
    until, margin = _watched(waiting), rules.beyond * waiting.unit
    kernels.first_breaks(close, waiting.begin, waiting.known, until, waiting.line, waiting.stop, margin, bar)
    waiting, bar = waiting.take(bar >= 0), bar[bar >= 0]
    edge = height_of(waiting.line, bar)
    target = np.where(np.isnan(waiting.target), edge + waiting.height, waiting.target)
    there = waiting.points >= 0
    points = np.stack((swings.bar[waiting.points].astype(np.float64), swings.price[waiting.points]), axis=2)
    lines = np.full((len(bar), 2, 4), np.nan)
    lines[:, 0] = _drawn(waiting.line, bar)
    if found.channel:
        lines[:, 1] = _drawn(waiting.stop, bar)
    return ChartHits(
        bar=bar,
        pattern=np.zeros(len(bar), np.int64),
        strength=np.maximum(np.rint(100.0 * waiting.fit), 1.0).astype(np.int64),
        target=np.where(target > close[bar], target, np.nan),
        invalidation=waiting.invalidation,
        points=np.where(there[:, :, None], points, np.nan),
        known=np.where(there, swings.known[waiting.points], -1),
        lines=lines,
    )


def _watched(waiting: Formations) -> Ints:
    """Return how long each formation is watched: where two overlap, the newer takes the place of the older."""
    until = waiting.until.copy()
    replaced = waiting.first[1:] <= waiting.last[:-1]
    until[:-1] = np.where(replaced, np.minimum(until[:-1], waiting.known[1:] - 1), until[:-1])
    return until


def _drawn(line: Floats, bar: Ints) -> Floats:
    """Return lines from their first point to a bar, as rows of (bar, price, bar, price)."""
    return np.stack((line[:, 0], line[:, 1], bar.astype(np.float64), height_of(line, bar)), axis=1)


def _named(name: str, hits: ChartHits) -> ChartHits:
    hits.pattern[:] = CHART_PATTERNS.index(name)
    return hits


def _turned(hits: ChartHits) -> ChartHits:
    """Return hits in prices that hung upside down the right way up; no target is below zero."""
    upright = np.array([1.0, -1.0])
    target = -hits.target
    return ChartHits(
        bar=hits.bar,
        pattern=hits.pattern,
        strength=-hits.strength,
        target=np.where(target > 0.0, target, np.nan),
        invalidation=-hits.invalidation,
        points=hits.points * upright,
        known=hits.known,
        lines=hits.lines * np.tile(upright, 2),
    )
