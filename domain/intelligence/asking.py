"""Asking a model about rows of features."""

from __future__ import annotations

import numpy as np

from domain.common.errors import Invalid, Unavailable
from domain.intelligence.features import FEATURE_VERSION, Features
from domain.intelligence.inference import InferenceEngine
from domain.intelligence.judging import Probabilities
from domain.intelligence.models import Manifest
from domain.intelligence.suggestions import CLASSES

INPUT = "features"
OUTPUT = "probabilities"
_AT_ONCE = 1024
_ROUNDING = 1e-3


def said_by(engine: InferenceEngine, manifest: Manifest, rows: Features) -> Probabilities:
    """Return what a model says of rows of features, not calibrated; one column for each of `CLASSES`.

    Raises:
        Invalid: the model was made for other features or classes than this version has.
        NotFound: the engine has no such model.
        Unavailable: no usable answer in time.
    """
    if manifest.feature_version != FEATURE_VERSION or tuple(manifest.classes) != CLASSES:
        raise Invalid(
            f"the model {manifest.name} was made by another version of the feature code; train it again",
            code="model_outdated",
        )
    parts = [
        np.asarray(engine.infer(manifest.id, {INPUT: rows[at : at + _AT_ONCE]}, [OUTPUT]).outputs[OUTPUT], np.float64)
        for at in range(0, len(rows), _AT_ONCE)
    ]
    said = np.concatenate(parts) if parts else np.empty((0, len(CLASSES)))
    whole = said.sum(axis=1) if said.ndim == 2 else np.empty(0)
    fits = said.shape == (len(rows), len(CLASSES)) and (said >= 0).all() and np.allclose(whole, 1.0, atol=_ROUNDING)
    if not fits:
        raise Unavailable("the model's answer cannot be used: it is no probabilities", code="engine_answer_unusable")
    return said
