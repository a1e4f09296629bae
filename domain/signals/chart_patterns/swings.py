"""Turning points: a zigzag whose reversals are measured in average true ranges.

An extreme is a turning point only from the close on that has come back far enough from it; ``Swings.known`` is that
bar. What is known at a bar does not change later. The state of the zigzag is a function of all bars before: two that
begin at different bars usually agree after some turning points, but nothing promises it, so read from the first bar.
"""

from __future__ import annotations

import numpy as np

from domain.signals.chart_patterns.model import Floats, Swings


def average_true_range(high: Floats, low: Floats, close: Floats, span: int) -> Floats:
    """Return the simple mean of the last ``span`` true ranges, shape (n,); NaN at the first ``span`` bars.

    True range: J. W. Wilder, *New Concepts in Technical Trading Systems* (1978). A simple mean, unlike Wilder's own
    smoothing, forgets: two series with the same last ``span`` + 1 bars have the same.
    """
    from domain.signals.chart_patterns import kernels  # numba is costly to import

    out = np.empty(len(close))
    kernels.average_true_range(high, low, close, span, out)
    return out


def find_swings(high: Floats, low: Floats, close: Floats, atr: Floats, reversal: float) -> Swings:
    """Return the turning points of bars.

    Args:
        high, low, close: of closed bars, ascending, shape (n,).
        atr: their average true range, shape (n,).
        reversal: how far a close must come back from an extreme, in ATR.
    """
    from domain.signals.chart_patterns import kernels

    bar, known, kind = (np.empty(len(close), np.int64) for _ in range(3))
    price = np.empty(len(close))
    count = kernels.zigzag(high, low, close, atr, reversal, bar, known, price, kind)
    return Swings(bar[:count], known[:count], price[:count], kind[:count])
