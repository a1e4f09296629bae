"""Inference in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from adapters.onnx.session import OnnxModel
from domain.intelligence.inference import Array, Inference, Signature
from domain.intelligence.models import ModelFolders

BUILT_IN = "built_in"
_MOST_LOADED = 16


class LocalInference:
    """``InferenceEngine`` over model folders; keeps the models that were asked last in memory. Safe for threads."""

    name = BUILT_IN

    def __init__(self, folders: ModelFolders, most: int = _MOST_LOADED) -> None:
        self._folders = folders
        self._most = most
        self._loaded: OrderedDict[str, OnnxModel] = OrderedDict()
        self._lock = threading.Lock()

    def models(self) -> Sequence[str]:
        """Return the ids of the models that are there, the newest first."""
        return self._folders.ids()

    def signature(self, model: str) -> Signature:
        """Return what a model takes and gives."""
        return self._model(model).signature

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Inference:
        """Return the outputs of a model."""
        loaded = self._model(model)
        started = time.perf_counter()
        found = loaded.run(inputs, outputs)
        return Inference(BUILT_IN, model, found, (time.perf_counter() - started) * 1000)

    def _model(self, model: str) -> OnnxModel:
        with self._lock:
            known = self._loaded.get(model)
            if known is not None:
                self._loaded.move_to_end(model)
                return known
        loaded = OnnxModel(self._folders.onnx(model))
        with self._lock:
            self._loaded[model] = loaded
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
        return loaded
