"""Bars without files: a store in memory, random prices, and prices drawn by hand."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import NotFound
from domain.market.model import Bars, Dataset, Session, Timeframe, parse_symbol
from domain.market.validation import check_bars

_START_MS = 1_577_923_200_000  # 2020-01-02T00:00:00Z


class MemoryBarStore:
    """A ``BarStore`` that forgets everything with the process. Stored columns are copies and read-only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, Timeframe], tuple[Dataset, Bars]] = {}

    def write(
        self,
        symbol: str,
        timeframe: Timeframe,
        bars: Bars,
        *,
        session: Session = Session.EXCHANGE,
        currency: str = "USD",
        source: str = "",
    ) -> Dataset:
        """Replace what is stored; ``imported_ms`` is always 0.

        Raises:
            Invalid: the text is no symbol, or the bars are empty, unsorted, duplicated, not finite, or high/low
                contradict open/close.
        """
        symbol = parse_symbol(symbol)
        check_bars(bars)
        kept = Bars(*(_frozen(column) for column in bars.columns()))
        dataset = Dataset(
            symbol=symbol,
            timeframe=timeframe,
            session=session,
            currency=currency.upper(),
            rows=len(kept),
            first_ms=int(kept.time[0]),
            last_ms=int(kept.time[-1]),
            source=source,
            imported_ms=0,
            data_hash=kept.data_hash(),
        )
        with self._lock:
            self._stored[symbol, timeframe] = dataset, kept
        return dataset

    def read(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Bars:
        """Return bars with start_ms ≤ time < end_ms.

        Raises:
            Invalid: the text is no symbol.
            NotFound: nothing is stored for this symbol and timeframe.
        """
        return self._entry(symbol, timeframe)[1].slice(start_ms, end_ms)

    def describe(self, symbol: str, timeframe: Timeframe) -> Dataset:
        """Return what is stored, without the bars.

        Raises:
            Invalid: the text is no symbol.
            NotFound: nothing is stored for this symbol and timeframe.
        """
        return self._entry(symbol, timeframe)[0]

    def list(self) -> list[Dataset]:
        """Return every dataset, ordered by symbol, then by length of timeframe."""
        with self._lock:
            datasets = [dataset for dataset, _ in self._stored.values()]
        return sorted(datasets, key=lambda dataset: (dataset.symbol, dataset.timeframe.ms))

    def _entry(self, symbol: str, timeframe: Timeframe) -> tuple[Dataset, Bars]:
        symbol = parse_symbol(symbol)
        with self._lock:
            entry = self._stored.get((symbol, timeframe))
        if entry is None:
            raise NotFound(
                f"there are no {timeframe} bars of {symbol}; import them with"
                f" `aitrader data import FILE --symbol {symbol} --timeframe {timeframe}`",
                code="no_bars",
            )
        return entry


def random_bars(n: int, seed: int = 0, timeframe: Timeframe = Timeframe.D1, *, start_price: float = 100.0) -> Bars:
    """Return ``n`` valid bars of a random walk from 2020-01-02 UTC, without gaps; the same every time.

    A day moves by about 1.2 %, shorter and longer bars by the square root of their length.
    """
    random = np.random.default_rng(seed)
    days = timeframe.ms / Timeframe.D1.ms
    size = days**0.5
    close = start_price * np.exp(np.cumsum(random.normal(0.0003 * days, 0.012 * size, n)))
    before = np.concatenate(([start_price], close[:-1]))[:n]
    opened = before * np.exp(random.normal(0.0, 0.003 * size, n))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0.0, 0.005 * size, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(0.0, 0.005 * size, n)))
    volume = random.integers(1_000, 1_000_000, n).astype(np.float64)
    time = _START_MS + np.arange(n, dtype=np.int64) * timeframe.ms
    return Bars(time, opened, high, low, close, volume)


def bars_through(
    turns: Sequence[tuple[int, float]], timeframe: Timeframe = Timeframe.D1, *, wick: float = 0.25
) -> Bars:
    """Return bars whose closes go straight from one turning point to the next, to draw a pattern by hand.

    Args:
        turns: (number of the bar, close), from bar 0 on, ascending.
        wick: how far each bar reaches above its open and close, and below.
    """
    places, prices = zip(*turns, strict=True)
    close = np.interp(np.arange(places[-1] + 1), places, prices)
    opened = np.concatenate((close[:1], close[:-1]))
    time = _START_MS + np.arange(len(close), dtype=np.int64) * timeframe.ms
    high, low = np.maximum(opened, close) + wick, np.minimum(opened, close) - wick
    return Bars(time, opened, high, low, close, np.ones(len(close)))


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    copy = column.copy()
    copy.flags.writeable = False
    return copy
