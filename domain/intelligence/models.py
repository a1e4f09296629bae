"""Models: what was trained, on what, and how well it did where it had not looked. Times are milliseconds UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from domain.common.errors import Invalid
from domain.common.time import rfc3339
from domain.market.model import Timeframe

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"


class ModelStatus(StrEnum):
    """``active`` is what suggestions use; there is one of each name at most. ``retired`` was active before."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Label:
    """What a model predicts: which of three barriers is touched first (López de Prado 2018, ch. 3).

    Args:
        horizon: the vertical barrier, bars after the one that the features end with.
        barrier_atr: distance of target and stop from the entry, in average true ranges.
    """

    horizon: int
    barrier_atr: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model folder says of its model. Everything that is needed to ask it, and to know what to make of it.

    Args:
        sha256: of the ONNX file.
        classes: the meaning of each column of the output ``probabilities``.
        features: names of the columns of the input ``features``, in order.
        feature_version: which version of the feature code made them.
        typical: the median of each feature in training, by which contributions are told.
        trained_from, trained_until: open of the first, close of the last bar that training looked at.
        calibration: per class, the points of a monotone curve from raw to calibrated probability.
        base_rates: how often each class came true in training.
        metrics: figures of the walk-forward test, out of sample; docs/models.md.
        verdict: whether it beat its baselines there, and in words.
        training: how it was trained: parameters, seed, data hashes, code version.
    """

    id: str
    name: str
    sha256: str
    created_at: int
    timeframe: Timeframe
    universe: tuple[str, ...]
    label: Label
    classes: tuple[str, ...]
    features: tuple[str, ...]
    feature_version: int
    typical: tuple[float, ...]
    trained_from: int
    trained_until: int
    calibration: Mapping[str, Sequence[Sequence[float]]]
    base_rates: Mapping[str, float]
    metrics: Mapping[str, Any]
    verdict: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def beats_baselines(self) -> bool:
        """Whether it was better than its baselines where it had not looked."""
        return bool(self.verdict.get("beats_baselines"))

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON types."""
        return {
            "format": 1,
            "id": self.id,
            "name": self.name,
            "sha256": self.sha256,
            "created_at": rfc3339(self.created_at),
            "created_ms": self.created_at,
            "timeframe": self.timeframe.value,
            "universe": list(self.universe),
            "label": {"horizon": self.label.horizon, "barrier_atr": self.label.barrier_atr},
            "classes": list(self.classes),
            "features": list(self.features),
            "feature_version": self.feature_version,
            "typical": list(self.typical),
            "trained_from_ms": self.trained_from,
            "trained_until_ms": self.trained_until,
            "calibration": {name: [list(side) for side in curve] for name, curve in self.calibration.items()},
            "base_rates": dict(self.base_rates),
            "metrics": dict(self.metrics),
            "verdict": dict(self.verdict),
            "training": dict(self.training),
        }


def parse_manifest(data: Any) -> Manifest:
    """Return the manifest that ``Manifest.to_json`` wrote.

    Raises:
        Invalid: it is something else.
    """
    try:
        if data["format"] != 1:
            raise Invalid("the manifest has a format of another version of AITrader", code="invalid_model")
        return Manifest(
            id=str(data["id"]),
            name=str(data["name"]),
            sha256=str(data["sha256"]),
            created_at=int(data["created_ms"]),
            timeframe=Timeframe(data["timeframe"]),
            universe=tuple(map(str, data["universe"])),
            label=Label(int(data["label"]["horizon"]), float(data["label"]["barrier_atr"])),
            classes=tuple(map(str, data["classes"])),
            features=tuple(map(str, data["features"])),
            feature_version=int(data["feature_version"]),
            typical=tuple(map(float, data["typical"])),
            trained_from=int(data["trained_from_ms"]),
            trained_until=int(data["trained_until_ms"]),
            calibration=data["calibration"],
            base_rates=data["base_rates"],
            metrics=data["metrics"],
            verdict=data["verdict"],
            training=data["training"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"the manifest of a model cannot be read: {error!r}", code="invalid_model") from None


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model as the database knows it. ``manifest`` is `Manifest.to_json`."""

    id: str
    name: str
    timeframe: str
    universe: list[str]
    sha256: str
    manifest: dict[str, Any]
    user_id: str
    created_at: int
    job_id: str | None = None
    status: str = ModelStatus.CANDIDATE.value
    activated_at: int | None = None
    version: int = 1

    @property
    def parsed(self) -> Manifest:
        """The manifest, read."""
        return parse_manifest(self.manifest)


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models to list. None means any."""

    name: str | None = None
    timeframe: str | None = None
    status: str | None = None


class ModelFolders(Protocol):
    """Model folders on disk, by id; an ONNX file and its manifest each. Nothing in them is ever run as code."""

    def publish(self, manifest: Manifest, onnx: bytes) -> None:
        """Write a folder, whole or not at all.

        Raises:
            Invalid: the file is not a model that may be loaded, or not the one of the manifest.
        """
        ...

    def manifest(self, model_id: str) -> Manifest:
        """Return the manifest of a model.

        Raises:
            NotFound: there is no such folder.
            Invalid: it cannot be read.
        """
        ...

    def onnx(self, model_id: str) -> bytes:
        """Return the ONNX file of a model, checked against its manifest.

        Raises:
            NotFound: there is no such folder.
            Invalid: the file was changed, or is too large.
        """
        ...

    def ids(self) -> Sequence[str]:
        """Return the models that are there, the newest first."""
        ...


def model_view(model: Model) -> dict[str, Any]:
    """Return a model as JSON types, without what only machines look at."""
    manifest = model.manifest
    return {
        "id": model.id,
        "name": model.name,
        "status": model.status,
        "timeframe": model.timeframe,
        "universe": model.universe,
        "label": manifest["label"],
        "features": len(manifest["features"]),
        "trained_from": rfc3339(manifest["trained_from_ms"]),
        "trained_until": rfc3339(manifest["trained_until_ms"]),
        "verdict": manifest["verdict"],
        "sha256": model.sha256,
        "job_id": model.job_id,
        "created_at": rfc3339(model.created_at),
        "activated_at": None if model.activated_at is None else rfc3339(model.activated_at),
        "version": model.version,
    }


def model_detail(model: Model) -> dict[str, Any]:
    """Return a model as JSON types, with all that is known of it."""
    return {**model_view(model), "manifest": model.manifest}
