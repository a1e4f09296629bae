"""What a replay is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from domain.decisions.evidence import EVIDENCE
from domain.decisions.params import StrategyParams
from domain.market.model import Timeframe
from domain.market.synthetic import TICKS_PER_BAR
from domain.pipeline.records import RunRecord
from domain.pipeline.running import SIGNAL_TTL_MS

PAPER = "paper"


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """A run of the whole pipeline over the past, on a paper account of its own.

    Args:
        symbols: which ones. ``strategy`` decides on all of them.
        timeframe: of the stored bars that ticks are made of, and of the bars that candlesticks are found in.
        start_ms, end_ms: ticks within [start, end), milliseconds UTC; None from the first, and to the last.
        ticks_per_bar: how many ticks a bar becomes; at least 4.
        cash: what the account begins with, in ``currency``.
        account_options: options of the paper account, such as slippage, fees and its seed.
        signal_ttl_ms: how long a signal may be acted on.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    start_ms: int | None = None
    end_ms: int | None = None
    ticks_per_bar: int = TICKS_PER_BAR
    strategy: str = EVIDENCE
    engine: str = EVIDENCE
    params: StrategyParams = field(default_factory=StrategyParams)
    currency: str = "USD"
    cash: Decimal = Decimal(100_000)
    account_options: Mapping[str, Any] = field(default_factory=dict)
    signal_ttl_ms: int = SIGNAL_TTL_MS

    def to_json(self) -> dict[str, Any]:
        """Return what was asked for as JSON types."""
        return {
            "symbols": list(self.symbols),
            "timeframe": self.timeframe.value,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "ticks_per_bar": self.ticks_per_bar,
            "strategy": self.strategy,
            "engine": self.engine,
            "params": self.params.to_json(),
            "currency": self.currency,
            "cash": format(self.cash, "f"),
            "account_options": dict(self.account_options),
            "signal_ttl_ms": self.signal_ttl_ms,
        }


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay came to.

    Args:
        ticks: how many were run.
        equity: (milliseconds UTC, what the account was worth) at about two hundred moments and at the end.
        performance: as JSON types, of all fills, with that of each symbol under ``by_symbol``.
    """

    record: RunRecord
    ticks: int
    equity: list[tuple[int, float]]
    performance: dict[str, Any]

    def counts(self) -> dict[str, int]:
        """Return how much there is of everything."""
        record = self.record
        sizes = {name: len(getattr(record, name)) for name in ("signals", "decisions", "orders", "fills")}
        return {"ticks": self.ticks, **sizes}
