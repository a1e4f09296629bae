"""The fields of Alpaca's books."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aitrader.api import (
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderState,
    OrderType,
    Product,
    Side,
    TimeInForce,
)
from plugins.mcp_broker import values
from plugins.mcp_broker.values import number, price, quantity, text, unreadable

Item = Mapping[str, Any]

_TYPES = {kind.value: kind for kind in OrderType}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL, "buy_to_cover": Side.BUY}
_TIMES = {known.value: known for known in TimeInForce}
_WORKING = frozenset({"new", "accepted", "pending_new", "accepted_for_bidding", "held", "partially_filled"})
# Every other word is one of an order that has not ended.
_ENDED = {
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}


def order(item: Item) -> BrokerOrder:
    """Return an order of the book; one by value has the quantity that was filled so far."""
    filled = quantity(item, "filled_qty")
    wanted = quantity(item, "qty") if item.get("qty") is not None else filled
    return BrokerOrder(
        broker_order_id=text(item, "id"),
        tag=item.get("client_order_id") or None,
        symbol=text(item, "symbol"),
        side=values.known(item, "side", _SIDES),
        type=_TYPES.get(str(item.get("type")), OrderType.MARKET),
        quantity=wanted,
        filled_quantity=filled,
        status=_status(text(item, "status"), filled),
        time_in_force=_TIMES.get(str(item.get("time_in_force")), TimeInForce.DAY),
        product=Product.MARGIN,
        price=price(item, "limit_price"),
        trigger_price=price(item, "stop_price"),
        average_price=price(item, "filled_avg_price"),
        created_at=values.moment(item, "created_at"),
    )


def _status(word: str, filled: Decimal) -> OrderState | None:
    if word in _WORKING:
        return OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED
    return _ENDED.get(word)


def submitted_at(item: Item) -> int:
    """Return when an order was submitted.

    Raises:
        Unavailable: it does not say.
    """
    at = values.moment(item, "submitted_at") or values.moment(item, "created_at")
    if at is None:
        raise unreadable("submitted_at", item.get("submitted_at"))
    return at


def fill(item: Item) -> BrokerFill:
    """Return a fill out of an account activity."""
    at, traded, paid = values.moment(item, "transaction_time"), quantity(item, "qty"), number(item, "price")
    if at is None or not traded or paid <= 0:
        raise unreadable("a fill's time, quantity or price", (item.get("transaction_time"), str(traded), str(paid)))
    return BrokerFill(
        broker_fill_id=text(item, "id"),
        broker_order_id=text(item, "order_id"),
        symbol=text(item, "symbol"),
        side=values.known(item, "side", _SIDES),
        quantity=traded,
        price=paid,
        filled_at=at,
    )


def position(item: Item) -> BrokerPosition:
    """Return a position; some answers sign a short one, some only say so."""
    size = abs(number(item, "qty"))
    return BrokerPosition(
        text(item, "symbol"),
        -size if item.get("side") == "short" else size,
        average_price=price(item, "avg_entry_price"),
        last_price=price(item, "current_price"),
        pnl=number(item, "unrealized_pl") if item.get("unrealized_pl") not in (None, "") else None,
        product=Product.MARGIN,
    )
