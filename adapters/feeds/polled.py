"""Prices that are asked for again and again, where a broker tells none by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.market.ports import StopSignal
from domain.market.ticks import Tick
from domain.trading.brokerage import Quote


class PolledFeed:
    """``MarketFeed`` over a broker's last prices. A price that is no newer than the one before it is no tick.

    Args:
        prices: asks for all symbols; ``volume`` is that of the day so far, so that a tick has what was traded since.
        pause_s: between questions.
    """

    name = "broker"

    def __init__(self, prices: Callable[[], Sequence[Quote]], pause_s: float) -> None:
        self._prices = prices
        self._pause_s = pause_s
        self._known: dict[str, Quote] = {}

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        """Hand ticks over until told to stop.

        Raises:
            Unavailable: the broker did not answer.
        """
        while not stop.is_set():
            ticks = [tick for quote in self._prices() if (tick := self._tick(quote)) is not None]
            if ticks:
                on_ticks(ticks)
            stop.wait(self._pause_s)

    def _tick(self, quote: Quote) -> Tick | None:
        before = self._known.get(quote.symbol)
        if before is not None and before.time_ms >= quote.time_ms:
            return None
        self._known[quote.symbol] = quote
        return Tick(quote.symbol, float(quote.price), _traded_since(before, quote), quote.time_ms)


def _traded_since(before: Quote | None, now: Quote) -> float:
    """Return the volume between two prices; 0 where that is not known, as for the first, or over midnight."""
    if before is None or before.volume is None or now.volume is None:
        return 0.0
    return max(0.0, float(now.volume - before.volume))
