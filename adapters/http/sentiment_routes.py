"""``/sentiment``: what scored texts add up to, what that was, and which they are."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import requests, time_cursor
from adapters.http import sentiment_schemas as schemas
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.schemas import Model
from adapters.http.state import HttpState
from domain.common.errors import FieldError
from domain.common.time import rfc3339
from domain.identity.model import Scope
from domain.intelligence.aggregating import aggregate_view, decay_view
from domain.intelligence.news import SentimentFilter, scored_view
from domain.intelligence.reading_sentiment import SentimentPoint
from domain.market.model import parse_symbol
from domain.research.sentiment import HOUR_MS, Decay, decay_of

_DECAY = ("half_life_hours", "window_hours")
_MONTH_MS = 30 * 24 * HOUR_MS
_LEAST_STEP_MS = 60_000


def sentiment_routes(state: HttpState) -> Blueprint:
    """Return the routes of sentiment."""
    routes = Blueprint("sentiment", __name__)
    _add_now(routes, state)
    _add_history(routes, state)
    _add_texts(routes, state)
    return routes


def _decay(query: requests.Query) -> tuple[float, float]:
    return query.number("half_life_hours", 48.0), query.number("window_hours", 336.0)


def _operation(query: type[Model], response: type[Model]) -> Operation:
    return Operation(
        tag="sentiment",
        access=Scope.SIGNALS_READ,
        query=query,
        responses={200: response},
        problems=(400, 422, 503),
    )


def _add_now(routes: Blueprint, state: HttpState) -> None:
    read = state.services.intelligence.read_sentiment

    @routes.get("/sentiment")
    @documented(_operation(schemas.SentimentQuery, schemas.SentimentList))
    async def get_sentiment() -> Response:
        """Read what the texts add up to, by symbol; now, or as it was known at any time before.

        A text counts from the moment on at which it could be known, and less and less after it.
        """
        query, now = requests.Query(request.args, "symbol", "as_of", *_DECAY), read.clock.now_ms()
        symbol, as_of, hours = query.text("symbol", 45), query.past("as_of", now), _decay(query)
        query.done()
        decay, at = decay_of(*hours), now if as_of is None else as_of
        symbols = [] if symbol is None else [parse_symbol(symbol)]
        found = await state.offload(read.now, principal().user_id, symbols, at, decay)
        items = [aggregate_view(item) for item in found]
        return json_response({"as_of": rfc3339(at), **decay_view(decay), "items": items})


def _add_history(routes: Blueprint, state: HttpState) -> None:
    read = state.services.intelligence.read_sentiment

    @routes.get("/sentiment/history")
    @documented(_operation(schemas.HistoryQuery, schemas.SentimentHistory))
    async def get_history() -> Response:
        """Read what the texts about a symbol added up to, as it was known at each time."""
        names = ("symbol", "from", "to", "step_hours", *_DECAY)
        query, now = requests.Query(request.args, *names), read.clock.now_ms()
        symbol, start, end = query.required("symbol", 45), query.past("from", now), query.past("to", now)
        step, hours = round(query.number("step_hours", 6.0) * HOUR_MS), _decay(query)
        query.done()
        if step < _LEAST_STEP_MS:
            requests.refuse_query([FieldError("step_hours", "must be a minute or more")])
        decay, last = decay_of(*hours), now if end is None else end
        first, name = max(0, last - _MONTH_MS) if start is None else start, parse_symbol(symbol)
        found = await state.offload(read.history, principal().user_id, name, first, last, step, decay)
        return json_response(_history(name, decay, found))


def _history(symbol: str, decay: Decay, found: list[SentimentPoint]) -> dict[str, object]:
    items = [
        {"time": rfc3339(point.at), "score": point.score, "weight": point.weight, "count": point.count}
        for point in found
    ]
    return {"symbol": symbol, **decay_view(decay), "items": items}


def _add_texts(routes: Blueprint, state: HttpState) -> None:
    read = state.services.intelligence.read_sentiment

    @routes.get("/sentiment/items")
    @documented(_operation(schemas.TextQuery, schemas.TextPage))
    async def list_texts() -> Response:
        """List scored texts, available last first."""
        names = ("symbol", "source", "since", "until", "limit", "cursor")
        query = requests.Query(request.args, *names)
        symbol = query.text("symbol", 45)
        wanted = SentimentFilter(
            user_id=principal().user_id,
            symbol=None if symbol is None else parse_symbol(symbol),
            source=query.text("source"),
            since_ms=query.time("since"),
            until_ms=query.time("until"),
        )
        limit, cursor = query.limit(), request.args.get("cursor")
        before = None if cursor is None else time_cursor.read(cursor)
        query.done()
        found, following = await state.offload(read.items, wanted, before=before, limit=limit)
        following_cursor = None if following is None else time_cursor.write(*following)
        return json_response({"items": [scored_view(row) for row in found], "next_cursor": following_cursor})
