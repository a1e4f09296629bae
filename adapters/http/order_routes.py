"""``/orders``: placing, reading, changing and canceling."""

from __future__ import annotations

import re

from quart import Blueprint, Response, request

from adapters.http import order_schemas as schemas
from adapters.http import requests
from adapters.http.bodies import no_body
from adapters.http.context import request_id
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.persons import require_person
from adapters.http.problems import Refused
from adapters.http.representations import json_response
from adapters.http.schemas import LocationHeaders
from adapters.http.state import HttpState
from adapters.http.trading_requests import TradingFields, read_body
from domain.common.errors import Malformed
from domain.common.ids import parse_id
from domain.identity.model import Scope
from domain.market.model import parse_symbol
from domain.trading.changing import OrderChange
from domain.trading.model import Order, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.placing import NewOrder
from domain.trading.records import OrderFilter
from domain.trading.views import order_event_view, order_path, order_view

_FILTERS = ("account", "broker", "symbol", "status", "strategy", "open", "approval", "limit", "cursor")
_VERSION = re.compile(r'"(\d{1,9})"')
PLACING = {202: "The order is stored and will be sent.", 200: "This Idempotency-Key placed this order before."}


def order_routes(state: HttpState) -> Blueprint:
    """Return the routes of orders."""
    routes = Blueprint("orders", __name__)
    _add_placing(routes, state)
    _add_reading(routes, state)
    _add_changing(routes, state)
    _add_deciding(routes, state)
    return routes


def order_response(order: Order, status: int = 200) -> Response:
    """Return an order with its path and version."""
    headers = {"ETag": f'"{order.version}"'}
    if status in (200, 202) and request.method == "POST":
        headers["Location"] = order_path(order.id)
    return json_response(order_view(order), status, headers)


async def new_order(broker: str | None = None) -> NewOrder:
    """Return the order that the request asks for; with ``broker``, for the account with that one.

    Raises:
        Malformed: there is no Idempotency-Key, or no JSON.
        Invalid: a field is wrong, missing or unknown.
    """
    key = requests.idempotency_key(request.headers)
    if key is None:
        raise Malformed(
            "placing an order needs the header Idempotency-Key, so that repeating the request is harmless",
            code="idempotency_key_required",
        )
    fields = TradingFields(await read_body())
    symbol, side = fields.text("symbol", 45), fields.one_of("side", *Side)
    kind, quantity = fields.one_of("type", *OrderType), fields.quantity("quantity")
    price, trigger = fields.optional_money("price"), fields.optional_money("trigger_price")
    time_in_force = fields.optional_one_of("time_in_force", *TimeInForce) or TimeInForce.DAY
    product = fields.optional_one_of("product", *Product)
    account, strategy = fields.optional_line("account", 64), fields.optional_line("strategy", 64)
    given = fields.optional_line("broker", 64) if broker is None else broker
    duplicate = fields.boolean("allow_duplicate", False)
    fields.done()
    return NewOrder(
        user_id=principal().user_id,
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        quantity=quantity,
        account=account,
        broker=given,
        price=price,
        trigger_price=trigger,
        time_in_force=TimeInForce(time_in_force),
        product=None if product is None else Product(product),
        strategy=strategy,
        idempotency_key=key,
        allow_duplicate=duplicate,
        trace=request_id.get(),
    )


def _add_placing(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/orders")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_WRITE,
            request=schemas.OrderRequest,
            headers=schemas.PlaceHeaders,
            responses={202: schemas.Order, 200: schemas.Order},
            response_headers={202: LocationHeaders, 200: LocationHeaders},
            notes=PLACING,
            problems=(400, 404, 409, 413, 415, 422, 503),
        )
    )
    async def place_order() -> Response:
        """Place an order.

        Answers as soon as the order passed the risk gate and is stored; watch it on the WebSocket topic
        `order_updates`. It is sent to its broker once, or never. A refusal of the risk gate is a 403 with its code.
        """
        placed = await state.offload(trading.place, await new_order(), actor=principal().username)
        return order_response(placed.order, 202 if placed.created else 200)


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.get("/orders")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_READ,
            query=schemas.OrderQuery,
            responses={200: schemas.OrderPage},
            problems=(400, 422, 503),
        )
    )
    async def list_orders() -> Response:
        """List orders, newest first."""
        query = requests.Query(request.args, *_FILTERS)
        symbol, status = query.text("symbol", 45), query.one_of("status", *OrderState)
        wanted = OrderFilter(
            user_id=principal().user_id,
            account=query.text("account"),
            broker=query.text("broker"),
            symbol=None if symbol is None else parse_symbol(symbol),
            status=None if status not in set(OrderState) else OrderState(status),
            strategy=query.text("strategy"),
            approval_pending=query.one_of("approval", "pending") is not None,
            open_only=query.flag("open"),
        )
        limit, before_id = query.limit(), query.before_id()
        query.done()
        orders, following = await state.offload(trading.read.orders, wanted, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [order_view(order) for order in orders], "next_cursor": cursor})

    @routes.get("/orders/<order_id>")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_READ,
            responses={200: schemas.Order},
            response_headers={200: schemas.OrderHeaders},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_order(order_id: str) -> Response:
        """Read an order."""
        requests.no_query(request.args)
        return order_response(await state.offload(trading.read.order, parse_id(order_id), principal().user_id))

    @routes.get("/orders/<order_id>/history")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_READ,
            responses={200: schemas.OrderHistory},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_history(order_id: str) -> Response:
        """Read the changes of an order's state, oldest first."""
        requests.no_query(request.args)
        events = await state.offload(trading.read.history, parse_id(order_id), principal().user_id)
        return json_response({"items": [order_event_view(event) for event in events]})


