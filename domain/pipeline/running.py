"""What happens with each tick. Live feeds and replays drive the same object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from domain.market.building import LiveBars
from domain.market.ticks import Tick
from domain.signals.detecting import Detector, signal_data
from domain.signals.model import Signal
from domain.signals.parsing import Sender, parse_signal
from domain.trading.brokerage import Quote

SIGNAL_TTL_MS = 60_000


class TickPipeline:
    """Shows each tick as a quote, builds bars, finds patterns, and hands their signals on. Not safe for threads.

    The quote comes first: resting orders trade at the price that a strategy then decides on.

    Args:
        bars: of the ticks.
        detector: finds patterns, over the same bars; None where another program does.
        show: makes a price known.
        take: acts on a signal.
        sender: whose signals they are, and when they come in.
        source: the feed, as quotes name it.
        ttl_ms: how long a signal may be acted on.
    """

    def __init__(
        self,
        *,
        bars: LiveBars,
        detector: Detector | None,
        show: Callable[[Quote], object],
        take: Callable[[Signal], object],
        sender: Callable[[], Sender],
        source: str,
        ttl_ms: int = SIGNAL_TTL_MS,
    ) -> None:
        self._bars = bars
        self._detector = detector
        self._show = show
        self._take = take
        self._sender = sender
        self._source = source
        self._ttl_ms = ttl_ms

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Take ticks in, in their order."""
        for tick in ticks:
            self.on_tick(tick)

    def on_tick(self, tick: Tick) -> None:
        """Take a tick in."""
        self._show(quote_of_tick(tick, self._source))
        if self._detector is None:
            self._bars.update(tick.symbol, tick.price, tick.volume, tick.time_ms)
            return
        for hit in self._detector.on_tick(tick):
            self._take(parse_signal(signal_data(tick, hit, self._ttl_ms), self._sender()))


def quote_of_tick(tick: Tick, source: str) -> Quote:
    """Return the price of a tick, with the digits that it was written with."""
    volume = Decimal(repr(tick.volume)) if tick.volume else None
    return Quote(tick.symbol, Decimal(repr(tick.price)), tick.time_ms, volume=volume, source=source)
