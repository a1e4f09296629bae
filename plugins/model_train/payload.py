"""What training and evaluating ask for and what they answer."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from aitrader.api import BarsRequest, MomentField, StrictModel, SymbolField, Timeframe

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("expected a-z, 0-9, _, . and -, starting with a letter, at most 64")
    return value


ModelName = Annotated[str, AfterValidator(_name)]


class ModelTrainPayload(BarsRequest):
    """Train a model on stored bars of some symbols, and test it walk-forward against baselines.

    The bars between `start` and `end` are learnt from; earlier ones are only looked back at.
    """

    name: ModelName = Field(
        default="barriers", description="What the model is called; a new model of a name stands beside older ones."
    )
    horizon: int = Field(default=10, ge=1, le=250, description="Bars after which the question is closed.")
    barrier_atr: float = Field(
        default=2.0, gt=0, le=20, description="Distance of target and stop from the close, in average true ranges."
    )
    folds: int = Field(default=5, ge=2, le=20, description="Blocks of time that are tested, each after its training.")
    embargo: int | None = Field(
        default=None, ge=0, le=1000, description="Bars between training and test; the horizon when omitted."
    )
    rounds: int = Field(default=60, ge=10, le=5000, description="Trees of gradient boosting, per class.")
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    leaves: int = Field(default=7, ge=2, le=255, description="Most leaves of a tree.")
    least_in_leaf: int = Field(default=200, ge=1, le=100_000, description="Least samples in a leaf.")
    cost_bps: float = Field(
        default=10.0, ge=0, le=1000, description="Cost of a trade there and back, basis points; for judging actions."
    )
    seed: int = Field(default=0, ge=0, lt=2**31)


class Verdict(StrictModel):
    """Whether the model was better than its baselines, out of sample, and in words."""

    beats_baselines: bool
    probabilities_better: bool = Field(description="Its Brier score is below that of the base rates, surely.")
    actions_better: bool = Field(description="Its actions gain after costs, surely, and more than momentum's.")
    shuffled_is_chance: bool = Field(description="The same learner on shuffled labels is no better than chance.")
    text: str


class TrainReport(StrictModel):
    """What was trained, and how it did where it had not looked."""

    model_id: str
    name: str
    timeframe: Timeframe
    symbols: list[str]
    samples: int = Field(description="Samples that the model was trained on.")
    tested: int = Field(description="Samples of the walk-forward test, each predicted before it was learnt from.")
    trained_from: str
    trained_until: str
    features: list[str]
    base_rates: dict[str, float]
    metrics: dict[str, Any] = Field(description="Out of sample; docs/models.md says what each means.")
    verdict: Verdict
    parity: float = Field(description="Greatest difference between LightGBM's and ONNX's probabilities.")
    sha256: str
    artifacts: list[str]


class ModelEvaluatePayload(StrictModel):
    """Judge a model on stored bars. What it was trained on and what came after are never put together."""

    model: str = Field(min_length=1, max_length=64, description="Id or name; of a name the active model is taken.")
    symbols: list[SymbolField] = Field(
        default_factory=list, max_length=20, description="The model's universe when omitted."
    )
    start: MomentField | None = Field(default=None, description="First bar opens at or after this.")
    end: MomentField | None = Field(default=None, description="Bars open before this.")
    cost_bps: float = Field(default=10.0, ge=0, le=1000, description="Cost of a trade there and back, basis points.")


class EvaluateReport(StrictModel):
    """How a model did, before and after the end of its training."""

    model_id: str
    name: str
    timeframe: Timeframe
    symbols: list[str]
    trained_until: str
    out_of_sample: dict[str, Any] | None = Field(description="On what came after its training; null without any.")
    in_sample: dict[str, Any] | None = Field(
        description="On what it was trained on: says how well it remembers, not how good it is."
    )
    verdict: Verdict = Field(description="Of its training: the walk-forward test.")
