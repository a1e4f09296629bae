"""A strategy."""

from __future__ import annotations

from dataclasses import dataclass

from aitrader.api import Bars, FloatColumn


@dataclass
class AfterDownDayParams:
    """How much to hold, 0…1."""

    exposure: float = 1.0


class AfterDownDay:
    """Hold after a day that closed below its open."""

    name = "acme_after_down_day"
    title = "After a down day"
    params_type = AfterDownDayParams

    def targets(self, bars: Bars, params: AfterDownDayParams) -> FloatColumn:
        """Return the exposure after each close; value i looks at no later bar."""
        return (bars.close < bars.open) * params.exposure
