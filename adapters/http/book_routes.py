"""``/fills``, ``/positions``, ``/holdings``, ``/quotes``: what was traded and what is held, at which price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from quart import Blueprint, Response, request

from adapters.http import order_schemas, requests
from adapters.http import trading_schemas as schemas
from adapters.http.bodies import Fields
from adapters.http.identity import principal
from adapters.http.json_body import read_object
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.errors import FieldError, Invalid
from domain.common.ids import parse_id
from domain.common.time import SystemClock
from domain.identity.model import Scope
from domain.market.model import parse_symbol
from domain.trading.brokerage import Quote
from domain.trading.views import fill_view, holding_view, moment, position_view

_MOST_QUOTES = 500
_FUTURE_MS = 5_000


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
        requests.require_json(request.headers)
        requests.no_query(request.args)
        quotes = _quotes(read_object(await request.get_data(cache=False)), principal().username)
        await state.offload(trading.save_quotes, quotes)
        return json_response({"accepted": len(quotes)}, 202)


def _quotes(body: dict[str, Any], source: str) -> list[Quote]:
    items = body.get("items")
    if set(body) != {"items"} or not isinstance(items, list) or not 1 <= len(items) <= _MOST_QUOTES:
        message = f"must be a list of 1 to {_MOST_QUOTES} prices, and the only field"
        raise Invalid("the request is not valid", code="invalid_request", errors=[FieldError("items", message)])
    return [_quote(item, place, source) for place, item in enumerate(items)]


def _quote(item: Any, place: int, source: str) -> Quote:
    if not isinstance(item, dict):
        raise _wrong(place, [FieldError("", "must be an object")])
    fields, now = Fields(item), SystemClock().now_ms()
    time = requests.moment(item.get("time"))
    fields.optional_text("time", 64)
    symbol, price = fields.text("symbol", 45), fields.decimal("price")
    bid, ask, volume = (fields.optional_decimal(name) for name in ("bid", "ask", "volume"))
    try:
        fields.done()
        symbol = parse_symbol(symbol)
    except Invalid as error:
        raise _wrong(place, list(error.errors)) from None
    if time is not None and time > now + _FUTURE_MS:
        raise _wrong(place, [FieldError("time", "is in the future")])
    if any(value is not None and value <= 0 for value in (price, bid, ask)) or (volume or Decimal(0)) < 0:
        raise _wrong(place, [FieldError("price", "prices must be above 0, volume 0 or above")])
    return Quote(symbol, price, now if time is None else time, bid, ask, volume, source)


def _wrong(place: int, errors: list[FieldError]) -> Invalid:
    named = [FieldError(f"items.{place}.{error.field}".rstrip("."), error.message) for error in errors]
    return Invalid("a price is not valid", code="invalid_request", errors=named)
