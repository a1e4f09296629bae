"""The inference port: named arrays into a model, named arrays out of it. It follows the Open Inference Protocol v2
(https://github.com/kserve/open-inference-protocol), so that other model servers can stand in for our own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import FieldError, Invalid

Array = NDArray[Any]

# The protocol's word for each kind of array that we take and give.
DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
_WORDS = {dtype: word for word, dtype in DATATYPES.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model. A dimension of −1 is free. ``datatype`` is a key of `DATATYPES`."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes into a model and what comes out. Empty where its server does not say."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


class Inference(NamedTuple):
    """What a model answered: arrays by the names of its outputs, and how long it took."""

    engine: str
    model: str
    outputs: Mapping[str, Array]
    latency_ms: float


class InferenceEngine(Protocol):
    """Runs models by name. Keeps nothing of what it is asked. Safe for threads."""

    @property
    def name(self) -> str:
        """What the engine is called."""
        ...

    def models(self) -> Sequence[str]:
        """Return the names of the models that are known to be there; a server of others may not tell.

        Raises:
            Unavailable: no usable answer in time.
        """
        ...

    def signature(self, model: str) -> Signature:
        """Return what a model takes and gives.

        Raises:
            NotFound: there is no such model.
            Unavailable: no usable answer in time.
        """
        ...

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Inference:
        """Return the outputs of a model, or those that are named.

        Raises:
            NotFound: there is no such model.
            Invalid: an input is missing, unknown, of another kind or shape, or not finite; or an output is unknown.
            Unavailable: no usable answer in time.
        """
        ...


def datatype_of(values: Array) -> str:
    """Return the protocol's word for an array's kind.

    Raises:
        Invalid: it has none.
    """
    word = _WORDS.get(values.dtype)
    if word is None:
        known = ", ".join(DATATYPES)
        raise Invalid(f"an array of {values.dtype} cannot be sent to a model; known: {known}", code="invalid_tensor")
    return word


def check_inputs(signature: Signature, inputs: Mapping[str, Array]) -> None:
    """Check that a model can take these inputs. Servers answer 500 to what is wrong, so it is found here.

    Raises:
        Invalid: it cannot; the errors say which input and why.
    """
    wanted = signature.inputs
    if _fit(wanted, inputs):
        return
    by_name = {spec.name: spec for spec in wanted}
    problems = [FieldError(f"inputs.{name}", "is missing") for name in by_name if name not in inputs]
    for name, values in inputs.items():
        problem = _problem(values, by_name.get(name)) if wanted else _not_usable(values)
        if problem is not None:
            problems.append(FieldError(f"inputs.{name}", problem))
    if problems:
        first = f"{problems[0].field} {problems[0].message}"
        raise Invalid(f"the model cannot take this: {first}", code="invalid_tensor", errors=problems)


def _fit(wanted: Sequence[TensorSpec], inputs: Mapping[str, Array]) -> bool:
    """Return whether nothing is wrong; a matter of a microsecond, so that no words are made for what is right."""
    if len(wanted) != len(inputs):
        return False
    for spec in wanted:  # noqa: SIM110 (all() costs more than what it asks)
        if _problem(inputs.get(spec.name), spec) is not None:
            return False
    return True


def _problem(values: Array | None, spec: TensorSpec | None) -> str | None:
    if values is None or spec is None:
        return "is not an input of the model"
    if values.dtype != DATATYPES.get(spec.datatype):
        return f"must be {spec.datatype}"
    if not _has_shape(values.shape, spec.shape):
        return f"must have the shape {list(spec.shape)}, not {list(values.shape)}"
    return _not_usable(values)


def _has_shape(have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    if len(have) != len(want):
        return False
    for found, size in zip(have, want, strict=True):  # noqa: SIM110
        if size not in (found, -1):
            return False
    return True


def _not_usable(values: Array) -> str | None:
    kind = values.dtype.kind
    if kind == "f":
        # The sum of squares, the quickest to have, is finite where all are and none is huge.
        finite = math.isfinite(np.vdot(values, values)) or np.isfinite(values).all()
        return None if finite else "must be finite"
    if kind == "O":
        return None if all(_is_text(item) for item in values.reshape(-1)) else "must be text"
    return None


def _is_text(item: object) -> bool:
    try:
        return isinstance(item, str) and item.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
