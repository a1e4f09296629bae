"""Models behind another server over the Open Inference Protocol v2, REST
(https://github.com/kserve/open-inference-protocol): Triton, MLServer, KServe, or our own ``engine serve onnx``.

Servers answer 500 to inputs of a wrong shape, so inputs are checked here, against what the server says of the model.
That is asked once per model and kept. Data is JSON; the protocol's binary extension is not used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from adapters.engines.http import EngineHttp, EngineRefused
from domain.common.errors import Invalid, NotFound, Unavailable
from domain.common.ids import new_id
from domain.engines.ports import REMOTE
from domain.intelligence.inference import Array, Inference, Signature, check_inputs
from domain.intelligence.tensors import read_spec, read_tensors, tensor_json

MOST_ANSWER_BYTES = 64 << 20

_WRONG = (400, 413, 422)
_MOST_KNOWN = 256


@dataclass(frozen=True, slots=True)
class _Known:
    """What a server says of a model; ``words`` are its own datatypes of the inputs."""

    signature: Signature
    words: Mapping[str, str]


class RemoteInference:
    """``InferenceEngine`` behind a URL. Safe for threads."""

    name = REMOTE

    def __init__(self, http: EngineHttp) -> None:
        self._http = http
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def ready(self, model: str | None = None) -> bool:
        """Return whether the server, or a model of it, takes questions.

        Raises:
            Unavailable: no usable answer in time.
        """
        return self._http.accepts("/v2/health/ready" if model is None else f"{_path(model)}/ready")

    def models(self) -> Sequence[str]:
        """Return the models of the server's repository; none where it does not tell."""
        try:
            found = self._http.post("/v2/repository/index", {})
        except EngineRefused:
            return self._listed()
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise _unusable("the list of models is none")
        return _names(item.get("name") for item in found if item.get("state") in (None, "", "READY"))

    def signature(self, model: str) -> Signature:
        """Return what a model takes and gives, datatypes widened to ours; empty where its server does not say."""
        return self._find(model).signature

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Inference:
        """Return the outputs of a model."""
        known = self._fitting(model, inputs, outputs)
        request_id = new_id()
        body: dict[str, Any] = {
            "id": request_id,
            "inputs": [tensor_json(name, values, known.words.get(name)) for name, values in inputs.items()],
        }
        if outputs:
            body["outputs"] = [{"name": name} for name in outputs]
        started = time.perf_counter()
        answer = self._asked(model, body)
        latency_ms = (time.perf_counter() - started) * 1000
        return Inference(REMOTE, model, _outputs(answer, request_id, known.signature, outputs), latency_ms)

    def _listed(self) -> list[str]:
        """Return the models as KServe lists them, which has no repository."""
        try:
            found = self._http.get("/v2/models")
        except EngineRefused:
            return []
        listed = found.get("models") if isinstance(found, dict) else None
        return _names(listed) if isinstance(listed, list) else []

    def _asked(self, model: str, body: dict[str, Any]) -> Any:
        try:
            return self._http.post(f"{_path(model)}/infer", body)
        except EngineRefused as error:
            if error.status == 404:
                with self._lock:
                    self._known.pop(model, None)
                raise _missing(model) from error
            if error.status in _WRONG:
                raise Invalid(f"the model cannot take this: {error.said}", code="invalid_tensor") from error
            raise

    def _fitting(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> _Known:
        """Return what is known of a model, asked again where the question does not fit it: it may have changed."""
        kept = model in self._known
        known = self._find(model)
        try:
            _check(known.signature, inputs, outputs)
        except Invalid:
            if not kept:
                raise
            known = self._ask(model)
            _check(known.signature, inputs, outputs)
        return known

    def _find(self, model: str) -> _Known:
        return self._known.get(model) or self._ask(model)

    def _ask(self, model: str) -> _Known:
        try:
            found = _read_model(self._http.get(_path(model)))
        except EngineRefused as error:
            if error.status in (400, 404):  # Triton says 400
                raise _missing(model) from error
            raise
        with self._lock:
            self._known[model] = found
            while len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return found


def _names(listed: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(name for name in listed if isinstance(name, str)))


def _path(model: str) -> str:
    if model in ("", ".", ".."):
        raise _missing(model)
    try:
        return f"/v2/models/{quote(model, safe='')}"
    except UnicodeEncodeError:
        raise _missing("") from None


def _check(signature: Signature, inputs: Mapping[str, Array], outputs: Sequence[str]) -> None:
    check_inputs(signature, inputs)
    names = [spec.name for spec in signature.outputs]
    if names and not set(outputs) <= set(names):
        raise _no_output(names)


def _read_model(answer: Any) -> _Known:
    if not isinstance(answer, dict):
        raise _unusable("what it says of the model is no object")
    listed = [answer.get(name) or [] for name in ("inputs", "outputs")]
    if not all(isinstance(items, list) for items in listed):
        raise _unusable("what it says of the model is no list")
    try:
        inputs, outputs = (tuple(read_spec(item) for item in items) for items in listed)
    except Invalid as error:
        raise _unusable(error.detail) from error
    return _Known(Signature(inputs, outputs), {item["name"]: item["datatype"] for item in listed[0]})


def _outputs(answer: Any, request_id: str, signature: Signature, wanted: Sequence[str]) -> dict[str, Array]:
    if not isinstance(answer, dict):
        raise _unusable("it is not an object")
    if answer.get("id") not in (None, "", request_id):
        raise _unusable("it answers another question")
    try:
        found = read_tensors(answer.get("outputs"))
    except Invalid as error:
        raise _unusable(error.detail) from error
    told = [spec.name for spec in signature.outputs]
    names = list(wanted) or told or list(found)
    if not found or not found.keys() >= set(names):
        raise _unusable("outputs are missing") if told or not found else _no_output(list(found))
    return {name: found[name] for name in names}


def _no_output(names: Sequence[str]) -> Invalid:
    return Invalid(f"the model has no such output; it has: {', '.join(names)}", code="invalid_tensor")


def _missing(model: str) -> NotFound:
    return NotFound(f"the model server has no model {model[:64]!r}", code="model_not_found")


def _unusable(reason: str) -> Unavailable:
    return Unavailable(f"the model server's answer cannot be used: {reason}", code="engine_answer_unusable")
