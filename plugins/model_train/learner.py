"""Gradient boosting with LightGBM, and the same model as an ONNX file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from aitrader.api import CLASSES, FloatColumn, Invalid
from plugins.model_train.payload import ModelTrainPayload

INPUT = "features"
OUTPUT = "probabilities"
MOST_DIFFERENCE = 1e-5
_OPSET = 15

Rows = NDArray[np.float32]
Labels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How trees are grown."""

    rounds: int
    learning_rate: float
    leaves: int
    least_in_leaf: int
    seed: int

    @classmethod
    def of(cls, payload: ModelTrainPayload) -> LearnerSettings:
        """Return the settings that a payload asks for."""
        return cls(payload.rounds, payload.learning_rate, payload.leaves, payload.least_in_leaf, payload.seed)


class Learner:
    """A trained model. The same samples and settings give the same one."""

    def __init__(self, rows: Rows, labels: Labels, weight: FloatColumn, settings: LearnerSettings) -> None:
        data = lightgbm.Dataset(rows.astype(np.float64), labels.astype(np.int32), weight=weight)
        booster = lightgbm.train(_params(settings), data, settings.rounds)
        self._booster = lightgbm.Booster(model_str=_with_float32_thresholds(booster.model_to_string()))
        self._width = rows.shape[1]

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Return probabilities, one row for each of ``rows``, one column for each class."""
        if not len(rows):
            return np.empty((0, len(CLASSES)))
        return np.asarray(self._booster.predict(rows.astype(np.float64), num_threads=1), np.float64)

    def importance(self) -> FloatColumn:
        """Return what each feature gained in all splits, as shares of the whole."""
        gained: FloatColumn = self._booster.feature_importance("gain").astype(np.float64)
        whole = gained.sum()
        return gained / whole if whole > 0 else gained

    def to_onnx(self) -> bytes:
        """Return the model as an ONNX file: `INPUT` (n, features) in, `OUTPUT` (n, classes) out."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        kinds = [(INPUT, FloatTensorType([None, self._width]))]
        # Without a name of ours it is given a random one, and the file is another each time.
        made = convert_lightgbm(
            self._booster, name="aitrader", initial_types=kinds, zipmap=False, target_opset=_OPSET
        )
        data: bytes = made.SerializeToString()
        return data


def parity(learner: Learner, onnx: bytes, rows: Rows) -> float:
    """Return the greatest difference between LightGBM's and ONNX's probabilities.

    Raises:
        Invalid: it is more than 1e-5: the file is not the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    (told,) = session.run([OUTPUT], {INPUT: rows})
    difference = float(np.abs(told - learner.predict(rows)).max())
    if difference > MOST_DIFFERENCE:
        raise Invalid(f"the ONNX file differs from the model by {difference:.2g}", code="onnx_differs")
    return difference


def _params(settings: LearnerSettings) -> dict[str, Any]:
    return {
        "objective": "multiclass",
        "num_class": len(CLASSES),
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least_in_leaf,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def _with_float32_thresholds(text: str) -> str:
    """Return LightGBM's text of a model with each threshold rounded down to float32.

    ONNX compares in float32. For x in float32, x ≤ t is the same as x ≤ (t rounded down), so that no sample changes
    sides; rounded to nearest, those between t and its neighbour would.
    """
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)  # byte counts, which change; they are optional
    return re.sub(r"^threshold=(.+)$", _rounded_down, text, flags=re.MULTILINE)


def _rounded_down(line: re.Match[str]) -> str:
    exact = np.array(line[1].split(), dtype=np.float64)
    near = exact.astype(np.float32)
    below = np.where(near.astype(np.float64) > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return "threshold=" + " ".join(repr(float(value)) for value in below)
