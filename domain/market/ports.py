"""The market data store port."""

from __future__ import annotations

from typing import Protocol

from domain.market.model import Bars, Dataset, Session, Timeframe


class BarStore(Protocol):
    """Keeps bars. Called from any thread and from several processes; a reader never sees half a write."""

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
        """Replace what is stored for ``symbol`` and ``timeframe``, durably, whole or not at all.

        Raises:
            Invalid: the bars are empty, unsorted, duplicated, not finite, or high/low contradict open/close.
        """
        ...

    def read(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Bars:
        """Return bars with start_ms ≤ time < end_ms.

        Raises:
            NotFound: nothing is stored for this symbol and timeframe; the message names the import command.
        """
        ...

    def describe(self, symbol: str, timeframe: Timeframe) -> Dataset:
        """Return what is stored, without reading the bars.

        Raises:
            NotFound: nothing is stored for this symbol and timeframe.
        """
        ...

    def list(self) -> list[Dataset]:
        """Return every dataset, ordered by symbol, then by length of timeframe."""
        ...
