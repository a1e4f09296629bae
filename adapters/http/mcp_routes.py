"""``/mcp/…``: the account behind the broker's MCP server, under the names that clients have known from the start."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response, request

from adapters.http import order_schemas, requests
from adapters.http import trading_schemas as schemas
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.order_routes import PLACING, new_order, order_response
from adapters.http.representations import json_response
from adapters.http.schemas import LocationHeaders
from adapters.http.state import HttpState
from adapters.http.trading_login import ask_login
from domain.common.errors import Conflict, Unavailable
from domain.identity.model import Scope
from domain.trading.brokerage import BrokerPosition, SessionState
from domain.trading.queries import AccountNow
from domain.trading.records import BrokerState
from domain.trading.views import holding_view, moment, money

BROKER = "mcp"


def mcp_routes(state: HttpState) -> Blueprint:
    """Return the routes of the MCP account."""
    routes = Blueprint("mcp", __name__)
    _add_login(routes, state)
    _add_books(routes, state)
    _add_orders(routes, state)
    return routes


def _add_login(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.get("/mcp/login")
    @documented(
        Operation(
            tag="mcp",
            access=Scope.ORDERS_WRITE,
            query=schemas.AccountQuery,
            responses={200: schemas.BrokerLogin},
            problems=(400, 404, 422, 503),
        )
    )
    async def login() -> Response:
        """Ask the broker for a login link, or learn that none is needed.

        Open the link in a browser; orders that wait are sent once the broker says that somebody logged in.
        """
        query = requests.Query(request.args, "account")
        account = query.text("account")
        query.done()
        user_id = principal().user_id

        def ask() -> dict[str, Any]:
            return ask_login(trading, trading.find_account(user_id, account, BROKER).id)

        return json_response(await state.offload(ask))


def _known(found: AccountNow) -> BrokerState:
    """Return what was read of a broker.

    Raises:
        Conflict: somebody must log in first.
        Unavailable: it was not read yet, or does not answer.
    """
    state = found.state
    if state is not None and state.session.state is SessionState.NEEDS_LOGIN:
        raise Conflict("the broker wants a login; GET /mcp/login tells where", code="broker_login_required")
    if state is None or state.positions_at is None or state.session.state is SessionState.DOWN:
        detail = "it was not read yet" if state is None else state.session.detail or state.reconcile_error
        raise Unavailable(f"the broker cannot be read: {detail}", code="broker_unavailable")
    return state


def _add_books(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    async def find() -> AccountNow:
        query = requests.Query(request.args, "account")
        account = query.text("account")
        query.done()
        user_id = principal().user_id

        def read() -> AccountNow:
            found = trading.find_account(user_id, account, BROKER)
            return trading.read.account(found.id, user_id)

        return await state.offload(read)

    @routes.get("/mcp/holdings")
    @documented(
        Operation(
            tag="mcp",
            access=Scope.ORDERS_READ,
            query=schemas.AccountQuery,
            responses={200: schemas.McpHoldings},
            problems=(400, 404, 409, 422, 503),
        )
    )
    async def holdings() -> Response:
        """List the holdings as the broker showed them when it was last read."""
        found = await find()
        known = _known(found)
        items = [holding_view(holding, found.account) for holding in known.holdings]
        return json_response({**_head(found, known.holdings_at), "items": items})

    @routes.get("/mcp/positions")
    @documented(
        Operation(
            tag="mcp",
            access=Scope.ORDERS_READ,
            query=schemas.AccountQuery,
            responses={200: schemas.McpPositions},
            problems=(400, 404, 409, 422, 503),
        )
    )
    async def positions() -> Response:
        """List the positions as the broker showed them when it was last read."""
        found = await find()
        known = _known(found)
        items = [_position(item, found.account.currency) for item in known.positions if item.quantity]
        return json_response({**_head(found, known.positions_at), "items": items})


def _head(found: AccountNow, at: int | None) -> dict[str, Any]:
    return {"as_of": moment(at), "broker": found.account.broker, "account": found.account.id}


def _position(item: BrokerPosition, currency: str) -> dict[str, Any]:
    return {
        "symbol": item.symbol,
        "product": None if item.product is None else item.product.value,
        "side": "long" if item.quantity > 0 else "short",
        "quantity": money(item.quantity),
        "average_price": money(item.average_price),
        "last_price": money(item.last_price),
        "pnl": money(item.pnl),
        "currency": currency,
    }


def _add_orders(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/mcp/orders")
    @documented(
        Operation(
            tag="mcp",
            access=Scope.ORDERS_WRITE,
            request=order_schemas.McpOrderRequest,
            headers=order_schemas.PlaceHeaders,
            responses={202: order_schemas.Order, 200: order_schemas.Order},
            response_headers={202: LocationHeaders, 200: LocationHeaders},
            notes=PLACING,
            problems=(400, 404, 409, 413, 415, 422, 503),
        )
    )
    async def place_order() -> Response:
        """Place an order in the account with the MCP broker: the same as `POST /orders` with that broker."""
        placed = await state.offload(trading.place, await new_order(BROKER), actor=principal().username)
        return order_response(placed.order, 202 if placed.created else 200)
