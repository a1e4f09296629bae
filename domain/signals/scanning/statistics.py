"""The tests behind the evidence: two-sided p-values of Student's t, and q-values of many tests at once."""

from __future__ import annotations

import numpy as np

from domain.market.model import FloatColumn


def two_sided(t: FloatColumn, freedom: FloatColumn) -> FloatColumn:
    """Return the p-values of t statistics; NaN stays NaN.

    Args:
        t: statistics, any shape.
        freedom: degrees of freedom, of the same shape.
    """
    from scipy.special import stdtr

    p: FloatColumn = 2.0 * stdtr(freedom, -np.abs(t))
    return p


def q_values(p: FloatColumn) -> FloatColumn:
    """Return along the last axis the least false discovery rate at which each test is a discovery.

    Y. Benjamini, Y. Hochberg, *Journal of the Royal Statistical Society* B 57 (1995), 289-300, times 1 + 1/2 + … +
    1/m for m tests, with which it holds however the tests depend on each other: Y. Benjamini, D. Yekutieli, *Annals
    of Statistics* 29 (2001), 1165-1188, theorem 1.3. NaN is no test, and stays NaN.
    """
    order = np.argsort(p, axis=-1)  # NaN last
    ranked = np.take_along_axis(p, order, axis=-1)
    ranks = np.arange(1, p.shape[-1] + 1)
    tests = np.count_nonzero(~np.isnan(p), axis=-1, keepdims=True)
    dependence = np.concatenate(([0.0], np.cumsum(1.0 / ranks)))[tests]
    # Each takes the least of all with its p-value or a larger one; fmin skips what is no test.
    least = np.fmin.accumulate((ranked * tests * dependence / ranks)[..., ::-1], axis=-1)[..., ::-1]
    q = np.empty_like(p)
    np.put_along_axis(q, order, np.minimum(least, 1.0), axis=-1)
    return np.where(np.isnan(p), np.nan, q)
