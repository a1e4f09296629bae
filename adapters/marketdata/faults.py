"""Collects what is wrong with the cells of a file, row by row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from domain.market.validation import MAX_LISTED, Mask, RowProblem, Rows


class Faults:
    """The bad cells of one file: a mask over its rows, a count, and the first few in words."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.bad: Mask = np.zeros(len(rows), dtype=np.bool_)
        self.total = 0
        self.problems: list[RowProblem] = []

    def add(self, broken: Mask, field: str, message: Callable[[int], str]) -> None:
        """Note that the cells of ``field`` in ``broken`` rows are bad; ``message`` words one by its position."""
        found = np.flatnonzero(broken)
        self.bad |= broken
        self.total += len(found)
        self.problems += [RowProblem(int(self._rows[i]), field, message(int(i))) for i in found[:MAX_LISTED]]
