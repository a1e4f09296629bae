"""The model as an ONNX graph: from the numbers of words to three probabilities.

Texts are laid one after the other, each followed by `WINDOW` zeros, so that no window reaches the next text. Weights
are whole numbers: their sums are exact in whatever order they are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.sentiment.grammar import WINDOW
from adapters.sentiment.scheme import SOFTENING, Codes, pair_rows

UNIT = 1024  # a weight of 1 as a whole number
LARGEST = 32767 / UNIT  # weight
_OPSET = 17
_IR = 8  # read by every onnxruntime from 1.14 on

Weights = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Model:
    """The weights of a model, in `UNIT`; the columns are log-odds of positive and of negative against neutral.

    Args:
        words: (numbers of the vocabulary, 2).
        rows: (rows of pairs and then of neighbours, 2).
        bias: (2,).
    """

    codes: Codes
    words: Weights
    rows: Weights
    bias: npt.NDArray[np.float64]


def model_bytes(model: Model) -> bytes:
    """Return the ONNX file of a model.

    Inputs: ``words`` (N,) numbers of the vocabulary; ``starts`` and ``ends`` (B,) of each text in it. Outputs:
    ``probabilities`` (B, 3) of negative, neutral and positive; ``weights`` (N,) what each word, with the words ahead,
    adds to the log-odds of positive against negative, in `UNIT` and before the division by the root of the length;
    and the tables themselves, for who sums up a text faster without a runtime.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    tables: dict[str, npt.NDArray[Any]] = {
        "codes": np.array([model.codes.kinds, model.codes.left, model.codes.right], np.float32),
        "word_weights": model.words,
        "row_weights": model.rows,
        "bias": model.bias.astype(np.float64),
        **_constants(model.codes.count),
    }
    nodes = [helper.make_node(kind, inputs, outputs, **settings) for kind, inputs, outputs, settings in _NODES]
    nodes += [
        helper.make_node("Identity", [name], [f"{name}_table"]) for name in ("codes", "word_weights", "row_weights")
    ]
    nodes += [helper.make_node("Identity", ["bias"], ["bias_table"])]
    graph = helper.make_graph(
        nodes,
        "sentiment",
        [
            helper.make_tensor_value_info("words", TensorProto.INT32, ["N"]),
            helper.make_tensor_value_info("starts", TensorProto.INT32, ["B"]),
            helper.make_tensor_value_info("ends", TensorProto.INT32, ["B"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["B", 3]),
            helper.make_tensor_value_info("weights", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("codes_table", TensorProto.FLOAT, list(tables["codes"].shape)),
            helper.make_tensor_value_info("word_weights_table", TensorProto.INT16, list(model.words.shape)),
            helper.make_tensor_value_info("row_weights_table", TensorProto.INT16, list(model.rows.shape)),
            helper.make_tensor_value_info("bias_table", TensorProto.DOUBLE, [2]),
        ],
        [numpy_helper.from_array(table, name) for name, table in tables.items()],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(built)
    content: bytes = built.SerializeToString(deterministic=True)
    return content


def _constants(kinds: int) -> dict[str, npt.NDArray[Any]]:
    """Return the fixed tables: how rows are made of codes."""
    row_of = np.zeros((WINDOW + 1, 3, WINDOW + 1), np.float32)  # (row, code, words ahead)
    first_row = np.zeros(WINDOW + 1, np.float32)
    for distance in range(1, WINDOW + 1):
        row_of[distance - 1, 0, 0] = kinds
        row_of[distance - 1, 0, distance] = 1
        first_row[distance - 1] = (distance - 1) * kinds * kinds
    row_of[WINDOW, 1, 0] = row_of[WINDOW, 2, 1] = 1
    first_row[WINDOW] = pair_rows(kinds)
    return {
        "row_of": row_of,
        "first_row": first_row,
        "difference": np.array([[1], [-1]], np.float32),
        "to_classes": np.array([[0, 0, 1], [1, 0, 0]], np.float64),
        "unit": np.array(1 / UNIT, np.float64),
        "softening": np.array(SOFTENING, np.float64),
        "no_sum": np.zeros((1, 2), np.int32),
        "axis_0": np.array([0], np.int64),
        "axis_01": np.array([0, 1], np.int64),
        "axis_1": np.array([1], np.int64),
        "first_axis": np.array(0, np.int64),
        "flat": np.array([-1], np.int64),
    }


_INT32, _FLOAT, _DOUBLE = 6, 1, 11
_NODES: tuple[tuple[str, list[str], list[str], dict[str, Any]], ...] = (
    # rows of pairs and neighbours: (1, WINDOW + 1, N, 2)
    ("Gather", ["codes", "words"], ["word_codes"], {"axis": 1}),
    ("Unsqueeze", ["word_codes", "axis_0"], ["word_codes_1"], {}),
    ("Conv", ["word_codes_1", "row_of", "first_row"], ["rows_float"], {"pads": [0, WINDOW]}),
    ("Cast", ["rows_float"], ["rows"], {"to": _INT32}),
    ("Gather", ["row_weights", "rows"], ["said_short"], {"axis": 0}),
    ("Cast", ["said_short"], ["said"], {"to": _FLOAT}),
    # what each word adds: (N, 2)
    ("Gather", ["word_weights", "words"], ["alone_short"], {"axis": 0}),
    ("Cast", ["alone_short"], ["alone"], {"to": _FLOAT}),
    ("ReduceSum", ["said", "axis_01"], ["with_others"], {"keepdims": 0}),
    ("Add", ["alone", "with_others"], ["added_float"], {}),
    ("Cast", ["added_float"], ["added"], {"to": _INT32}),
    # sums of texts: (B, 2)
    ("CumSum", ["added", "first_axis"], ["running"], {}),
    ("Concat", ["no_sum", "running"], ["before"], {"axis": 0}),
    ("Gather", ["before", "ends"], ["at_end"], {"axis": 0}),
    ("Gather", ["before", "starts"], ["at_start"], {"axis": 0}),
    ("Sub", ["at_end", "at_start"], ["sums"], {}),
    ("Cast", ["sums"], ["sums_double"], {"to": _DOUBLE}),
    ("Mul", ["sums_double", "unit"], ["sums_unit"], {}),
    ("Sub", ["ends", "starts"], ["length"], {}),
    ("Cast", ["length"], ["length_double"], {"to": _DOUBLE}),
    ("Add", ["length_double", "softening"], ["softened"], {}),
    ("Sqrt", ["softened"], ["root"], {}),
    ("Unsqueeze", ["root", "axis_1"], ["roots"], {}),
    ("Div", ["sums_unit", "roots"], ["damped"], {}),
    ("Add", ["damped", "bias"], ["log_odds"], {}),
    ("MatMul", ["log_odds", "to_classes"], ["classes"], {}),
    ("Softmax", ["classes"], ["probabilities"], {"axis": -1}),
    # what each word adds, with the words ahead, for positive against negative: (N,)
    ("MatMul", ["added_float", "difference"], ["weights_column"], {}),
    ("Reshape", ["weights_column", "flat"], ["weights"], {}),
)
