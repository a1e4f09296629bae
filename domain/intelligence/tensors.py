"""Arrays as JSON tensors of the Open Inference Protocol v2, and back. Data is row-major, flat or nested; no binary.

Servers of others know narrower kinds of numbers than ours. Their arrays are widened when they are read, which changes
no value: FP16 to FP32, integers of up to 16 bits to INT32, the rest to INT64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from domain.common.errors import Invalid
from domain.intelligence.inference import DATATYPES, Array, TensorSpec, datatype_of

_WIDER = {
    "FP16": "FP32",
    "INT8": "INT32",
    "INT16": "INT32",
    "UINT8": "INT32",
    "UINT16": "INT32",
    "UINT32": "INT64",
    "UINT64": "INT64",
}
_LIMITS = {word: np.iinfo(word.lower()) for word in _WIDER if word != "FP16"}
_MOST_DIMENSIONS = 8
# What numpy makes of JSON that may stand for each kind.
_KINDS = {"b": "b", "i": "iu", "f": "iuf"}


def widened(datatype: object) -> str:
    """Return the key of `DATATYPES` that holds every value of one of the protocol's datatypes.

    Raises:
        Invalid: the protocol does not know it.
    """
    word = str(datatype)
    found = word if word in DATATYPES else _WIDER.get(word)
    if found is None:
        raise _bad(f"the datatype {word[:20]!r} is unknown")
    return found


def tensor_json(name: str, values: Array, datatype: str | None = None) -> dict[str, Any]:
    """Return an array as a tensor; numbers stay a flat array, which orjson writes.

    Args:
        datatype: what the server calls it, where that is narrower than ours.

    Raises:
        Invalid: it cannot be written, or a number does not fit ``datatype``.
    """
    word = datatype or datatype_of(values)
    limits = _LIMITS.get(word)
    if limits is not None and values.size and not limits.min <= values.min() <= values.max() <= limits.max:
        raise _bad(f"{name} holds numbers that are no {word}")
    tensor: dict[str, Any] = {"name": name, "shape": list(values.shape), "datatype": word}
    if word == "BYTES":
        tensor["parameters"] = {"content_type": "str"}
        return {**tensor, "data": [_text(item) for item in values.reshape(-1).tolist()]}
    return {**tensor, "data": values.reshape(-1)}


def read_tensor(item: Any) -> tuple[str, Array]:
    """Return the name and the array of a tensor.

    Raises:
        Invalid: it is none, its data does not fit its shape or datatype, or holds what is no finite number.
    """
    if not isinstance(item, dict):
        raise _bad("a tensor is not an object")
    name, shape, data = item.get("name"), item.get("shape"), item.get("data")
    if not isinstance(name, str):
        raise _bad("a tensor has no name")
    if not isinstance(shape, list) or not _is_shape(shape):
        raise _bad(f"the shape of {name[:64]!r} is not a list of sizes")
    if not isinstance(data, list):
        raise _bad(f"the data of {name[:64]!r} is not a list")
    dtype = DATATYPES[widened(item.get("datatype"))]
    values = _texts(data) if dtype.kind == "O" else _numbers(data, dtype)
    if values.size != math.prod(shape) or (values.ndim > 1 and list(values.shape) != shape):
        raise _bad(f"the data of {name[:64]!r} does not have the shape {shape}")
    return name, values.reshape(shape)


def read_tensors(items: Any) -> dict[str, Array]:
    """Return arrays by name.

    Raises:
        Invalid: it is no list of tensors of different names.
    """
    if not isinstance(items, list):
        raise _bad("there is no list of tensors")
    found = dict(read_tensor(item) for item in items)
    if len(found) != len(items):
        raise _bad("two tensors have the same name")
    return found


def spec_json(spec: TensorSpec) -> dict[str, Any]:
    """Return what a model takes or gives, as a server tells it."""
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def read_spec(item: Any) -> TensorSpec:
    """Return what a server tells of an input or output, its datatype widened.

    Raises:
        Invalid: it cannot be read.
    """
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise _bad("an input or output has no name")
    shape = item.get("shape")
    if not isinstance(shape, list) or any(type(size) is not int or size < -1 for size in shape):
        raise _bad(f"the shape of {item['name'][:64]!r} is not a list of sizes")
    return TensorSpec(item["name"], widened(item.get("datatype")), tuple(shape))


def _is_shape(shape: list[Any]) -> bool:
    return len(shape) <= _MOST_DIMENSIONS and all(type(size) is int and size >= 0 for size in shape)


def _numbers(data: Sequence[Any], dtype: np.dtype[Any]) -> Array:
    try:
        found = np.array(data)
    except (ValueError, OverflowError):
        raise _bad("data is nested unevenly") from None
    if not found.size:
        return np.zeros(found.shape, dtype)
    if found.dtype.kind not in _KINDS[dtype.kind]:
        raise _bad("data holds what is no number of its datatype")
    with np.errstate(over="ignore"):
        values = found.astype(dtype)
    fits = np.isfinite(values).all() if dtype.kind == "f" else np.array_equal(values, found)
    if not fits:
        raise _bad("data holds a number that its datatype cannot hold")
    return values


def _texts(data: Sequence[Any]) -> Array:
    found = np.array(data, dtype=object)
    if not all(isinstance(item, str) for item in found.reshape(-1)):
        raise _bad("data holds what is no text")
    return found


def _text(item: object) -> str:
    if not isinstance(item, str):
        raise _bad("BYTES are sent as text")
    return item


def _bad(reason: str) -> Invalid:
    return Invalid(reason, code="invalid_tensor")
