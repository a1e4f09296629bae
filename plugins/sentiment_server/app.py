"""A sentiment engine over HTTP, in the predecessor's dialect (``/analyze``) and in that of TEI (``/predict``)."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from aitrader.api import API_VERSION, AITraderError, Invalid, Polarity, Sentiment, SentimentEngine
from plugins.sentiment_server.options import SentimentOptions
from plugins.sentiment_server.wire import (
    Refused,
    analyzed,
    authenticity_of,
    parse_analyze,
    parse_predict,
    predicted,
)

log = logging.getLogger(__name__)


class Scorer:
    """Scores texts in a few threads, so that the event loop stays free."""

    def __init__(self, engine: SentimentEngine, options: SentimentOptions) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="sentiment")
        self._most = options.threads + options.waiting
        self._inside = 0

    async def __call__(self, texts: list[str]) -> list[Sentiment]:
        """Return what the engine says of texts.

        Raises:
            Refused: too many wait already.
        """
        if self._inside >= self._most:
            raise Refused(429, "Overloaded", "too many questions wait; ask again in a moment")
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._engine.score, texts)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def make_app(options: SentimentOptions, engine: SentimentEngine) -> Quart:
    """Return the application."""
    app = Quart("sentiment_server")
    app.config["MAX_CONTENT_LENGTH"] = options.most_bytes
    score = Scorer(engine, options)
    _add_scoring(app, options, engine, score)
    _add_facts(app, options, engine)
    _add_errors(app)

    @app.before_serving
    async def prepare() -> None:
        await asyncio.to_thread(lambda: engine.model)  # an engine may take a while to load; nobody is to wait for it

    @app.after_serving
    async def stop() -> None:
        score.close()

    return app


def _add_scoring(app: Quart, options: SentimentOptions, engine: SentimentEngine, score: Scorer) -> None:
    @app.post("/predict")
    async def predict() -> Response:
        texts, batch, truncate, raw = parse_predict(await request.get_data(), options.batch)
        found = await score(texts)
        if not truncate and any(item.truncated for item in found):
            raise Refused(413, "Validation", "a text is longer than the engine reads; shorten it, or set truncate")
        answers = [predicted(item, raw) for item in found]
        return _json(answers if batch else answers[0])

    @app.post("/analyze")
    async def analyze() -> Response:
        text, source = parse_analyze(await request.get_data())
        (found,) = await score([text])
        authenticity = authenticity_of(source, options.sources, options.authenticity)
        return _json(analyzed(text, source, found, engine.model, authenticity))


def _add_facts(app: Quart, options: SentimentOptions, engine: SentimentEngine) -> None:
    labels = [polarity.value for polarity in Polarity]
    classifier = {
        "id2label": {str(place): label for place, label in enumerate(labels)},
        "label2id": {label: place for place, label in enumerate(labels)},
    }

    @app.get("/info")
    async def info() -> Response:
        return _json(
            {
                "model_id": engine.model,
                "model_sha": None,
                "model_dtype": "float32",
                "model_type": {"classifier": classifier},
                "max_concurrent_requests": options.threads + options.waiting,
                "max_client_batch_size": options.batch,
                "auto_truncate": True,
                "version": API_VERSION,
            }
        )

    @app.get("/health")
    async def health() -> Response:
        return _json({"ok": True, "has_hf": True, "engine": engine.name, "model": engine.model})


def _add_errors(app: Quart) -> None:
    @app.errorhandler(Refused)
    async def refused(error: Refused) -> Response:
        return _problem(error.status, error.kind, error.detail)

    @app.errorhandler(Invalid)
    async def invalid(error: Invalid) -> Response:
        return _problem(422, "Tokenizer", error.detail)

    @app.errorhandler(AITraderError)
    async def unavailable(error: AITraderError) -> Response:
        return _problem(424, "Backend", error.detail)

    @app.errorhandler(RequestEntityTooLarge)
    async def too_large(error: RequestEntityTooLarge) -> Response:
        return _problem(413, "Validation", f"the question is longer than {app.config['MAX_CONTENT_LENGTH']} bytes")

    @app.errorhandler(HTTPException)
    async def odd(error: HTTPException) -> Response:
        return _problem(error.code or 500, "Validation", error.name)

    @app.errorhandler(Exception)
    async def failed(error: Exception) -> Response:
        log.error("a question failed", exc_info=error)
        return _problem(500, "Backend", "the server failed; its log says why")


def _problem(status: int, kind: str, detail: str) -> Response:
    return _json({"error": detail, "error_type": kind}, status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")
