"""``/fills``, ``/positions``, ``/holdings``, ``/quotes``: what was traded and what is held, at which price."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import order_schemas, requests
from adapters.http import trading_schemas as schemas
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from adapters.http.trading_requests import read_body, read_quotes, read_symbols
from domain.common.ids import parse_id
from domain.identity.model import Scope
from domain.trading.brokerage import Quote
from domain.trading.views import fill_view, holding_view, moment, position_view, quote_view

# 100 symbols of 45 characters, and their commas.
_SYMBOLS_LENGTH = 4600


def book_routes(state: HttpState) -> Blueprint:
    """Return the routes of books."""
    routes = Blueprint("books", __name__)
    _add_books(routes, state)
    _add_quotes(routes, state)
    return routes


def _add_books(routes: Blueprint, state: HttpState) -> None:
    read = state.services.trading.read

    @routes.get("/fills")
    @documented(
        Operation(
            tag="books",
            access=Scope.ORDERS_READ,
            query=order_schemas.FillQuery,
            responses={200: order_schemas.FillPage},
            problems=(400, 422, 503),
        )
    )
    async def list_fills() -> Response:
        """List fills, newest first."""
        query = requests.Query(request.args, "account", "order_id", "limit", "cursor")
        account, order_id, limit = query.text("account"), query.text("order_id"), query.limit()
        before_id = query.before_id()
        query.done()
        fills, following = await state.offload(
            read.fills,
            principal().user_id,
            account=account,
            order_id=None if order_id is None else parse_id(order_id),
            before_id=before_id,
            limit=limit,
        )
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [fill_view(fill) for fill in fills], "next_cursor": cursor})

    @routes.get("/positions")
    @documented(
        Operation(
            tag="books",
            access=Scope.ORDERS_READ,
            query=schemas.PositionQuery,
            responses={200: schemas.Positions},
            problems=(400, 404, 422, 503),
        )
    )
    async def list_positions() -> Response:
        """List positions: the fold of the fills, valued at the last known prices."""
        query = requests.Query(request.args, "account", "broker", "flat")
        account, broker, flat = query.text("account"), query.text("broker"), query.flag("flat")
        query.done()
        found = await state.offload(read.positions, principal().user_id, account=account, broker=broker, flat=flat)
        items = [position_view(item.position, item.account, item.quote) for item in found]
        return json_response({"items": items})

    @routes.get("/holdings")
    @documented(
        Operation(
            tag="books",
            access=Scope.ORDERS_READ,
            query=schemas.BookQuery,
            responses={200: schemas.Holdings},
            problems=(400, 404, 422, 503),
        )
    )
    async def list_holdings() -> Response:
        """List what depositories showed when they were last read."""
        query = requests.Query(request.args, "account", "broker")
        account, broker = query.text("account"), query.text("broker")
        query.done()
        found, as_of = await state.offload(read.holdings, principal().user_id, account=account, broker=broker)
        items = [holding_view(holding, owner) for owner, holding in found]
        return json_response({"as_of": moment(as_of), "items": items})


def _add_quotes(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/quotes")
    @documented(
        Operation(
            tag="books",
            access=Scope.DATA_WRITE,
            request=schemas.QuotesRequest,
            responses={202: schemas.QuotesTaken},
            notes={202: "Stored; paper orders trade on them."},
            problems=(400, 413, 415, 422, 503),
        )
    )
    async def push_quotes() -> Response:
        """Push prices. One that is older than what is known of its symbol changes nothing."""
        quotes = read_quotes(await read_body(), principal().username, trading.read.clock.now_ms())
        await state.offload(trading.save_quotes, quotes)
        return json_response({"accepted": len(quotes)}, 202)

    @routes.get("/quotes")
    @documented(
        Operation(
            tag="books",
            access=Scope.ORDERS_READ,
            query=schemas.QuoteQuery,
            responses={200: schemas.Quotes},
            problems=(400, 422, 503),
        )
    )
    async def list_quotes() -> Response:
        """List the last known prices, at which positions are valued.

        Without `symbols`, those of what you hold. A symbol without a known price is left out.
        """
        query = requests.Query(request.args, "symbols")
        text, user_id = query.text("symbols", _SYMBOLS_LENGTH), principal().user_id
        query.done()
        symbols = None if text is None else read_symbols(text)

        def find() -> list[Quote | None]:
            if symbols is not None:
                return [trading.read.quotes.last(symbol) for symbol in symbols]
            held = {item.position.symbol: item.quote for item in trading.read.positions(user_id)}
            return list(held.values())

        found = await state.offload(find)
        return json_response({"items": [quote_view(quote) for quote in found if quote is not None]})
