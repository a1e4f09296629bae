"""The engine over HTTP: ``POST /decide``, ``POST /submit_reward``, ``GET /leaderboard`` and ``GET /health``.

It is the dialect of the predecessor's engine on :8082. What it learns is the leaderboard, which lives as long as the
process; decisions depend on the request alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from quart import Quart, Response, jsonify, request

from aitrader.api import Evidence, weigh
from plugins.strategy_engine.leaderboard import Leaderboard
from plugins.strategy_engine.options import StrategyOptions

_MOST_BYTES = 1 << 20
_MOST_ERRORS = 20
Share = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
Symbol = Annotated[str, Field(min_length=1, max_length=45)]


class _Lenient(BaseModel):
    """A part of a request. Callers send more than this engine looks at."""

    model_config = ConfigDict(extra="ignore", strict=True)


class SignalIn(_Lenient):
    """An opinion on a symbol; ``source`` is ``pattern`` or ``strategy``."""

    symbol: Symbol
    score: Share
    source: str = Field("pattern", max_length=64)


class SentimentIn(_Lenient):
    """A sentiment on a symbol; what is not authentic counts less."""

    symbol: Symbol
    sentiment_score: Share
    authenticity_score: float = Field(1.0, ge=0, le=1, allow_inf_nan=False)


class WeightsIn(_Lenient):
    """What each kind of evidence counts."""

    pattern: float = Field(0.6, ge=0, le=1)
    sentiment: float = Field(0.3, ge=0, le=1)
    strategy: float = Field(0.1, ge=0, le=1)


class DecideIn(_Lenient):
    """The body of ``POST /decide``."""

    signals: list[SignalIn] = Field(default_factory=list, max_length=10_000)
    sentiment: list[SentimentIn] = Field(default_factory=list, max_length=10_000)
    strategy_weights: WeightsIn = WeightsIn(pattern=0.6, sentiment=0.3, strategy=0.1)
    threshold: float | None = Field(None, ge=0, le=1)


class RewardIn(BaseModel):
    """The query of ``POST /submit_reward``."""

    symbol: Symbol
    model: str = Field(min_length=1, max_length=64)
    reward: float = Field(allow_inf_nan=False)


class TopIn(BaseModel):
    """The query of ``GET /leaderboard``."""

    top: int = Field(10, ge=1, le=1000)


def decide(body: DecideIn, threshold: float) -> list[dict[str, Any]]:
    """Return a decision for each symbol that a signal names, in the order they are first named."""
    limit = threshold if body.threshold is None else body.threshold
    found: dict[str, list[Evidence]] = {}
    for signal in body.signals:
        kind = "strategy" if signal.source == "strategy" else "pattern"
        found.setdefault(signal.symbol, []).append(Evidence(kind, signal.score, signal.source, "", 0))
    for item in body.sentiment:
        if item.symbol in found:
            score = item.sentiment_score * item.authenticity_score
            found[item.symbol].append(Evidence("sentiment", score, "sentiment", "", 0))
    return [_answer(symbol, evidence, body.strategy_weights, limit) for symbol, evidence in found.items()]


def _answer(symbol: str, evidence: list[Evidence], weights: WeightsIn, threshold: float) -> dict[str, Any]:
    opinion = weigh(evidence, weights.model_dump(), threshold)
    said = {"confidence": opinion.confidence, "rationale": opinion.rationale}
    return {"symbol": symbol, "action": opinion.action.value, **said}


def make_app(options: StrategyOptions) -> Quart:
    """Return the application."""
    app = Quart("strategy_engine")
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    board = Leaderboard(options.models)

    @app.post("/decide")
    async def post_decide() -> Response:
        body = TypeAdapter(DecideIn).validate_json(await request.get_data())
        return jsonify(decide(body, options.threshold))

    @app.post("/submit_reward")
    async def post_reward() -> Response:
        given = RewardIn.model_validate(request.args.to_dict())
        return jsonify(board.add(given.symbol, given.model, given.reward))

    @app.get("/leaderboard")
    async def get_leaderboard() -> Response:
        return jsonify(board.top(TopIn.model_validate(request.args.to_dict()).top))

    @app.get("/health")
    async def get_health() -> Response:
        return jsonify({"status": "ok", "engine": "evidence", "models": len(board)})

    @app.errorhandler(ValidationError)
    async def invalid(error: ValidationError) -> Response:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_ERRORS]
        errors = [{"field": ".".join(str(step) for step in item["loc"]), "message": item["msg"]} for item in found]
        first = f"{errors[0]['field'] or 'the body'}: {errors[0]['message']}"
        response = jsonify({"title": "Invalid", "status": 422, "detail": first, "errors": errors})
        response.status_code, response.content_type = 422, "application/problem+json"
        return response

    return app
