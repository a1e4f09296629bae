"""The Open Inference Protocol v2, REST (https://github.com/kserve/open-inference-protocol), over an inference engine.

A model has one version, ``1``: another training makes another model. Data is JSON; the protocol's binary extension is
not spoken. Errors are ``{"error": "…"}``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson
from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException

from aitrader.api import (
    API_VERSION,
    AITraderError,
    InferenceEngine,
    Invalid,
    NotFound,
    read_tensors,
    spec_json,
    tensor_json,
)
from plugins.onnx_runner.options import RunnerOptions

log = logging.getLogger(__name__)
T = TypeVar("T")

_VERSION = "1"
_PLATFORM = "onnx_onnxv1"
_STATUSES = {NotFound: 404, Invalid: 400}


class Crowded(AITraderError):
    """Too many questions wait; ask again in a moment."""


class Threads:
    """Answers questions in a few threads, so that the event loop stays free."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._most = threads + waiting
        self._inside = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Return what a call returns.

        Raises:
            Crowded: too many are inside already.
        """
        if self._inside >= self._most:
            raise Crowded
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def make_app(options: RunnerOptions, engine: InferenceEngine) -> Quart:
    """Return the application."""
    app = Quart("onnx_runner")
    app.config["MAX_CONTENT_LENGTH"] = options.most_bytes
    threads = Threads(options.threads, options.waiting)
    _add_server(app, engine, threads)
    _add_models(app, engine, threads)
    _add_errors(app)

    @app.after_serving
    async def stop() -> None:
        threads.close()

    return app


def _add_server(app: Quart, engine: InferenceEngine, threads: Threads) -> None:
    @app.get("/v2")
    async def server() -> Response:
        return _json({"name": "aitrader", "version": API_VERSION, "extensions": ["model_repository"]})

    @app.get("/v2/health/live")
    async def live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        return _json({"ready": True})

    @app.post("/v2/repository/index")
    async def index() -> Response:
        names = await threads.run(engine.models)
        return _json([{"name": name, "version": _VERSION, "state": "READY", "reason": ""} for name in names])


def _add_models(app: Quart, engine: InferenceEngine, threads: Threads) -> None:
    base, versioned = "/v2/models/<model>", "/v2/models/<model>/versions/<version>"

    @app.get(base)
    @app.get(versioned)
    async def metadata(model: str, version: str = _VERSION) -> Response:
        _require_version(version)
        found = await threads.run(lambda: engine.signature(model))
        inputs, outputs = ([spec_json(spec) for spec in specs] for specs in (found.inputs, found.outputs))
        told = {"name": model, "versions": [_VERSION], "platform": _PLATFORM}
        return _json({**told, "inputs": inputs, "outputs": outputs})

    @app.get(f"{base}/ready")
    @app.get(f"{versioned}/ready")
    async def model_ready(model: str, version: str = _VERSION) -> Response:
        _require_version(version)
        await threads.run(lambda: engine.signature(model))
        return _json({"name": model, "ready": True})

    @app.post(f"{base}/infer")
    @app.post(f"{versioned}/infer")
    async def infer(model: str, version: str = _VERSION) -> Response:
        _require_version(version)
        body = await request.get_data()
        return _response(await threads.run(lambda: answer(engine, model, body)))


def answer(engine: InferenceEngine, model: str, body: str | bytes) -> bytes:
    """Return the body that answers the body of a question.

    Raises:
        NotFound: there is no such model.
        Invalid: the question is none, or does not fit the model.
    """
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise Invalid("the body is not an object")
    request_id = asked.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise Invalid("id must be text")
    found = engine.infer(model, read_tensors(asked.get("inputs")), _wanted(asked.get("outputs")))
    told = {} if request_id is None else {"id": request_id}
    outputs = [tensor_json(name, values) for name, values in found.outputs.items()]
    return _dumped({"model_name": model, "model_version": _VERSION, **told, "parameters": {}, "outputs": outputs})


def _wanted(outputs: Any) -> list[str]:
    if outputs is None:
        return []
    if not isinstance(outputs, list):
        raise Invalid("outputs must be a list")
    names = [item.get("name") if isinstance(item, dict) else None for item in outputs]
    if not all(isinstance(name, str) for name in names):
        raise Invalid("each of outputs must be an object with a name")
    return [str(name) for name in names]


def _require_version(version: str) -> None:
    if version != _VERSION:
        raise NotFound(f"each model has the version {_VERSION} alone")


def _add_errors(app: Quart) -> None:
    @app.errorhandler(AITraderError)
    async def refused(error: AITraderError) -> Response:
        found = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
        return _json({"error": error.detail}, next(found, 503))

    @app.errorhandler(HTTPException)
    async def odd(error: HTTPException) -> Response:
        return _json({"error": error.name}, error.code or 500)

    @app.errorhandler(Exception)
    async def failed(error: Exception) -> Response:
        log.error("a question failed", exc_info=error)
        return _json({"error": "the server failed; its log says why"}, 500)


def _json(body: Any, status: int = 200) -> Response:
    return _response(_dumped(body), status)


def _dumped(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _response(body: str | bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="application/json")
