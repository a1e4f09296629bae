"""Somebody else's strategy engine over HTTP: ``POST /decide`` and ``/submit_reward`` of the predecessor's dialect.

What the dialect knows is sent as it knows it; what it does not (context, parameters, times) is sent beside it, and
engines that do not know it leave it alone. An answer without size or stop is sized here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.engines.http import EngineHttp
from domain.common.errors import Unavailable
from domain.common.time import rfc3339
from domain.decisions.inputs import market_view, standing_view
from domain.decisions.model import Action
from domain.decisions.ports import SENTIMENT, DecideRequest, Opinion, Reward
from domain.engines.ports import REMOTE

_MOST_RATIONALE = 1000
_MOST_QUANTITY = Decimal(10) ** 12


class RemoteStrategyEngine:
    """``StrategyEngine`` behind a URL. Safe for threads."""

    name = REMOTE

    def __init__(self, http: EngineHttp) -> None:
        self._http = http

    def decide(self, request: DecideRequest) -> Opinion:
        """Return what the engine says of the symbol; hold when it says nothing of it."""
        answer = self._http.post("/decide", decide_body(request))
        if not isinstance(answer, list):
            raise _unusable("it is not a list of decisions")
        mine = next((item for item in answer if _is_of(item, request.signal.symbol)), None)
        if mine is None:
            return Opinion(Action.HOLD, 0.0, "the engine says nothing of this symbol")
        return parse_opinion(mine)

    def reward(self, reward: Reward) -> None:
        """Tell what came of an earlier opinion."""
        params = {"symbol": reward.symbol, "model": reward.strategy, "reward": repr(reward.reward)}
        self._http.post("/submit_reward", params=params)


def decide_body(request: DecideRequest) -> dict[str, Any]:
    """Return the body of ``POST /decide``."""
    symbol = request.signal.symbol
    others = [item for item in request.evidence if item.kind != SENTIMENT]
    return {
        "signals": [
            {
                "symbol": symbol,
                "score": item.score,
                "source": item.kind,
                "pattern": item.pattern,
                "producer": item.source,
                "time": rfc3339(item.time_ms),
            }
            for item in others
        ],
        "sentiment": [
            {"symbol": symbol, "sentiment_score": item.score, "authenticity_score": 1.0}
            for item in request.evidence
            if item.kind == SENTIMENT
        ],
        "strategy_weights": request.params.weights,
        "threshold": request.params.threshold,
        "decision_id": request.decision_id,
        "strategy": request.strategy,
        "as_of": rfc3339(request.as_of),
        "expires_at": rfc3339(request.expires_at),
        "context": {symbol: {**market_view(request.market), **standing_view(request.standing)}},
    }


def parse_opinion(item: Mapping[str, Any]) -> Opinion:
    """Return the opinion that an engine answered.

    Raises:
        Unavailable: it cannot be used; the message says why.
    """
    words = [action.value for action in Action]
    if item.get("action") not in words:
        raise _unusable(f"action must be one of: {', '.join(words)}")
    confidence = _number(item, "confidence")
    if confidence is None or not 0 <= confidence <= 1:
        raise _unusable("confidence must be a number from 0 to 1")
    prices = {name: _number(item, name) for name in ("stop", "target")}
    if any(value is not None and value <= 0 for value in prices.values()):
        raise _unusable("stop and target must be above 0")
    rationale = item.get("rationale", "")
    return Opinion(
        Action(item["action"]),
        confidence,
        rationale[:_MOST_RATIONALE] if isinstance(rationale, str) else "",
        _quantity(item.get("quantity")),
        prices["stop"],
        prices["target"],
    )


def _is_of(item: object, symbol: str) -> bool:
    if not isinstance(item, dict):
        raise _unusable("a decision is not an object")
    return item.get("symbol") in (symbol, symbol.rpartition(":")[2])


def _number(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _unusable(f"{name} must be a number")
    return float(value)


def _quantity(value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        quantity = Decimal(str(value)) if isinstance(value, (str, int, float)) else Decimal("NaN")
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not quantity.is_finite() or not 0 <= quantity <= _MOST_QUANTITY or quantity != round(quantity, 8):
        raise _unusable("quantity must be a number from 0, with at most 8 decimal places")
    return quantity


def _unusable(reason: str) -> Unavailable:
    return Unavailable(f"the strategy engine's answer cannot be used: {reason}", code="engine_answer_unusable")
