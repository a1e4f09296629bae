"""A job type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aitrader.api import Isolation, JobContext, JobType, SymbolField, Timeframe


@dataclass
class UpDays:
    """What to count."""

    symbol: SymbolField


@dataclass
class UpDaysReport:
    """What was counted."""

    days: int
    up: int


class UpDaysJob(JobType):
    """Count the days that closed above the day before."""

    name = "acme_up_days"
    title = "Up days"
    payload_type = UpDays
    result_type = UpDaysReport
    isolation = Isolation.PROCESS
    needs = ("bars",)
    example: Mapping[str, Any] = {"symbol": "INDEX:SPX"}

    def run(self, context: JobContext, payload: UpDays) -> UpDaysReport:
        """Read the daily bars and count."""
        close = context.bars.read(payload.symbol, Timeframe.D1).close
        context.progress(0.5, "counting")
        return UpDaysReport(days=len(close) - 1, up=int((close[1:] > close[:-1]).sum()))
