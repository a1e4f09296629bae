"""How good probabilities and the actions that follow from them were, and how sure one can be of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.intelligence.suggestions import CLASSES
from domain.market.model import FloatColumn

Probabilities = NDArray[np.float64]
"""One row for each sample, one column for each of `CLASSES`."""

Outcomes = NDArray[np.int8]

_DRAWS = 1000
_BINS = 10
_LEAST = 30
# Two ends of a 95 % interval.
_ENDS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the 95 % interval of a block bootstrap; None where there are too few samples."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class ActionScore:
    """What following the actions would have brought, after costs.

    Args:
        acted: how often there was something to do, of ``n``.
        hit_rate: share of trades that gained.
        mean_return: mean return of a trade, as a fraction.
    """

    n: int
    acted: int
    hit_rate: float | None
    mean_return: Interval


def brier(probabilities: Probabilities, outcomes: Outcomes) -> FloatColumn:
    """Return each sample's Brier score: Σ over classes of (p − what came true)², 0 (best) … 2 (Brier 1950)."""
    came_true = np.eye(len(CLASSES))[outcomes]
    score: FloatColumn = ((probabilities - came_true) ** 2).sum(axis=1)
    return score


def log_loss(probabilities: Probabilities, outcomes: Outcomes) -> float | None:
    """Return the mean of −ln p of what came true; None where there is nothing."""
    if not len(outcomes):
        return None
    told = np.maximum(probabilities[np.arange(len(outcomes)), outcomes], 1e-12)
    return float(-np.log(told).mean())


def block_interval(values: FloatColumn, block: int, seed: int = 0) -> Interval:
    """Return the mean of values in order of time, with an interval that allows for labels that overlap.

    Blocks of ``block`` values that follow each other are drawn (circular block bootstrap, Politis & Romano 1992).
    """
    count = len(values)
    if count == 0:
        return Interval(None, None, None, 0)
    if count < max(_LEAST, 2 * block):
        return Interval(float(values.mean()), None, None, count)
    random = np.random.default_rng(seed)
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[:block])))))
    totals = sums[block:] - sums[:-block]
    blocks = -(-count // block)
    starts = random.integers(0, count, size=(_DRAWS, blocks))
    means = totals[starts].sum(axis=1) / (blocks * block)
    low, high = np.percentile(means, _ENDS)
    return Interval(float(values.mean()), float(low), float(high), count)


def action_score(returns: FloatColumn, block: int) -> ActionScore:
    """Return the score of actions; ``returns`` is NaN where there was nothing to do, in order of time."""
    traded = returns[np.isfinite(returns)]
    hit_rate = float((traded > 0).mean()) if len(traded) else None
    return ActionScore(len(returns), len(traded), hit_rate, block_interval(traded, block))


def reliability(probability: FloatColumn, came_true: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return how often what was told with a probability came true, by bins of it; empty bins are left out."""
    bins = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    found = []
    for place in range(_BINS):
        mine = bins == place
        if mine.any():
            told, true = float(probability[mine].mean()), float(came_true[mine].mean())
            found.append({"from": place / _BINS, "n": int(mine.sum()), "told": told, "came_true": true})
    return found


def interval_view(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON types."""
    return asdict(interval)


def action_view(score: ActionScore) -> dict[str, Any]:
    """Return a score of actions as JSON types."""
    return asdict(score)


def skill(model: FloatColumn, baseline: FloatColumn) -> float | None:
    """Return 1 − mean Brier score of a model ÷ that of its baseline; above 0 is better. None without samples."""
    if not len(model) or not baseline.mean() > 0:
        return None
    return float(1.0 - model.mean() / baseline.mean())


def ordered(values: FloatColumn, times: Sequence[int] | NDArray[np.int64]) -> FloatColumn:
    """Return values by time; samples of many symbols at one time stay together."""
    return values[np.argsort(np.asarray(times), kind="stable")]
