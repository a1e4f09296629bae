"""What came of a pattern before: forward returns after its past occurrences, beside those of all bars.

Everything is as of the close of a bar t: an occurrence at b counts for the horizon h only when b + h ≤ t, and so does
each bar of the base rate. What is said at t does not change with what comes later. How outcomes that overlap are kept
from faking precision is told in `stretches`; a dense overlap still makes the standard error 4 % too small.

Interval: bootstrap of stretches that do not overlap (E. Carlstein, *Annals of Statistics* 14 (1986), 1171-1179), the
pattern and the base rate with the same weights. The weights are Poisson(1), which is resampling for any number of
stretches (J. A. Hanley, B. MacGibbon, *Computer Methods and Programs in Biomedicine* 83 (2006), 57-62).

p-value: of Student's t against no excess, two-sided, with the standard error for clusters (A. C. Cameron, D. L.
Miller, *Journal of Human Resources* 50 (2015), 317-372) that the same stretches give.

q-value: over all patterns, directions and horizons that have a p-value at t; see `statistics.q_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.market.model import FloatColumn
from domain.signals.scanning.statistics import q_values
from domain.signals.scanning.stretches import LEAST_OCCURRENCES, Bootstrap, IntColumn, Outcomes, Tally, p_values


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The bars at which a pattern of a direction was complete, ascending.

    ``sign``: what it calls for: 1 a rise, -1 a fall; 1 for a neutral one.
    """

    pattern: str
    direction: str
    sign: int
    bar: IntColumn


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was known of patterns at bars; columns of shape (r, horizons), NaN where there is too little.

    ``n``: occurrences whose outcome was known. ``stretches``: how many independent stretches of time they lie in.
    ``mean``, ``median``: of their forward returns. ``share``: which part of them went the pattern's way.
    ``base_mean``, ``base_share``: the same of all bars. ``excess``: mean less base mean, ``low`` and ``high`` its
    95 % interval.
    """

    n: IntColumn
    stretches: IntColumn
    mean: FloatColumn
    median: FloatColumn
    share: FloatColumn
    base_mean: FloatColumn
    base_share: FloatColumn
    excess: FloatColumn
    low: FloatColumn
    high: FloatColumn
    p: FloatColumn
    q: FloatColumn


def gather(
    close: FloatColumn,
    occurrences: Sequence[Occurrences],
    horizons: Sequence[int],
    bar: IntColumn,
    which: IntColumn,
    *,
    seed: int = 0,
    each: Callable[[int], None] = lambda done: None,
) -> Evidence:
    """Return the evidence for ``occurrences[which]`` as of the close of ``bar``, row by row.

    Args:
        close: of n bars, above zero.
        occurrences: all patterns of the scan; q-values are over all of them.
        horizons: in bars, each at least 1.
        bar: r bars, ascending.
        which: r places among the occurrences.
        seed: of the bootstrap.
        each: called with the number of horizons done before each horizon; may raise to stop.
    """
    moments, moment = np.unique(bar, return_inverse=True)
    p = np.full((len(moments), len(occurrences), len(horizons)), np.nan)
    columns = []
    for place, horizon in enumerate(horizons):
        each(place)
        outcomes = Outcomes(close, horizon, moments)
        tallies = [Tally(occurred.bar, outcomes) for occurred in occurrences]
        for number, tally in enumerate(tallies):
            p[:, number, place] = p_values(tally, outcomes.total)
        signs = [occurred.sign for occurred in occurrences]
        columns.append(_rows(outcomes, tallies, signs, moment, which, Bootstrap(outcomes, tallies, seed)))
    q = q_values(p.reshape(len(moments), len(occurrences) * len(horizons))).reshape(p.shape)
    found = np.stack(columns, axis=2)
    return Evidence(
        n=found[0].astype(np.int64),
        stretches=found[1].astype(np.int64),
        mean=found[2],
        median=found[3],
        share=found[4],
        base_mean=found[5],
        base_share=found[6],
        excess=found[7],
        low=found[8],
        high=found[9],
        p=p[moment, which],
        q=q[moment, which],
    )


def _rows(
    outcomes: Outcomes,
    tallies: Sequence[Tally],
    signs: Sequence[int],
    moment: IntColumn,
    which: IntColumn,
    bootstrap: Bootstrap,
) -> FloatColumn:
    """Return the columns of `Evidence` for one horizon, in their order, without p and q: shape (10, r)."""
    found = np.full((10, len(which)), np.nan)
    bases = {sign: outcomes.share(sign) for sign in (1, -1)}
    for row, (at, number) in enumerate(zip(moment.tolist(), which.tolist(), strict=True)):
        tally, sign = tallies[number], signs[number]
        n, stretches = int(tally.n[at]), int(tally.stretches[at])
        found[:2, row] = n, stretches
        if outcomes.count[at] >= LEAST_OCCURRENCES:
            found[5:7, row] = outcomes.total.mean[at], bases[sign][at]
        if n < LEAST_OCCURRENCES:
            continue
        returns = tally.returns[:n]
        found[2:5, row] = tally.mean[at], np.median(returns), np.count_nonzero(returns * sign > 0.0) / n
        found[7, row] = tally.mean[at] - outcomes.total.mean[at]
        if stretches >= LEAST_OCCURRENCES:
            found[8:10, row] = bootstrap.interval(number, at)
    return found
