"""From ticks to signals: patterns in the ticks, and candlesticks of the bars that they make.

The same ticks give the same signals with the same ids: live, after a restart, and in a replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain.market.building import LiveBars
from domain.market.ticks import Tick
from domain.signals.candlestick_stream import CandlestickStream
from domain.signals.candlesticks import NEUTRAL_CANDLESTICKS
from domain.signals.pattern_engine import PatternEngine
from domain.signals.patterns import PatternHit, PatternRules

SOURCE = "pattern-engine"
# Reversals of two or three bars. One bar alone, or a pause in a trend, says too little to act on every minute.
LIVE_CANDLESTICKS = (
    "engulfing",
    "evening_star",
    "morning_star",
    "piercing",
    "dark_cloud_cover",
    "three_inside",
    "three_outside",
    "three_white_soldiers",
    "three_black_crows",
)
_CANDLESTICK_SCORE = 0.4


@dataclass(slots=True)
class _Ahead:
    """What was found in the ticks of a symbol before their turn, by place."""

    ticks: int
    found: dict[int, list[PatternHit]]
    told: int = 0


class Detector:
    """The patterns of many symbols. Not safe for threads.

    Args:
        rules: when a pattern in ticks is seen.
        bars: what the ticks become; it is fed here.
        candlesticks: which ones to look for in each bar that closed; keys of ``CANDLESTICKS``.
    """

    def __init__(
        self,
        rules: PatternRules | None = None,
        bars: LiveBars | None = None,
        candlesticks: Iterable[str] = LIVE_CANDLESTICKS,
    ) -> None:
        self.engine = PatternEngine(rules)
        self.bars = LiveBars() if bars is None else bars
        self._candlesticks = tuple(candlesticks)
        self._streams: dict[str, CandlestickStream] = {}
        self._ahead: dict[str, _Ahead] = {}

    def on_tick(self, tick: Tick) -> list[PatternHit]:
        """Take a tick in and return what is seen now."""
        symbol = tick.symbol
        closed = self.bars.update(symbol, tick.price, tick.volume, tick.time_ms)
        hits = self._hits(tick)
        return hits + self._on_close(symbol) if closed else hits

    def look_ahead(self, ticks: Sequence[Tick]) -> None:
        """Find the patterns of ticks that ``on_tick`` will be given next, all at once: the same ones, much faster.

        What is seen with a tick depends on it and those before it alone; it is told when its turn comes.
        """
        places: dict[str, list[int]] = {}
        for place, tick in enumerate(ticks):
            places.setdefault(tick.symbol, []).append(place)
        for symbol, mine in places.items():
            columns = zip(*((ticks[at].price, ticks[at].volume, ticks[at].time_ms) for at in mine), strict=True)
            found: dict[int, list[PatternHit]] = {}
            for place, hit in self.engine.on_ticks(symbol, *columns):
                found.setdefault(place, []).append(hit)
            self._ahead[symbol] = _Ahead(len(mine), found)

    def _hits(self, tick: Tick) -> list[PatternHit]:
        ahead = self._ahead.get(tick.symbol)
        if ahead is None:
            return self.engine.on_tick(tick.symbol, tick.price, tick.volume, tick.time_ms)
        hits = ahead.found.get(ahead.told, [])
        ahead.told += 1
        if ahead.told == ahead.ticks:
            del self._ahead[tick.symbol]
        return hits

    def _on_close(self, symbol: str) -> list[PatternHit]:
        """Return the candlesticks that the last closed bar of a symbol completes."""
        if not self._candlesticks:
            return []
        stream = self._streams.get(symbol)
        if stream is None:
            stream = self._streams[symbol] = CandlestickStream(self._candlesticks, self.bars.before_last(symbol))
        _, opened, high, low, close, _ = self.bars.last(symbol)
        return [
            PatternHit(name, _CANDLESTICK_SCORE if value > 0 else -_CANDLESTICK_SCORE, float(value))
            for name, value in stream.update(opened, high, low, close)
            if name not in NEUTRAL_CANDLESTICKS
        ]

    def __len__(self) -> int:
        return len(self.engine)

    def _shape(self) -> dict[str, Any]:
        shape = {"rules": asdict(self.engine.rules), "timeframe": self.bars.timeframe.value}
        return {**shape, "candlesticks": list(self._candlesticks)}

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON types, exact."""
        return {"shape": self._shape(), "patterns": self.engine.dump(), "bars": self.bars.dump()}

    def load(self, state: Mapping[str, Any]) -> bool:
        """Go on from what was dumped; return False, and change nothing, when that was under other rules."""
        if state.get("shape") != self._shape():
            return False
        self.engine = PatternEngine.load(self.engine.rules, state["patterns"])
        self.bars.load(state["bars"])
        self._streams.clear()  # they go on from the bars
        return True


def signal_data(tick: Tick, hit: PatternHit, ttl_ms: int) -> dict[str, Any]:
    """Return the signal of a pattern, as JSON types: what ``parse_signal`` reads."""
    return {
        "id": f"{tick.symbol}-{hit.pattern}-{tick.time_ms}",
        "symbol": tick.symbol,
        "score": hit.score,
        "pattern": hit.pattern,
        "timestamp": tick.time_ms / 1000,
        "ttl_ms": ttl_ms,
        "source": SOURCE,
        "meta": {"value": hit.value, "price": tick.price},
    }
