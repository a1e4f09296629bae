"""Tiny ONNX models whose answers are known."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from aitrader.testing.intelligence_work import manifest
from domain.intelligence.models import Manifest, ModelFolders

WEIGHTS = np.array([[1.0, -1.0], [0.5, 0.25], [-2.0, 0.0]], np.float32)
BIAS = np.array([0.125, -0.5], np.float32)
CODES = {"buy": 1, "sell": -1}
UNKNOWN_CODE = 0


def linear_onnx() -> bytes:
    """Return a model: ``features`` FP32 [n, 3] to ``probabilities`` FP32 [n, 2], which are features · WEIGHTS + BIAS,
    and ``label`` INT64 [n, 1], the column of the larger one.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gemm", ["features", "weights", "bias"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=1),
    ]
    weights = [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(BIAS, "bias")]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
            helper.make_tensor_value_info("label", TensorProto.INT64, [None, 1]),
        ],
        weights,
    )
    return _file(graph, 17)


def words_onnx() -> bytes:
    """Return a model: ``words`` BYTES [n, 1] to ``same`` BYTES [n, 1] and ``code`` INT64 [n, 1], which are CODES."""
    from onnx import TensorProto, helper

    codes: dict[str, Any] = {
        "keys_strings": list(CODES),
        "values_int64s": list(CODES.values()),
        "default_int64": UNKNOWN_CODE,
    }
    nodes = [
        helper.make_node("Identity", ["words"], ["same"]),
        helper.make_node("LabelEncoder", ["words"], ["code"], domain="ai.onnx.ml", **codes),
    ]
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info("words", TensorProto.STRING, [None, 1])],
        [
            helper.make_tensor_value_info("same", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("code", TensorProto.INT64, [None, 1]),
        ],
    )
    return _file(graph, 17)


def published(folders: ModelFolders, onnx: bytes, **changes: Any) -> Manifest:
    """Publish a model; return its manifest."""
    made = manifest(sha256=hashlib.sha256(onnx).hexdigest(), **changes)
    folders.publish(made, onnx)
    return made


def _file(graph: Any, opset: int) -> bytes:
    from onnx import helper

    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return data
