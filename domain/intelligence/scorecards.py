"""What became of suggestions, and what that says of the model that made them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from domain.intelligence.judging import brier, reliability, skill
from domain.intelligence.suggestions import CLASSES, Suggestion
from domain.intelligence.work import IntelligenceWork

FORECAST, BACKFILLED, IN_SAMPLE = "forecast", "backfilled", "in_sample"


@dataclass(frozen=True, slots=True)
class Score:
    """What came of some suggestions; None where there are none to tell.

    Args:
        n: suggestions whose outcome is known.
        acted: those that were no hold.
        hit_rate: share of the acted ones whose target was touched first.
        mean_return: mean return of the acted ones from the next open, as a fraction, before costs.
        brier: mean Brier score of the probabilities, 0 (best) … 2.
        baseline_brier: that of the base rates of the model's training, on the same suggestions.
        brier_skill: 1 − brier ÷ baseline_brier; above 0 is better than the base rates.
        calibration: by bins of the probability that was told for the action's outcome: how often it came true.
    """

    n: int
    acted: int
    hit_rate: float | None
    mean_return: float | None
    brier: float | None
    baseline_brier: float | None
    brier_skill: float | None
    calibration: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """How a model's suggestions did. Those that were no forecasts are kept apart.

    Args:
        scores: by kind, then by symbol; ``*`` is all symbols together.
    """

    model_id: str
    model: str
    scores: dict[str, dict[str, Score]]


@dataclass(frozen=True, slots=True)
class ReadScorecard:
    """Score a model by the suggestions of one user."""

    read_work: Callable[[], IntelligenceWork]

    def __call__(self, name_or_id: str, user_id: str) -> Scorecard:
        """Return the scorecard.

        Raises:
            NotFound: there is no such model.
        """
        with self.read_work() as work:
            model = work.models.get(name_or_id)
            resolved = work.suggestions.resolved(model.id, user_id)
        return Scorecard(model.id, model.name, scores_of(resolved))


def scores_of(resolved: Sequence[Suggestion]) -> dict[str, dict[str, Score]]:
    """Return the scores of suggestions whose outcome is known, by kind and symbol."""
    found: dict[str, dict[str, Score]] = {}
    for kind in (FORECAST, BACKFILLED, IN_SAMPLE):
        mine = [item for item in resolved if _kind(item) == kind]
        by_symbol = {symbol: [item for item in mine if item.symbol == symbol] for symbol in _symbols(mine)}
        found[kind] = {"*": score_of(mine), **{symbol: score_of(items) for symbol, items in by_symbol.items()}}
    return found


def score_of(items: Sequence[Suggestion]) -> Score:
    """Return the score of suggestions whose outcome is known."""
    acted = [item for item in items if item.action != "hold"]
    hits = [item.outcome == ("up" if item.action == "buy" else "down") for item in acted]
    returns = [item.outcome_return for item in acted if item.outcome_return is not None]
    if not items:
        return Score(0, 0, None, None, None, None, None, [])
    outcomes = np.array([CLASSES.index(str(item.outcome)) for item in items], dtype=np.int8)
    told = np.array([[item.probabilities[name] for name in CLASSES] for item in items])
    base = np.array([[item.base_rates[name] for name in CLASSES] for item in items])
    own, plain = brier(told, outcomes), brier(base, outcomes)
    came_true = np.array([_came_true(item) for item in items])
    return Score(
        n=len(items),
        acted=len(acted),
        hit_rate=float(np.mean(hits)) if hits else None,
        mean_return=float(np.mean(returns)) if returns else None,
        brier=float(own.mean()),
        baseline_brier=float(plain.mean()),
        brier_skill=skill(own, plain),
        calibration=reliability(np.array([item.probability for item in items]), came_true),
    )


def scorecard_view(card: Scorecard) -> dict[str, Any]:
    """Return a scorecard as JSON types."""
    return {
        "model": {"id": card.model_id, "name": card.model},
        **{
            kind: [{"symbol": None if symbol == "*" else symbol, **_view(score)} for symbol, score in scores.items()]
            for kind, scores in card.scores.items()
        },
    }


def _view(score: Score) -> dict[str, Any]:
    return asdict(score)


def _kind(item: Suggestion) -> str:
    return IN_SAMPLE if item.in_sample else BACKFILLED if item.backfilled else FORECAST


def _came_true(item: Suggestion) -> bool:
    hoped = {"buy": "up", "sell": "down", "hold": "flat"}[item.action]
    return item.outcome == hoped


def _symbols(items: Sequence[Suggestion]) -> list[str]:
    return sorted({item.symbol for item in items})
