"""``/news``: texts of others, pushed and looked at."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import news_schemas as schemas
from adapters.http import requests
from adapters.http.identity import principal
from adapters.http.news_requests import read_news
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from adapters.http.trading_requests import read_body
from domain.common.ids import parse_id
from domain.identity.model import Scope
from domain.intelligence.importing import NewsRules
from domain.intelligence.news import NewsFilter, news_row, news_view
from domain.market.model import parse_symbol

_FILTERS = ("symbol", "source", "since", "until", "limit", "cursor")


def news_routes(state: HttpState) -> Blueprint:
    """Return the routes of news."""
    routes = Blueprint("news", __name__)
    _add_taking(routes, state)
    _add_reading(routes, state)
    return routes


def _add_taking(routes: Blueprint, state: HttpState) -> None:
    intelligence = state.services.intelligence

    @routes.post("/news")
    @documented(
        Operation(
            tag="news",
            access=Scope.DATA_WRITE,
            request=schemas.NewsRequest,
            responses={201: schemas.NewsTaken, 200: schemas.NewsTaken},
            notes={201: "Some were new.", 200: "All were there before; nothing changed."},
            problems=(400, 413, 415, 422, 503),
        )
    )
    async def take_news() -> Response:
        """Keep news, all of it or, where one item is wrong, none.

        Sending it again is harmless: the URL of an item, or else its source, title and time, make it one. For many
        there is `aitrader news import`.
        """
        who = principal()
        rules = NewsRules(who.user_id, intelligence.clock.now_ms(), source=who.username)
        items = read_news(await read_body(), rules)
        done = await state.offload(intelligence.import_news, items)
        return json_response({"new": done.new, "known": done.known}, 201 if done.new else 200)


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    read = state.services.intelligence.read_news

    @routes.get("/news")
    @documented(
        Operation(
            tag="news",
            access=Scope.SIGNALS_READ,
            query=schemas.NewsQuery,
            responses={200: schemas.NewsPage},
            problems=(400, 422, 503),
        )
    )
    async def list_news() -> Response:
        """List news, imported last first."""
        query = requests.Query(request.args, *_FILTERS)
        symbol = query.text("symbol", 45)
        wanted = NewsFilter(
            user_id=principal().user_id,
            symbol=None if symbol is None else parse_symbol(symbol),
            source=query.text("source"),
            since_ms=query.time("since"),
            until_ms=query.time("until"),
        )
        limit, before_id = query.limit(), query.before_id()
        query.done()
        found, following = await state.offload(read.page, wanted, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [news_row(item) for item in found], "next_cursor": cursor})

    @routes.get("/news/<news_id>")
    @documented(
        Operation(
            tag="news",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.News},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_news(news_id: str) -> Response:
        """Read an item with all of its text."""
        requests.no_query(request.args)
        return json_response(news_view(await state.offload(read.get, parse_id(news_id), principal().user_id)))
