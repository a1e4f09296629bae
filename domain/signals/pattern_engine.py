"""The patterns of many symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domain.signals.patterns import PatternHit, PatternRules, SymbolPatterns


class PatternEngine:
    """The patterns of many symbols. Not safe for threads.

    Args:
        rules: when a pattern is seen; the same for all symbols.
    """

    def __init__(self, rules: PatternRules | None = None) -> None:
        self.rules = rules or PatternRules()
        self._symbols: dict[str, SymbolPatterns] = {}

    def on_tick(self, symbol: str, price: float, volume: float, time_ms: int) -> list[PatternHit]:
        """Take a tick in and return what is seen now."""
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = SymbolPatterns(self.rules)
        return known.update(price, volume, time_ms)

    def on_ticks(
        self, symbol: str, prices: Sequence[float], volumes: Sequence[float], times: Sequence[int]
    ) -> list[tuple[int, PatternHit]]:
        """Take many ticks of a symbol in at once; return (place of the tick, what is seen with it).

        It gives what ``on_tick`` gives, about a hundred times as fast, after some seconds on first use.
        """
        from domain.signals.patterns_batch import update_many  # its compiler takes half a second to import

        known = self._symbols.get(symbol) or SymbolPatterns(self.rules)
        columns = np.array(prices, np.float64), np.array(volumes, np.float64), np.array(times, np.int64)
        state, hits = update_many(self.rules, known.dump(), *columns)
        self._symbols[symbol] = SymbolPatterns.load(self.rules, state)
        return hits

    def __len__(self) -> int:
        return len(self._symbols)

    def dump(self) -> dict[str, Any]:
        """Return the state of all symbols as JSON types."""
        return {symbol: known.dump() for symbol, known in self._symbols.items()}

    @classmethod
    def load(cls, rules: PatternRules, state: Mapping[str, Any]) -> PatternEngine:
        """Return what was dumped, under the same rules."""
        engine = cls(rules)
        engine._symbols = {symbol: SymbolPatterns.load(rules, known) for symbol, known in state.items()}
        return engine
