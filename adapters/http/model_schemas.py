"""The shapes of models and suggestions in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from adapters.http.decision_schemas import ActionName, TimeframeName
from adapters.http.schemas import Model as Shape

_CURSOR = "^[A-Za-z0-9_-]{21}[AQgw]$"
StatusName = Literal["candidate", "active", "retired"]
OutcomeName = Literal["down", "flat", "up"]


class ModelQuery(Shape):
    """Which models."""

    name: str | None = Field(default=None, min_length=1, max_length=64)
    timeframe: TimeframeName | None = None
    status: StatusName | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class LabelShape(Shape):
    """What a model predicts: which barrier is touched first."""

    horizon: int = Field(description="bars after which the question is closed")
    barrier_atr: float = Field(description="distance of target and stop in average true ranges")


class TrainedModel(Shape):
    """A model, and whether it was better than its baselines where it had not looked."""

    id: UUID
    name: str
    status: StatusName = Field(description="`active` is what suggestions use")
    timeframe: TimeframeName
    universe: list[str] = Field(description="symbols that it was trained on")
    label: LabelShape
    features: int = Field(description="how many features it looks at")
    trained_from: datetime
    trained_until: datetime = Field(description="what is later is out of sample")
    verdict: dict[str, Any] = Field(description="`beats_baselines`, and `text` that says it in words")
    sha256: str = Field(description="of its ONNX file")
    job_id: UUID | None = Field(description="the job that trained it")
    created_at: datetime
    activated_at: datetime | None
    version: int


class ModelDetail(TrainedModel):
    """A model with its manifest: features, calibration, figures of the walk-forward test, how it was trained."""

    manifest: dict[str, Any]


class ModelPage(Shape):
    """Models, the newest first."""

    items: list[TrainedModel]
    next_cursor: str | None


class ModelName(Shape):
    """Which model."""

    id: UUID
    name: str


class Score(Shape):
    """What came of suggestions; null where there are none to tell."""

    symbol: str | None = Field(description="null: all symbols together")
    n: int = Field(description="suggestions whose outcome is known")
    acted: int = Field(description="those that were no hold")
    hit_rate: float | None = Field(description="share of the acted ones whose target was touched first")
    mean_return: float | None = Field(description="of the acted ones, as a fraction, before costs")
    brier: float | None = Field(description="mean Brier score of the probabilities, 0 (best) to 2")
    baseline_brier: float | None = Field(description="that of the base rates of training, on the same suggestions")
    brier_skill: float | None = Field(description="1 − brier ÷ baseline_brier; above 0 is better than the base rates")
    calibration: list[dict[str, Any]] = Field(description="how often what was told came true, by bins of it")


class Scorecard(Shape):
    """How a model's suggestions did; those that were no forecasts are kept apart."""

    model: ModelName
    forecast: list[Score] = Field(description="made before their outcome, on bars after its training")
    backfilled: list[Score] = Field(description="made for the past, when later bars were there already")
    in_sample: list[Score] = Field(description="for the time that it was trained on")


class SuggestionQuery(Shape):
    """Which suggestions."""

    symbol: str | None = Field(default=None, min_length=1, max_length=45)
    model: UUID | None = Field(default=None, description="id of the model")
    action: ActionName | None = None
    since: datetime | None = Field(default=None, description="as of this time or later")
    resolved: Literal["true", "false"] | None = Field(default=None, description="whether the outcome is known")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class SuggestionShape(Shape):
    """What a model makes of a symbol, with its evidence, and what came of it. Never an order."""

    id: UUID
    symbol: str
    timeframe: TimeframeName
    as_of: datetime = Field(description="close of the last bar that was looked at")
    action: ActionName
    probability: float = Field(description="calibrated: of the outcome that the action hopes for")
    probabilities: dict[str, float]
    base_rates: dict[str, float]
    horizon: int
    entry: float
    stop: float | None
    target: float | None
    quantity: str | None = Field(description="decimal text; null where equity is not known")
    account: str | None
    currency: str
    expected_r: float | None = Field(description="in units of the distance to the stop, before costs")
    model: ModelName
    beats_baselines: bool
    note: str = Field(description="what to make of it")
    in_sample: bool
    backfilled: bool
    contributions: list[dict[str, Any]]
    evidence: dict[str, Any]
    outcome: OutcomeName | None = Field(description="null until its horizon has passed")
    outcome_return: float | None = Field(description="of the action, as a fraction, before costs")
    resolved_at: datetime | None
    job_id: UUID | None
    created_at: datetime


class SuggestionPage(Shape):
    """Suggestions, the newest first."""

    items: list[SuggestionShape]
    next_cursor: str | None
