"""Ports of research."""

from __future__ import annotations

from typing import Any, Protocol

from domain.market.model import Bars, FloatColumn


class Strategy(Protocol):
    """A rule that turns bars into target exposure. Registered by the hook ``aitrader_register_strategies``.

    ``params_type`` is a pydantic model or dataclass with defaults; its JSON Schema is published.
    """

    name: str
    title: str
    params_type: type[Any]

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        """Return the target exposure after each bar's close, −1 (all short) … 1 (all long), shape (n,).

        Value i may depend on bars 0…i only; the engine trades it at the open of bar i+1. No NaN.

        Raises:
            Invalid: the parameters contradict each other.
        """
        ...
