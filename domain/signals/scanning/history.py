"""The evidence for the hits that are listed, and for every pattern at the end of the range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.market.model import FloatColumn
from domain.signals.scanning.evidence import Evidence, Occurrences, gather
from domain.signals.scanning.scan import PatternHits
from domain.signals.scanning.stretches import IntColumn

_DIRECTIONS = {-1: "bearish", 0: "neutral", 1: "bullish"}


@dataclass(frozen=True, slots=True)
class PatternHistory:
    """Evidence row by row: first of the listed hits, oldest first, then of each pattern at the last bar.

    ``occurrences``: every pattern and direction that occurred, by name. ``bar`` and ``which``: as of which bar, and
    which of the occurrences, a row is. ``hits``: how many rows are of hits.
    """

    horizons: tuple[int, ...]
    occurrences: tuple[Occurrences, ...]
    bar: IntColumn
    which: IntColumn
    hits: int
    evidence: Evidence


def pattern_history(
    close: FloatColumn,
    hits: PatternHits,
    listed: int,
    horizons: Sequence[int],
    *,
    seed: int = 0,
    each: Callable[[int], None] = lambda done: None,
) -> PatternHistory:
    """Return the evidence for the last ``listed`` hits, and for all patterns.

    Args:
        close: of all bars up to the end of the range.
        hits: in all of these bars.
        horizons: in bars.
        seed, each: see `gather`.
    """
    # Patterns in order of name, each bearish, neutral, bullish.
    keys, group = np.unique(hits.pattern * 3 + hits.signs() + 1, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(keys) + 1))
    occurrences = tuple(
        _occurrences(hits, int(key), order[start:end])
        for key, start, end in zip(keys, starts[:-1], starts[1:], strict=True)
    )
    first = len(hits) - listed
    last = np.full(len(keys), len(close) - 1)
    bar, which = np.concatenate((hits.bar[first:], last)), np.concatenate((group[first:], np.arange(len(keys))))
    evidence = gather(close, occurrences, horizons, bar, which, seed=seed, each=each)
    return PatternHistory(tuple(horizons), occurrences, bar, which, listed, evidence)


def _occurrences(hits: PatternHits, key: int, rows: IntColumn) -> Occurrences:
    pattern, sign = divmod(key, 3)
    return Occurrences(hits.names[pattern], _DIRECTIONS[sign - 1], -1 if sign == 0 else 1, hits.bar[rows])
