"""Suggestions, and what came of them. Times are milliseconds UTC; prices are in the instrument's currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.common.time import rfc3339


class Outcome(StrEnum):
    """Which barrier was touched first after a suggestion: the upper, the lower, or none until the horizon."""

    DOWN = "down"
    FLAT = "flat"
    UP = "up"


# The classes of our models, in the order of the columns of their output.
CLASSES = tuple(item.value for item in Outcome)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a model makes of a symbol at one moment, with the evidence for it. Never an order.

    Args:
        as_of: close of the last bar that was looked at.
        action: ``buy``, ``sell`` or ``hold``.
        probability: calibrated probability of the outcome that the action hopes for: up, down, or flat for a hold.
        probabilities: calibrated probability of each outcome.
        horizon: bars after ``as_of`` until the question is closed.
        entry: the close at ``as_of``; ``stop`` and ``target`` are where a trade would be wrong, and has paid.
        quantity: decimal text; how much the account may risk on it; None where that is not known.
        expected_r: probability-weighted gain in units of the distance to the stop, costs not counted.
        in_sample: the model was trained on bars of that time: it says nothing about how good it is.
        backfilled: later bars were there already when it was made: it was no forecast.
        beats_baselines: whether its model was better than its baselines out of sample; ``note`` says it in words.
        contributions: ``{feature, value, contribution}``: how much a feature moves the probability of the action's
            outcome away from what it is at the feature's typical value; the strongest first.
        evidence: patterns and sentiment as they were known then.
        outcome, outcome_return, resolved_at: what came of it; None until its bars are there. The return is that of
            the action, entered at the next open, as a fraction before costs; None for a hold.
    """

    id: str
    symbol: str
    timeframe: str
    model_id: str
    model: str
    as_of: int
    action: str
    probability: float
    probabilities: dict[str, float]
    base_rates: dict[str, float]
    horizon: int
    barrier: float
    entry: float
    stop: float | None
    target: float | None
    quantity: str | None
    account: str | None
    currency: str
    expected_r: float | None
    in_sample: bool
    backfilled: bool
    beats_baselines: bool
    note: str
    contributions: list[dict[str, Any]] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    user_id: str = ""
    job_id: str | None = None
    created_at: int = 0
    outcome: str | None = None
    outcome_return: float | None = None
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class SuggestionFilter:
    """Which suggestions to list. None means any."""

    user_id: str
    symbol: str | None = None
    model_id: str | None = None
    action: str | None = None
    since_ms: int | None = None
    resolved: bool | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of a suggestion."""

    suggestion_id: str
    outcome: str
    outcome_return: float | None


def suggestion_view(suggestion: Suggestion) -> dict[str, Any]:
    """Return a suggestion as JSON types."""
    return {
        "id": suggestion.id,
        "symbol": suggestion.symbol,
        "timeframe": suggestion.timeframe,
        "as_of": rfc3339(suggestion.as_of),
        "action": suggestion.action,
        "probability": suggestion.probability,
        "probabilities": suggestion.probabilities,
        "base_rates": suggestion.base_rates,
        "horizon": suggestion.horizon,
        "entry": suggestion.entry,
        "stop": suggestion.stop,
        "target": suggestion.target,
        "quantity": suggestion.quantity,
        "account": suggestion.account,
        "currency": suggestion.currency,
        "expected_r": suggestion.expected_r,
        "model": {"id": suggestion.model_id, "name": suggestion.model},
        "beats_baselines": suggestion.beats_baselines,
        "note": suggestion.note,
        "in_sample": suggestion.in_sample,
        "backfilled": suggestion.backfilled,
        "contributions": suggestion.contributions,
        "evidence": suggestion.evidence,
        "outcome": suggestion.outcome,
        "outcome_return": suggestion.outcome_return,
        "resolved_at": None if suggestion.resolved_at is None else rfc3339(suggestion.resolved_at),
        "job_id": suggestion.job_id,
        "created_at": rfc3339(suggestion.created_at),
    }
