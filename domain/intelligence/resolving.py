"""Finding out what came of suggestions, once their bars are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.common.errors import AITraderError
from domain.intelligence.barriers import UNKNOWN, touches
from domain.intelligence.suggestions import CLASSES, Resolution, Suggestion
from domain.intelligence.work import IntelligenceWork
from domain.market.model import Bars, Timeframe
from domain.market.ports import BarStore

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ResolveSuggestions:
    """Look at the bars that came after each suggestion and store what came of it.

    A suggestion is resolved when its whole horizon has passed, also where a barrier was touched before: else the
    scorecard would count quick ends first, and be wrong until the slow ones are in.
    """

    unit_of_work: Callable[[], IntelligenceWork]
    read_work: Callable[[], IntelligenceWork]
    bars: BarStore

    def __call__(self) -> int:
        """Resolve what can be; return how many.

        Raises:
            Unavailable: the database did not answer.
        """
        after, count = None, 0
        while True:
            with self.read_work() as work:
                waiting = work.suggestions.unresolved(after, _AT_ONCE)
            if not waiting:
                return count
            after = waiting[-1].id
            found = self._resolve(waiting)
            if found:
                with self.unit_of_work() as work:
                    count += work.suggestions.resolve(found)
                    work.commit()

    def _resolve(self, waiting: Sequence[Suggestion]) -> list[Resolution]:
        by_bars: dict[tuple[str, str], list[Suggestion]] = {}
        for item in waiting:
            by_bars.setdefault((item.symbol, item.timeframe), []).append(item)
        found = []
        for (symbol, timeframe), items in by_bars.items():
            bars = self._later(symbol, Timeframe(timeframe), min(item.as_of for item in items))
            if bars is not None:
                found += [told for item in items if (told := resolution(item, bars)) is not None]
        return found

    def _later(self, symbol: str, timeframe: Timeframe, oldest: int) -> Bars | None:
        """Return the bars from the one that closed at ``oldest`` on; None where there are no later ones."""
        try:
            if self.bars.describe(symbol, timeframe).last_ms < oldest:
                return None
            return self.bars.read(symbol, timeframe, start_ms=oldest - timeframe.ms)
        except AITraderError:
            return None  # its bars were removed, or are being replaced: asked again next time


def resolution(item: Suggestion, bars: Bars) -> Resolution | None:
    """Return what came of a suggestion; None while its horizon has not passed.

    Args:
        item: the suggestion.
        bars: of its symbol and timeframe; with the bar that closed at ``as_of``.
    """
    opened = item.as_of - Timeframe(item.timeframe).ms
    at = int(np.searchsorted(bars.time, opened))
    if at >= len(bars) or int(bars.time[at]) != opened:
        return None
    mine = bars.take(slice(at, at + item.horizon + 1))
    after = touches(mine, item.horizon, np.full(len(mine), item.barrier))
    if not len(mine) or after.outcome[0] == UNKNOWN:
        return None
    gained = {"buy": after.buy[0], "sell": after.sell[0]}.get(item.action)
    return Resolution(item.id, CLASSES[int(after.outcome[0])], None if gained is None else float(gained))