def _add_changing(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/orders/<order_id>/cancel")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_WRITE,
            responses={200: schemas.Order},
            problems=(400, 404, 409, 422, 503),
        )
    )
    async def cancel_order(order_id: str) -> Response:
        """Cancel an order.

        One that was not sent is canceled at once; for one at its broker this is a request (`cancel_requested`). One
        that has ended stays as it is.
        """
        await no_body()
        who = principal()
        return order_response(
            await state.offload(trading.cancel, parse_id(order_id), who.user_id, actor=who.username)
        )

    @routes.patch("/orders/<order_id>")
    @documented(
        Operation(
            tag="orders",
            access=Scope.ORDERS_WRITE,
            request=schemas.OrderChangeRequest,
            headers=schemas.IfMatchHeaders,
            responses={200: schemas.Order},
            response_headers={200: schemas.OrderHeaders},
            problems=(400, 404, 409, 413, 415, 422, 428, 503),
        )
    )
    async def change_order(order_id: str) -> Response:
        """Change quantity or prices of an order that was not sent or is working.

        For one at its broker this is a request (`pending_change`), until the broker confirms it.
        """
        version = if_match()
        fields = TradingFields(await read_body())
        quantity = fields.optional_quantity("quantity")
        change = OrderChange(quantity, fields.optional_money("price"), fields.optional_money("trigger_price"))
        fields.done()
        who = principal()
        found = parse_id(order_id)
        order = await state.offload(trading.change, found, who.user_id, change, version=version, actor=who.username)
        return order_response(order)


def if_match() -> int:
    """Return the version that the request is meant for.

    Raises:
        Refused: 428, there is none.
        Malformed: it is not one of our ETags.
    """
    value = request.headers.get("If-Match")
    if value is None:
        raise Refused(428, "send If-Match with the ETag that you read", code="precondition_required")
    found = _VERSION.fullmatch(value.strip())
    if found is None:
        raise Malformed('If-Match must be an ETag that you read, such as "3"', code="invalid_if_match")
    return int(found.group(1))


def _add_deciding(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading
    operation = Operation(
        tag="orders", access=Scope.ORDERS_WRITE, responses={200: schemas.Order}, problems=(400, 404, 409, 422, 503)
    )

    async def decide(order_id: str, approve: bool) -> Response:
        await no_body()
        who, found = require_person(), parse_id(order_id)
        return order_response(
            await state.offload(trading.decide, found, who.user_id, approve=approve, actor=who.username)
        )

    @routes.post("/orders/<order_id>/approve")
    @documented(operation)
    async def approve_order(order_id: str) -> Response:
        """Say yes to an order that waits for a person. No token may do this."""
        return await decide(order_id, True)

    @routes.post("/orders/<order_id>/refuse")
    @documented(operation)
    async def refuse_order(order_id: str) -> Response:
        """Say no to an order that waits for a person: it is canceled. No token may do this."""
        return await decide(order_id, False)

    @routes.post("/orders/<order_id>/resolve")
    @documented(operation)
    async def resolve_order(order_id: str) -> Response:
        """Say that an unknown order is not at its broker, after looking there. No token may do this.

        An administrator may say it of everyone's.
        """
        await no_body()
        who = require_person()
        user_id = None if Scope.ADMIN in who.scopes else who.user_id
        return order_response(await state.offload(trading.resolve, parse_id(order_id), user_id, actor=who.username))
