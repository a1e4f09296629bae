"""What a decision was made of, as JSON types: kept with it, and sent to engines of others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from domain.common.time import rfc3339
from domain.decisions.ports import DecideRequest, MarketNow, Standing
from domain.market.model import Bars


def inputs_of(request: DecideRequest) -> dict[str, Any]:
    """Return all that a decision was made of."""
    signal = request.signal
    return {
        "as_of": request.as_of,
        "signal": {
            "source": signal.source,
            "signal_id": signal.signal_id,
            "symbol": signal.symbol,
            "score": signal.score,
            "pattern": signal.pattern,
            "time": signal.time_ms,
        },
        "evidence": [asdict(item) for item in request.evidence],
        "params": request.params.to_json(),
        "market": market_view(request.market),
        "standing": standing_view(request.standing),
    }


def market_view(market: MarketNow) -> dict[str, Any]:
    """Return what was known of the market."""
    return {
        "price": market.price,
        "price_at": None if market.price_at is None else rfc3339(market.price_at),
        "timeframe": market.timeframe.value,
        "average_range": market.average_range,
        "volatility": market.volatility,
        "daily_volatility": market.daily_volatility,
        "bars": None if market.bars is None else bars_view(market.bars),
    }


def bars_view(bars: Bars) -> dict[str, Any]:
    """Return bars as columns; times are milliseconds UTC of their opens."""
    names = ("time", "open", "high", "low", "close", "volume")
    return {name: column.tolist() for name, column in zip(names, bars.columns(), strict=True)}


def standing_view(standing: Standing) -> dict[str, Any]:
    """Return how a strategy stands; amounts as decimal text."""
    amounts = {name: getattr(standing, name) for name in ("position", "pending", "equity", "exposure")}
    texts = {name: None if value is None else format(value, "f") for name, value in amounts.items()}
    return {**texts, "currency": standing.currency, "hit_rate": standing.hit_rate}
