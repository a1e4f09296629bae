"""From stored bars to samples: features as of each close, and what came after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aitrader.api import (
    UNKNOWN,
    Bars,
    Dataset,
    FloatColumn,
    JobContext,
    Label,
    TimeColumn,
    Timeframe,
    barrier_of,
    feature_table,
    touches,
    uniqueness,
)

_MOMENTUM_BARS = 20


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one or many symbols; columns of equal length n.

    Args:
        features: shape (n, names).
        outcome: places in `CLASSES`.
        known, decided: when features and outcome were known, milliseconds UTC.
        weight: how much of its label is its own.
        buy, sell: return of a trade that follows, before costs.
        price, barrier: the close, and how far the barriers are from it.
        momentum: the sign of the last 20 bars' return, for the baseline.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    outcome: NDArray[np.int8]
    known: TimeColumn
    decided: TimeColumn
    weight: FloatColumn
    buy: FloatColumn
    sell: FloatColumn
    price: FloatColumn
    barrier: FloatColumn
    momentum: FloatColumn

    def __len__(self) -> int:
        return len(self.known)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Return some samples."""
        return Samples(self.names, *(column[which] for column in self._columns()))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        own = (self.features, self.outcome, self.known, self.decided, self.weight, self.buy, self.sell)
        return (*own, self.price, self.barrier, self.momentum)


def read_samples(
    context: JobContext,
    symbol: str,
    timeframe: Timeframe,
    label: Label,
    start_ms: int | None,
    end_ms: int | None,
) -> tuple[Dataset, Bars, Samples]:
    """Return the usable samples of a symbol whose bars open in the range and whose outcome is known."""
    dataset = context.bars.describe(symbol, timeframe)
    bars = context.bars.read(symbol, timeframe, end_ms=end_ms)
    until = int(bars.time[-1]) + timeframe.ms + 1 if len(bars) else 0
    sentiment = context.sentiment.columns(dataset.symbol, until_ms=until)
    table = feature_table(bars, timeframe, sentiment)
    distance = barrier_of(bars, label)
    after = touches(bars, label.horizon, distance)
    usable = np.arange(len(bars)) >= table.first
    usable &= (after.outcome != UNKNOWN) & (distance > 0)
    if start_ms is not None:
        usable &= bars.time >= start_ms
    at = np.flatnonzero(usable)
    closes = bars.time + timeframe.ms
    before = bars.close[np.maximum(at - _MOMENTUM_BARS, 0)]
    found = Samples(
        names=table.names,
        features=table.values[at],
        outcome=after.outcome[at],
        known=closes[at],
        decided=closes[after.exit_bar[at]],
        weight=uniqueness(closes[at], closes[after.exit_bar[at]]),
        buy=after.buy[at],
        sell=after.sell[at],
        price=bars.close[at],
        barrier=distance[at],
        momentum=np.sign(bars.close[at] - before),
    )
    return dataset, bars, found


def joined(parts: Sequence[Samples]) -> Samples:
    """Return the samples of many symbols in order of time."""
    columns = [np.concatenate(columns) for columns in zip(*(part._columns() for part in parts), strict=True)]
    order = np.argsort(columns[2], kind="stable")
    return Samples(parts[0].names, *(column[order] for column in columns))
