"""How good labels are: F1 per polarity, their mean, and how sure that mean is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.intelligence.sentiment import Polarity

_RESAMPLES = 1000
_ORDER = tuple(Polarity)

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one polarity, and how many texts have it."""

    precision: float
    recall: float
    f1: float
    texts: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What labels are worth on a set of texts.

    Args:
        texts: how many there are.
        accuracy: the part that is right.
        macro_f1: the mean of the three F1.
        low, high: the 95 % bootstrap interval of ``macro_f1`` over the texts.
        classes: the figures of each polarity.
    """

    texts: int
    accuracy: float
    macro_f1: float
    low: float
    high: float
    classes: dict[str, ClassFigures]


def evaluate(truth: Sequence[Polarity], said: Sequence[Polarity], *, seed: int = 0) -> Figures:
    """Return the figures of what was said, against the truth; one item at least."""
    pairs = np.array([3 * _ORDER.index(a) + _ORDER.index(b) for a, b in zip(truth, said, strict=True)])
    counts = _counts(pairs)
    precision, recall, f1 = _scores(counts)
    draw = np.random.default_rng(seed)
    means = [_scores(_counts(draw.choice(pairs, len(pairs))))[2].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    classes = {
        name.value: ClassFigures(float(precision[i]), float(recall[i]), float(f1[i]), int(counts[i].sum()))
        for i, name in enumerate(_ORDER)
    }
    accuracy = float(np.trace(counts) / len(pairs))
    return Figures(len(pairs), accuracy, float(f1.mean()), float(low), float(high), classes)


def macro_f1(truth: Sequence[Polarity], said: Sequence[Polarity]) -> float:
    """Return the mean of the F1 of the three polarities."""
    pairs = np.array([3 * _ORDER.index(a) + _ORDER.index(b) for a, b in zip(truth, said, strict=True)])
    return float(_scores(_counts(pairs))[2].mean())


def _counts(pairs: Counts) -> Counts:
    return np.bincount(pairs, minlength=9).reshape(3, 3)


def _scores(counts: Counts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return precision, recall and F1 per class; 0 where nothing was said or is true."""
    right = np.diag(counts)
    said, true = counts.sum(0), counts.sum(1)
    precision = right / np.maximum(said, 1)
    recall = right / np.maximum(true, 1)
    return precision, recall, 2 * right / np.maximum(said + true, 1)
