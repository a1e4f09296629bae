"""One ONNX model in memory, run by onnxruntime in one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime

from domain.common.errors import Invalid
from domain.intelligence.inference import Array, Signature, TensorSpec, check_inputs

# onnxruntime's words for the kinds of tensors, and the protocol's.
_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class OnnxModel:
    """A model that was loaded. Safe for threads.

    Args:
        data: the ONNX file; whoever calls has checked that it may be loaded.

    Raises:
        Invalid: onnxruntime cannot run it.
    """

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Invalid(f"the model cannot be loaded: {_first_line(error)}", code="invalid_model") from error
        self.signature = Signature(
            tuple(_spec(item) for item in self._session.get_inputs()),
            tuple(_spec(item) for item in self._session.get_outputs()),
        )
        self._outputs = frozenset(spec.name for spec in self.signature.outputs)
        self._names = [spec.name for spec in self.signature.outputs]

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> dict[str, Array]:
        """Return the outputs, or those that are named.

        Raises:
            Invalid: an input does not fit, or an output is unknown.
        """
        check_inputs(self.signature, inputs)
        names = list(outputs) if outputs else self._names
        if outputs and not self._outputs.issuperset(names):
            raise Invalid(f"the model has no such output; it has: {', '.join(self._names)}", code="invalid_tensor")
        try:
            found = self._session.run(names, dict(inputs))
        except Exception as error:
            raise Invalid(f"the model cannot take this: {_first_line(error)}", code="invalid_tensor") from error
        return dict(zip(names, found, strict=True))


def _spec(item: Any) -> TensorSpec:
    datatype = _DATATYPES.get(item.type)
    if datatype is None:
        raise Invalid(f"the model cannot be loaded: {item.name} is a {item.type}", code="invalid_model")
    return TensorSpec(item.name, datatype, tuple(size if isinstance(size, int) else -1 for size in item.shape))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
