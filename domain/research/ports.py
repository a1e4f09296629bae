"""Ports of research."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

from domain.market.model import Bars, FloatColumn
from domain.research.sentiment import Decay, SentimentAtBars


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


class SentimentStrategy(Strategy, Protocol):
    """A strategy that also looks at what was written about the symbol.

    Backtests call ``targets_with`` in the place of ``targets``, which has nothing to go by and should raise Invalid.
    """

    needs_sentiment: bool
    """True. What lacks it, is an ordinary strategy."""

    def decay(self, params: Any) -> Decay:
        """Return how fast texts are to be forgotten."""
        ...

    def targets_with(self, bars: Bars, sentiment: SentimentAtBars, params: Any) -> FloatColumn:
        """Return the target exposure after each bar's close, as ``targets`` does.

        Args:
            bars: n bars.
            sentiment: as of the close of each bar: of texts that were available then or before.
            params: of ``params_type``.

        Raises:
            Invalid: the parameters contradict each other.
        """
        ...


def needs_sentiment(strategy: Strategy) -> TypeGuard[SentimentStrategy]:
    """Return whether a strategy looks at sentiment."""
    return bool(getattr(strategy, "needs_sentiment", False))
