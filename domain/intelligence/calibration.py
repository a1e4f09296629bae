"""From what a model says to how often it is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from domain.intelligence.judging import Probabilities
from domain.intelligence.suggestions import CLASSES

Curves = Mapping[str, Sequence[Sequence[float]]]
"""Per class, two rows: raw probabilities, ascending, and the calibrated ones; monotone."""


def calibrated(raw: Probabilities, curves: Curves) -> Probabilities:
    """Return calibrated probabilities, one row for each of ``raw``; they add up to 1.

    Each class is read off its curve and the three are brought back to a sum of 1. Where all curves say 0, the raw
    probabilities stand. Without curves, too.
    """
    if not curves:
        return raw
    read = [np.interp(raw[:, place], curves[name][0], curves[name][1]) for place, name in enumerate(CLASSES)]
    found = np.column_stack(read)
    whole = found.sum(axis=1, keepdims=True)
    return np.where(whole > 0, found / np.where(whole > 0, whole, 1.0), raw)
