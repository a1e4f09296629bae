"""Sums of forward returns over stretches of time, as they stood at given moments.

Outcomes of neighbouring bars share most of their bars, and must not pass for independent ones. So time is cut into
stretches of four horizons (20 bars at least) from the first bar on, and each stretch is one observation. At a moment
the stretches before it are whole, and the one that it lies in has only the bars whose outcome is known. Sums run
from the first bar on and are added one by one: what they are at a moment does not depend on what comes later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.market.model import FloatColumn
from domain.signals.scanning.statistics import two_sided

IntColumn = NDArray[np.int64]

LEAST_OCCURRENCES = 10
"""Fewer occurrences, or occurrences in fewer stretches, say nothing."""

DRAWS = 1000
_SHORTEST = 20
_TAILS = np.array([0.025, 0.975])
_CHUNK = 1024
_BILLION = 2.0**30


def _poisson() -> FloatColumn:
    """Return numbers of which one drawn at random is Poisson(1), to 16 bits: ten times as fast as numpy's own."""
    ladder = np.cumsum([math.exp(-1.0) / math.factorial(number) for number in range(10)])
    weights: FloatColumn = np.searchsorted(ladder, (np.arange(2**16) + 0.5) / 2**16).astype(np.float64)
    return weights


_POISSON = _poisson()


def sums(values: FloatColumn | NDArray[np.bool_]) -> FloatColumn:
    """Return the sums of the first 0, 1, 2, … values."""
    return np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))


class Outcomes:
    """The forward returns of all bars, and what was known of them at each moment.

    Args:
        close: of n bars, above zero.
        horizon: in bars, at least 1.
        moments: bars at whose close we look, ascending and different.
    """

    def __init__(self, close: FloatColumn, horizon: int, moments: IntColumn) -> None:
        self.horizon = horizon
        self.length = max(4 * horizon, _SHORTEST)
        self.forward: FloatColumn = close[horizon:] / close[:-horizon] - 1.0 if horizon < len(close) else close[:0]
        self.count = np.maximum(moments - horizon + 1, 0)
        self.whole = self.count // self.length
        self.blocks = len(self.forward) // self.length + 1
        self.total = Tally(np.arange(len(self.forward)), self)

    def share(self, sign: int) -> FloatColumn:
        """Return which part of the outcomes had the sign; NaN without any."""
        return _ratio(sums(self.forward * sign > 0.0)[self.count], self.count)


class Tally:
    """The outcomes of some bars: how many there are and what they sum up to, at each moment and in each stretch.

    ``n``, ``sum``, ``stretches``: known at each moment. ``block_n``, ``block_sum``: of each stretch when it is whole.
    ``part_n``, ``part_sum``: of the stretch that each moment lies in.
    """

    def __init__(self, bar: IntColumn, outcomes: Outcomes) -> None:
        bar = bar[: np.searchsorted(bar, len(outcomes.forward))]
        returns = outcomes.forward[bar]
        block = bar // outcomes.length
        running = sums(returns)
        start = np.searchsorted(bar, outcomes.whole * outcomes.length)
        self.returns = returns
        self.n = np.searchsorted(bar, outcomes.count)
        self.sum = running[self.n]
        self.part_n = (self.n - start).astype(np.float64)
        self.part_sum = self.sum - running[start]
        self.block_n = np.bincount(block, minlength=outcomes.blocks).astype(np.float64)
        self.block_sum: FloatColumn = np.bincount(block, returns, outcomes.blocks).astype(np.float64)
        self._whole = outcomes.whole
        self.stretches = sums(self.block_n > 0.0)[self._whole] + (self.part_n > 0)
        self.mean = _ratio(self.sum, self.n)

    def _products(self, other: Tally) -> tuple[FloatColumn, FloatColumn, FloatColumn, FloatColumn]:
        """Return Σ sum·sum, Σ sum·n, Σ n·sum and Σ n·n over the stretches of two tallies, at each moment."""
        mine, theirs = self._stretches(), other._stretches()
        ss, sn, ns, nn = (
            sums(block * block_other)[self._whole] + part * part_other
            for block, part in mine
            for block_other, part_other in theirs
        )
        return ss, sn, ns, nn

    def _stretches(self) -> tuple[tuple[FloatColumn, FloatColumn], ...]:
        return (self.block_sum, self.part_sum), (self.block_n, self.part_n)

    def spread(self, other: Tally) -> FloatColumn:
        """Return the covariance of two means, at each moment: Σ (sum - mean·n)(sum' - mean'·n') / n n'."""
        ss, sn, ns, nn = self._products(other)
        total: FloatColumn = ss - other.mean * sn - self.mean * ns + self.mean * other.mean * nn
        return _ratio(total, self.n * other.n)


