"""Testing a model only on what came after its training (López de Prado 2018, ch. 7: purging and embargo)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import Invalid
from domain.market.model import FloatColumn, TimeColumn

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fold:
    """Places of samples to train on, and of later ones to test on."""

    train: Places
    test: Places


def walk_forward(known: TimeColumn, decided: TimeColumn, *, folds: int, embargo_ms: int) -> list[Fold]:
    """Return folds of an expanding window: each block of time is tested by what was decided before it began.

    Args:
        known: when the features of each sample were known, milliseconds UTC; samples may be of many symbols.
        decided: when its label was decided.
        folds: how many blocks are tested; the block before the first is only trained on.
        embargo_ms: how long before a block a label must have been decided.

    Raises:
        Invalid: there are too few samples.
    """
    moments = np.unique(known)
    if len(moments) < 2 * (folds + 1):
        raise Invalid(
            f"{len(moments)} usable bars are too few for {folds} folds; import more, or ask for fewer folds",
            code="too_few_samples",
        )
    starts = moments[np.linspace(0, len(moments), folds + 2).astype(np.int64)[1:-1]]
    ends = np.append(starts[1:], moments[-1] + 1)
    found = []
    for start, end in zip(starts, ends, strict=True):
        train = np.flatnonzero(decided + embargo_ms < start)
        test = np.flatnonzero((known >= start) & (known < end))
        if not len(train):
            raise Invalid("the first fold has nothing to train on; ask for fewer folds", code="too_few_samples")
        found.append(Fold(train, test))
    return found


def uniqueness(known: TimeColumn, decided: TimeColumn) -> FloatColumn:
    """Return how much of each label is its own: the mean of 1 ÷ labels that are open, over its time (ibid., ch. 4).

    Args:
        known, decided: from when to when the label of each sample of *one* symbol is open; ``known`` ascends.
    """
    begins, ends = np.arange(len(known)), np.searchsorted(known, decided, side="right")
    ends = np.maximum(ends, begins + 1)
    steps = np.zeros(len(known) + 1)
    np.add.at(steps, begins, 1)
    np.add.at(steps, ends, -1)
    share = np.concatenate(([0.0], np.cumsum(1.0 / np.maximum(np.cumsum(steps)[:-1], 1.0))))
    whole: FloatColumn = (share[ends] - share[begins]) / (ends - begins)
    return whole
