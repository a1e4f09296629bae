"""The job type ``model_train``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from aitrader.api import (
    CLASSES,
    FEATURE_VERSION,
    ActionRule,
    Invalid,
    Isolation,
    JobContext,
    JobType,
    Label,
    Manifest,
    Model,
    new_id,
    rfc3339,
    walk_forward,
)
from plugins.model_train.payload import ModelTrainPayload, TrainReport, Verdict

if TYPE_CHECKING:
    from plugins.model_train.judge import Walk
    from plugins.model_train.learner import LearnerSettings
    from plugins.model_train.samples import Samples

_LEAST_SAMPLES = 300
_READ, _WALKED, _TRAINED = 0.1, 0.8, 0.9


class ModelTrainJob(JobType):
    """Train a model to tell which of three barriers is touched first, and test it walk-forward against baselines."""

    name = "model_train"
    title = "Train a model"
    payload_type = ModelTrainPayload
    result_type = TrainReport
    isolation = Isolation.PROCESS
    max_attempts = 2
    deadline_s = 4 * 3600.0
    needs = ("bars", "models", "sentiment")
    example: Mapping[str, Any] = {"symbols": ["NASDAQ:AAPL"], "timeframe": "1d", "name": "barriers"}

    def run(self, context: JobContext, payload: ModelTrainPayload) -> TrainReport:
        """Read, test, train, write the model's folder, and record it.

        Raises:
            NotFound: no bars are stored for a symbol.
            Invalid: there are too few samples, or the ONNX file is not the model.
            JobCanceled: cancel was requested.
        """
        from plugins.model_train.judge import base_rates, calibration_curves, judge, verdict, walk
        from plugins.model_train.learner import Learner, LearnerSettings, parity

        samples, data_hashes = _read(context, payload)
        settings = LearnerSettings.of(payload)
        embargo = payload.horizon if payload.embargo is None else payload.embargo
        folds = walk_forward(
            samples.known, samples.decided, folds=payload.folds, embargo_ms=embargo * payload.timeframe.ms
        )
        block = payload.horizon * len(payload.symbols)
        found = walk(samples, folds, settings, block, _within(context, _READ, _WALKED))
        metrics = judge(found, ActionRule(cost_bps=payload.cost_bps), block)
        told = verdict(metrics)
        context.progress(_WALKED, "training on all samples")
        learner = Learner(samples.features, samples.outcome, samples.weight, settings)
        onnx = learner.to_onnx()
        difference = parity(learner, onnx, samples.features)
        context.progress(_TRAINED, "writing")
        manifest = _manifest(
            payload,
            samples,
            onnx,
            calibration=calibration_curves(found.raw, found.tested.outcome, block),
            base=base_rates(samples.outcome).tolist(),
            metrics={**metrics, "importance": _named(samples.names, learner.importance())},
            told=told,
            training=_training(settings, payload, folds=len(folds), embargo=embargo, data_hashes=data_hashes),
            created_at=context.now_ms,
        )
        artifacts = _draw(context, payload, found, manifest)
        _publish(context, manifest, onnx)
        context.progress(1.0, "done")
        return _report(manifest, samples, len(found.tested), difference, artifacts)


def _within(context: JobContext, first: float, last: float) -> Callable[[float, str], None]:
    return lambda share, step: context.progress(first + (last - first) * share, step)


def _read(context: JobContext, payload: ModelTrainPayload) -> tuple[Samples, dict[str, str]]:
    from plugins.model_train.samples import joined, read_samples

    label, parts, hashes = Label(payload.horizon, payload.barrier_atr), [], {}
    for number, symbol in enumerate(payload.symbols):
        context.progress(_READ * number / len(payload.symbols), f"{symbol}: features")
        dataset, bars, found = read_samples(
            context, symbol, payload.timeframe, label, payload.start_ms, payload.end_ms
        )
        if not len(found):
            raise payload.no_bars(symbol, dataset)
        parts.append(found)
        hashes[dataset.symbol] = bars.data_hash()
    samples = joined(parts)
    if len(samples) < _LEAST_SAMPLES:
        raise Invalid(
            f"{len(samples)} usable bars are too few to learn from; at least {_LEAST_SAMPLES} are needed, besides "
            "the first 120 of each symbol, which are only looked back at",
            code="too_few_samples",
        )
    return samples, hashes


def _training(
    settings: LearnerSettings, payload: ModelTrainPayload, *, folds: int, embargo: int, data_hashes: dict[str, str]
) -> dict[str, Any]:
    return {
        "learner": "lightgbm",
        "learner_version": version("lightgbm"),
        "rounds": settings.rounds,
        "learning_rate": settings.learning_rate,
        "leaves": settings.leaves,
        "least_in_leaf": settings.least_in_leaf,
        "seed": settings.seed,
        "folds": folds,
        "embargo": embargo,
        "cost_bps": payload.cost_bps,
        "data_hashes": data_hashes,
        "code_version": version("aitrader"),
    }


def _named(names: tuple[str, ...], values: Any) -> dict[str, float]:
    order = sorted(zip(names, values.tolist(), strict=True), key=lambda pair: -pair[1])
    return {name: round(value, 6) for name, value in order}


def _manifest(
    payload: ModelTrainPayload,
    samples: Samples,
    onnx: bytes,
    *,
    calibration: dict[str, list[list[float]]],
    base: list[float],
    metrics: dict[str, Any],
    told: dict[str, Any],
    training: dict[str, Any],
    created_at: int,
) -> Manifest:
    import numpy as np

    return Manifest(
        id=new_id(),
        name=payload.name,
        sha256=hashlib.sha256(onnx).hexdigest(),
        created_at=created_at,
        timeframe=payload.timeframe,
        universe=tuple(payload.symbols),
        label=Label(payload.horizon, payload.barrier_atr),
        classes=CLASSES,
        features=samples.names,
        feature_version=FEATURE_VERSION,
        typical=tuple(np.median(samples.features, axis=0).astype(float).tolist()),
        trained_from=int(samples.known[0]) - payload.timeframe.ms,
        trained_until=int(samples.decided.max()),
        calibration=calibration,
        base_rates=dict(zip(CLASSES, base, strict=True)),
        metrics=metrics,
        verdict=told,
        training=training,
    )


def _draw(context: JobContext, payload: ModelTrainPayload, found: Walk, manifest: Manifest) -> list[str]:
    from plugins.figures import PNG
    from plugins.model_train.charts import write_report

    name = "report.png"
    write_report(context.artifact(name, PNG), found, manifest, payload.cost_bps)
    return [name]


def _publish(context: JobContext, manifest: Manifest, onnx: bytes) -> None:
    context.check()
    context.models.publish(manifest, onnx)
    context.record(
        Model(
            id=manifest.id,
            name=manifest.name,
            timeframe=manifest.timeframe.value,
            universe=list(manifest.universe),
            sha256=manifest.sha256,
            manifest=manifest.to_json(),
            user_id=context.user_id,
            created_at=manifest.created_at,
        )
    )


def _report(
    manifest: Manifest, samples: Samples, tested: int, difference: float, artifacts: list[str]
) -> TrainReport:
    return TrainReport(
        model_id=manifest.id,
        name=manifest.name,
        timeframe=manifest.timeframe,
        symbols=list(manifest.universe),
        samples=len(samples),
        tested=tested,
        trained_from=rfc3339(manifest.trained_from),
        trained_until=rfc3339(manifest.trained_until),
        features=list(manifest.features),
        base_rates=dict(manifest.base_rates),
        metrics=dict(manifest.metrics),
        verdict=Verdict(**manifest.verdict),
        parity=difference,
        sha256=manifest.sha256,
        artifacts=artifacts,
    )
