"""What can be set about a strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.market.model import Timeframe


@dataclass(frozen=True, slots=True)
class StrategyParams:
    """How evidence becomes an action, and an action a size.

    Args:
        pattern_weight, sentiment_weight, strategy_weight: what each kind of evidence counts. Evidence that is missing
            counts as none: the weights are not stretched over the rest.
        threshold: how strong the combined evidence must be, 0 … 1.
        timeframe: of the bars that volatility is measured on.
        risk_fraction: share of equity that is lost when the stop is hit.
        stop_atr: distance of the stop in average true ranges.
        default_stop: distance of the stop as a share of the price, where no bars tell a range.
        reward_ratio: distance of the target in units of the stop's.
        max_position: greatest value of the position as a share of equity.
        allow_short: whether a sell may open a position.
        fractional: whether quantities may have decimal places; else whole units.
        decision_ttl_ms: how long a decision may be acted on.
    """

    pattern_weight: float = 0.6
    sentiment_weight: float = 0.3
    strategy_weight: float = 0.1
    threshold: float = 0.2
    timeframe: Timeframe = Timeframe.D1
    risk_fraction: float = 0.01
    stop_atr: float = 2.0
    default_stop: float = 0.02
    reward_ratio: float = 2.0
    max_position: float = 0.2
    allow_short: bool = False
    fractional: bool = False
    decision_ttl_ms: int = 60_000

    @property
    def weights(self) -> dict[str, float]:
        """What each kind of evidence counts, by the names of the wire."""
        return {
            "pattern": self.pattern_weight,
            "sentiment": self.sentiment_weight,
            "strategy": self.strategy_weight,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as JSON types."""
        return {**asdict(self), "timeframe": self.timeframe.value}


# (least, most) of each number; the least of a distance is above zero.
RANGES: dict[str, tuple[float, float]] = {
    "pattern_weight": (0, 1),
    "sentiment_weight": (0, 1),
    "strategy_weight": (0, 1),
    "threshold": (0, 1),
    "risk_fraction": (0.0001, 0.5),
    "stop_atr": (0.1, 100),
    "default_stop": (0.0001, 0.5),
    "reward_ratio": (0.1, 100),
    "max_position": (0.001, 10),
    "decision_ttl_ms": (1, 86_400_000),
}


def parse_params(values: Mapping[str, Any], base: StrategyParams | None = None) -> StrategyParams:
    """Return parameters with those of ``values`` replaced.

    Raises:
        Invalid: an unknown name or a bad value; fields start with ``params.``.
    """
    known = {item.name for item in fields(StrategyParams)}
    problems = [FieldError(f"params.{name[:64]}", "is not known") for name in values if name not in known]
    found = {name: value for name, value in values.items() if name in known}
    problems += [problem for name, value in found.items() if (problem := _problem(name, value)) is not None]
    if problems:
        first = f"{problems[0].field} {problems[0].message}"
        raise Invalid(f"the strategy is not valid: {first}", code="invalid_strategy", errors=problems)
    if "timeframe" in found:
        found["timeframe"] = Timeframe(found["timeframe"])
    return replace(base or StrategyParams(), **found)


def _problem(name: str, value: Any) -> FieldError | None:
    path = f"params.{name}"
    if name == "timeframe":
        words = [item.value for item in Timeframe]
        return None if value in words else FieldError(path, f"must be one of: {', '.join(words)}")
    if name in ("allow_short", "fractional"):
        return None if isinstance(value, bool) else FieldError(path, "must be true or false")
    least, most = RANGES[name]
    whole = name == "decision_ttl_ms"
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if right and math.isfinite(value) and least <= value <= most:
        return None
    return FieldError(path, f"must be {'an integer' if whole else 'a number'} from {least:g} to {most:g}")
