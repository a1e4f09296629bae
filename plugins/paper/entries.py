"""What a paper account's journal holds: one JSON object for each thing that happened."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from aitrader.api import Ended, Executed, Order, Product, Triggered, Working
from plugins.paper.ledger import Entry


def working(order: Order, broker_id: str, now: int) -> Working:
    """Return an order as the matching engine sees it."""
    return Working(
        id=broker_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        entered_at=now,
    )


def accepted(order: Working, tag: str | None, product: Product | None) -> Entry:
    """An order was taken in; the broker's own carry no tag."""
    return {
        "kind": "accepted",
        "id": order.id,
        "tag": tag,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "product": None if product is None else product.value,
        "quantity": text(order.quantity),
        "price": text(order.price),
        "trigger_price": text(order.trigger_price),
        "at": order.entered_at,
    }


def executed(event: Executed, fees: Decimal, draws: int, priced_at: int | None) -> Entry:
    """A part of an order traded.

    Args:
        event: what the matching engine says.
        fees: what it cost beside its price.
        draws: how many random numbers had been drawn by then.
        priced_at: the time of the quote that it traded on; None: a bar.
    """
    return {
        "kind": "executed",
        "id": event.order_id,
        "quantity": text(event.quantity),
        "price": text(event.price),
        "fees": text(fees),
        "liquidity": event.liquidity,
        "at": event.at,
        "draws": draws,
        "priced_at": priced_at,
    }


def day_ended(at: int) -> Entry:
    """A trading day was over; what was intraday until then is not any more."""
    return {"kind": "day_ended", "at": at}


def replaced(broker_id: str, at: int, values: Mapping[str, Decimal | None]) -> Entry:
    """An order has other values now."""
    return {"kind": "replaced", "id": broker_id, "at": at, **{name: text(value) for name, value in values.items()}}


def of_event(event: Ended | Triggered) -> Entry:
    """An order ended, or its trigger price was reached."""
    if isinstance(event, Triggered):
        return {"kind": "triggered", "id": event.order_id, "at": event.at}
    status, why = event.status.value, event.reason
    return {"kind": "ended", "id": event.order_id, "status": status, "reason": why, "at": event.at}


def text(value: Decimal | None) -> str | None:
    """Return a decimal as plain text."""
    return None if value is None else format(value, "f")
