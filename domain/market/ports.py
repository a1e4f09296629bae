"""The market data store port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from domain.market.model import Bars, Dataset, Session, Timeframe
from domain.market.ticks import Tick


class StopSignal(Protocol):
    """Says when to stop; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Return whether to stop now."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is time to stop, or for so many seconds; return ``is_set()``."""
        ...


class MarketFeed(Protocol):
    """Where ticks come from. ``name`` is the source that quotes name."""

    name: str

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        """Hand ticks over, those of a symbol in the order of their times, until told to stop or at the end.

        Called by one thread, which ``on_ticks`` runs in. Called again after an error, it goes on as well as it can.

        Raises:
            Unavailable: the source does not answer.
            Invalid, NotFound: the source does not have what was asked of it.
        """
        ...


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
