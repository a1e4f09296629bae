"""Training: an honest judge, an exact ONNX file, and a job that leaves both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.marketdata.samples import install_samples
from adapters.onnx.folders import FolderModels
from adapters.onnx.local import LocalInference
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from domain.common.errors import Invalid, NotFound
from domain.intelligence.asking import said_by
from domain.intelligence.models import Manifest, Model
from domain.intelligence.news import NO_SENTIMENT, SentimentColumns
from domain.intelligence.suggesting import ActionRule
from domain.intelligence.suggestions import CLASSES
from domain.intelligence.walk_forward import walk_forward
from domain.jobs.model import JobCanceled
from domain.market.model import Timeframe
from plugins.model_train.evaluate import ModelEvaluateJob
from plugins.model_train.job import ModelTrainJob
from plugins.model_train.judge import calibration_curves, judge, verdict, walk
from plugins.model_train.learner import Learner, LearnerSettings, _rounded_down, parity
from plugins.model_train.payload import ModelEvaluatePayload, ModelTrainPayload
from plugins.model_train.samples import Samples

SMALL = LearnerSettings(rounds=20, learning_rate=0.1, leaves=7, least_in_leaf=20, seed=1)
NONE = NO_SENTIMENT


class NoTexts:
    def columns(self, symbol: str, *, until_ms: int) -> SentimentColumns:
        return NONE


class Shelf:
    """A model shelf without a database."""

    def __init__(self, folder: Path) -> None:
        self.folders = FolderModels(folder)
        self.models: list[Model] = []

    def publish(self, manifest: Manifest, onnx: bytes) -> None:
        self.folders.publish(manifest, onnx)

    def get(self, name_or_id: str) -> Model:
        for model in self.models:
            if name_or_id in (model.id, model.name):
                return model
        raise NotFound("there is no such model")

    def active(self, timeframe: str) -> list[Model]:
        return [model for model in self.models if model.timeframe == timeframe]


@pytest.fixture
def context(tmp_path: Path) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("ACME", Timeframe.D1, random_bars(700, 4))
    shelf = Shelf(tmp_path / "models")
    return FakeJobContext(
        tmp_path, store=store, scored=NoTexts(), shelf=shelf, inference_engine=LocalInference(shelf.folders)
    )


def learnable(count: int, seed: int = 0, strength: float = 2.0) -> Samples:
    """Return samples whose first feature tells the outcome, more or less."""
    random = np.random.default_rng(seed)
    features = random.normal(0, 1, (count, 5)).astype(np.float32)
    pull = strength * features[:, 0]
    chances = np.exp(np.column_stack([-pull, np.zeros(count), pull]))
    chances /= chances.sum(axis=1, keepdims=True)
    outcome = (chances.cumsum(axis=1) < random.uniform(size=(count, 1))).sum(axis=1).astype(np.int8)
    known = np.arange(count, dtype=np.int64) * 10
    gain = np.where(outcome == 2, 0.02, np.where(outcome == 0, -0.02, 0.0))
    return Samples(
        names=tuple("abcde"),
        features=features,
        outcome=outcome,
        known=known,
        decided=known + 15,
        weight=np.ones(count),
        buy=gain,
        sell=-gain,
        price=np.full(count, 100.0),
        barrier=np.full(count, 2.0),
        momentum=np.sign(random.normal(0, 1, count)),
    )


def walked(samples: Samples) -> dict[str, object]:
    folds = walk_forward(samples.known, samples.decided, folds=4, embargo_ms=20)
    found = walk(samples, folds, SMALL, 2, lambda share, step: None)
    return judge(found, ActionRule(cost_bps=5.0), 2)


def test_what_can_be_learnt_beats_the_baselines() -> None:
    metrics = walked(learnable(2500))
    told = verdict(metrics)
    assert told["beats_baselines"]
    assert told["shuffled_is_chance"]
    assert metrics["brier_skill"] > 0.1
    assert metrics["model"]["actions"]["hit_rate"] > 0.5
    assert metrics["baselines"]["always_hold"]["actions"]["acted"] == 0
    assert "It beat its baselines" in told["text"]


def test_noise_does_not_and_is_said_so() -> None:
    metrics = walked(learnable(2500, strength=0.0))
    told = verdict(metrics)
    assert not told["beats_baselines"]
    assert not told["probabilities_better"]
    assert metrics["brier_gain"]["shuffled"]["low"] <= 0
    assert "did not beat" in told["text"]
    assert "no better than chance" in told["text"]


def test_a_judge_that_sees_the_answer_is_caught() -> None:
    """If shuffled labels could be predicted, the test itself would leak; the verdict must say so."""
    metrics = walked(learnable(2500))
    metrics["brier_gain"]["shuffled"] = {"mean": 0.1, "low": 0.05, "high": 0.15, "n": 2000}
    told = verdict(metrics)
    assert not told["beats_baselines"]
    assert "do not trust this test" in told["text"]


def test_the_same_samples_give_the_same_model() -> None:
    samples = learnable(600)
    one, two = (Learner(samples.features, samples.outcome, samples.weight, SMALL) for _ in range(2))
    np.testing.assert_array_equal(one.predict(samples.features), two.predict(samples.features))
    assert one.to_onnx() == two.to_onnx()


def test_onnx_is_the_model_also_at_its_thresholds() -> None:
    """Features on a coarse grid have thresholds between neighbours in float32, where rounding would change sides."""
    random = np.random.default_rng(5)
    base = np.float32(1.0)
    near = np.array([base, np.nextafter(base, np.float32(2))], dtype=np.float32)
    features = random.choice(near, (1500, 3)).astype(np.float32)
    outcome = (features[:, 0] > base).astype(np.int8) + (features[:, 1] > base).astype(np.int8)
    learner = Learner(features, outcome, np.ones(1500), SMALL)
    assert parity(learner, learner.to_onnx(), features) < 1e-6
    assert (learner.predict(features).argmax(axis=1) == outcome).all()


def test_a_file_that_is_another_model_is_refused() -> None:
    samples, other = learnable(500), learnable(500, seed=9)
    one = Learner(samples.features, samples.outcome, samples.weight, SMALL)
    two = Learner(other.features, other.outcome, other.weight, SMALL)
    with pytest.raises(Invalid, match="differs"):
        parity(one, two.to_onnx(), samples.features)


def test_thresholds_are_rounded_down() -> None:
    import re

    line = re.fullmatch(r"threshold=(.+)", "threshold=0.1 -0.1 0.5 1e-30")
    assert line is not None
    below = [float(text) for text in _rounded_down(line).removeprefix("threshold=").split()]
    for exact, rounded in zip((0.1, -0.1, 0.5, 1e-30), below, strict=True):
        assert float(np.float32(rounded)) == rounded <= exact
    assert below[2] == 0.5


def test_calibration_does_not_learn_noise() -> None:
    random = np.random.default_rng(3)
    raw = random.dirichlet((40, 40, 40), 2000)
    outcome = random.integers(0, 3, 2000).astype(np.int8)
    for _, true in calibration_curves(raw, outcome, 10).values():
        assert all(0.2 < value < 0.5 for value in true)
        assert list(true) == sorted(true)
    few = calibration_curves(raw[:5], outcome[:5], 10)
    assert all(len(said) == 1 for said, _ in few.values())


def test_the_job_leaves_a_model(context: FakeJobContext) -> None:
    payload = ModelTrainPayload(symbols=["ACME"], name="acme", rounds=10, folds=2, horizon=5)
    report = ModelTrainJob().run(context, payload)
    (row,) = context.records
    assert isinstance(row, Model)
    assert (row.id, row.name, row.sha256) == (report.model_id, "acme", report.sha256)
    manifest = row.parsed
    assert manifest.to_json() == row.manifest
    assert manifest.universe == ("ACME",)
    assert manifest.trained_until <= int(context.bars.read("ACME", Timeframe.D1).time[-1]) + Timeframe.D1.ms
    assert report.parity <= 1e-5
    assert context.artifacts == {"report.png": "image/png"}
    assert (context.directory / "report.png").read_bytes().startswith(b"\x89PNG")
    assert [fraction for fraction, _ in context.reports] == sorted(fraction for fraction, _ in context.reports)
    rows = np.tile(np.asarray(manifest.typical, np.float32), (3, 1))
    said = said_by(context.inference, manifest, rows)
    assert said.shape == (3, len(CLASSES))


def test_training_again_gives_the_same_file(context: FakeJobContext) -> None:
    payload = ModelTrainPayload(symbols=["ACME"], rounds=10, folds=2)
    one, two = (ModelTrainJob().run(context, payload) for _ in range(2))
    assert one.sha256 == two.sha256
    assert one.model_id != two.model_id
    assert one.metrics == two.metrics


def test_what_is_after_the_end_is_not_learnt_from(context: FakeJobContext) -> None:
    bars = context.bars.read("ACME", Timeframe.D1)
    end = int(bars.time[600])
    payload = ModelTrainPayload.model_validate(
        {"symbols": ["ACME"], "rounds": 10, "folds": 2, "end": str(np.datetime64(end, "ms")) + "Z"}
    )
    whole = ModelTrainJob().run(context, payload)
    shorter = MemoryBarStore()
    shorter.write("ACME", Timeframe.D1, bars.take(slice(0, 600)))
    context.store = shorter
    again = ModelTrainJob().run(context, payload)
    assert whole.sha256 == again.sha256
    assert context.records[0].parsed.trained_until <= end


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"symbols": ["OTHER"]}, "there are no 1d bars of OTHER"), ({"start": "2021-06-01"}, "too few to learn from")],
)
def test_what_cannot_be_learnt_from_is_said(
    context: FakeJobContext, changes: dict[str, object], message: str
) -> None:
    with pytest.raises((Invalid, NotFound), match=message):
        ModelTrainJob().run(context, ModelTrainPayload.model_validate({"symbols": ["ACME"], **changes}))
    assert context.records == []
    assert context.models.folders.ids() == []  # type: ignore[attr-defined]


def test_a_canceled_training_leaves_nothing(context: FakeJobContext) -> None:
    context.cancel_after = 3
    with pytest.raises(JobCanceled):
        ModelTrainJob().run(context, ModelTrainPayload(symbols=["ACME"], rounds=10, folds=2))
    assert context.records == []
    assert context.models.folders.ids() == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["Big", "1st", "a b", "x" * 65, ""])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ModelTrainPayload(symbols=["ACME"], name=name)


def test_evaluation_keeps_what_was_learnt_apart(context: FakeJobContext) -> None:
    bars = context.bars.read("ACME", Timeframe.D1)
    payload = ModelTrainPayload.model_validate(
        {"symbols": ["ACME"], "rounds": 10, "folds": 2, "end": str(np.datetime64(int(bars.time[600]), "ms")) + "Z"}
    )
    ModelTrainJob().run(context, payload)
    (row,) = context.records
    context.models.models.append(row)  # type: ignore[attr-defined]
    report = ModelEvaluateJob().run(context, ModelEvaluatePayload(model="barriers"))
    assert report.out_of_sample is not None
    assert report.in_sample is not None
    assert report.in_sample["until"] <= report.trained_until < report.out_of_sample["from"]
    assert report.in_sample["model"]["n"] + report.out_of_sample["model"]["n"] == 700 - 120 - 10
    whole = ModelEvaluateJob().run(context, ModelEvaluatePayload(model="barriers", end=payload.end))
    assert whole.out_of_sample is None


def test_a_model_of_the_shipped_prices_is_honest(tmp_path: Path) -> None:
    store = MemoryBarStore()
    install_samples(store)
    context = FakeJobContext(tmp_path, store=store, scored=NoTexts(), shelf=Shelf(tmp_path / "models"))
    report = ModelTrainJob().run(context, ModelTrainPayload(symbols=["FX:EURUSD"], timeframe=Timeframe.H1, rounds=30))
    assert report.verdict.probabilities_better  # the hour of the day tells how much moves
    assert not report.verdict.actions_better  # but not where to
    assert report.verdict.shuffled_is_chance
    assert not report.verdict.beats_baselines
