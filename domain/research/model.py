"""What a backtest leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

BacktestKind = Literal["single", "sweep_point", "walk_forward"]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One row of ``backtest_results``.

    Written in the transaction that ends the job; ``step`` makes it unique within the job.
    ``start_ms`` and ``end_ms`` are the opens of the first and last bar used, milliseconds UTC.
    ``metrics`` follow the definitions in docs/metrics.md; undefined ones are None.
    """

    strategy: str
    params: dict[str, Any]
    symbols: list[str]
    timeframe: str
    start_ms: int
    end_ms: int
    metrics: dict[str, float | None]
    data_hash: str
    code_version: str
    kind: BacktestKind = "single"
    step: str = ""
    seed: int | None = None
    trials: int = 1
    artifacts: list[str] = field(default_factory=list)