def p_values(tally: Tally, base: Tally) -> FloatColumn:
    """Return at each moment the p-value of the mean of a tally against the mean of all bars; NaN for too few.

    The standard error is the one for clusters, as the means are ratios of sums over stretches.
    """
    variance = tally.spread(tally) - 2.0 * tally.spread(base) + base.spread(base)
    freedom = tally.stretches - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (tally.mean - base.mean) / np.sqrt(variance * tally.stretches / freedom)
    enough = (tally.n >= LEAST_OCCURRENCES) & (tally.stretches >= LEAST_OCCURRENCES) & (variance > 0.0)
    p = np.full(len(t), np.nan)
    p[enough] = two_sided(t[enough], freedom[enough])
    return p


def _ratio(above: FloatColumn, below: IntColumn) -> FloatColumn:
    ratio: FloatColumn = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return ratio


class Bootstrap:
    """Draws of stretches, the same for every pattern. Moments may not go back.

    Sums are kept in whole billionths, which are exact in any order: an interval does not depend on which others were
    asked for before.

    Args:
        outcomes: of all bars.
        tallies: of the patterns.
        seed: the same gives the same draws, however many stretches follow.
    """

    def __init__(self, outcomes: Outcomes, tallies: Sequence[Tally], seed: int) -> None:
        self._tallies = [*tallies, outcomes.total]
        self._whole = outcomes.whole
        self._random = np.random.default_rng((seed, outcomes.horizon))
        self._n = np.zeros((DRAWS, len(self._tallies)))
        self._sum = np.zeros((DRAWS, len(self._tallies)))
        self._block_n = np.stack([tally.block_n for tally in self._tallies], axis=1)
        self._block_sum = _fixed(np.stack([tally.block_sum for tally in self._tallies], axis=1))
        self._done = 0
        self._last = self._draw(1)[0]

    def interval(self, number: int, moment: int) -> tuple[float, float]:
        """Return the 95 % interval of the excess of a pattern over all bars.

        Args:
            number: place among the tallies.
            moment: place among the moments.
        """
        self._advance(int(self._whole[moment]))
        mean, base = self._mean(number, moment), self._mean(-1, moment)
        excess = mean - base
        ordered = np.sort(excess[np.isfinite(excess)])
        low, high = np.interp(_TAILS * (len(ordered) - 1), np.arange(len(ordered)), ordered)
        return float(low), float(high)

    def _mean(self, number: int, moment: int) -> FloatColumn:
        tally = self._tallies[number]
        n = self._n[:, number] + self._last * tally.part_n[moment]
        total = self._sum[:, number] + self._last * _fixed(tally.part_sum[moment])
        mean: FloatColumn = np.divide(total / _BILLION, n, out=np.full(DRAWS, np.nan), where=n > 0.0)
        return mean

    def _advance(self, whole: int) -> None:
        """Take in the stretches before ``whole``, and draw that one."""
        while self._done < whole:
            size = min(whole - self._done, _CHUNK)
            later = self._draw(size)
            weights = np.concatenate((self._last[None], later[:-1])).T
            rows = slice(self._done, self._done + size)
            self._n += weights @ self._block_n[rows]
            self._sum += weights @ self._block_sum[rows]
            self._last = later[-1]
            self._done += size

    def _draw(self, size: int) -> FloatColumn:
        weights: FloatColumn = _POISSON[self._random.integers(0, len(_POISSON), (size, DRAWS), np.uint16)]
        return weights


def _fixed(values: FloatColumn) -> FloatColumn:
    whole: FloatColumn = np.rint(values * _BILLION)
    return whole
