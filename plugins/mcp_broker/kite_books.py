"""The fields of Kite's books."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from aitrader.api import (
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    Holding,
    Instrument,
    OrderState,
    OrderType,
    Product,
    Quote,
    Side,
    TimeInForce,
)
from plugins.mcp_broker import values
from plugins.mcp_broker.values import number, price, quantity, text, unreadable

Item = Mapping[str, Any]

TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "SL-M",
    OrderType.STOP_LIMIT: "SL",
}
PRODUCTS = {Product.DELIVERY: "CNC", Product.INTRADAY: "MIS", Product.MARGIN: "NRML"}

_TYPES = {word: kind for kind, word in TYPES.items()}
_PRODUCTS = {**{word: product for product, word in PRODUCTS.items()}, "MTF": Product.MARGIN}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_TIMES = {"DAY": TimeInForce.DAY, "IOC": TimeInForce.IOC}
# Every other word is one of an order that has not ended.
_ENDED = {"COMPLETE": OrderState.FILLED, "REJECTED": OrderState.REJECTED, "CANCELLED": OrderState.CANCELED}
_WORKING = frozenset({"OPEN", "TRIGGER PENDING"})


def order(item: Item) -> BrokerOrder:
    """Return an order of the book."""
    filled = quantity(item, "filled_quantity")
    return BrokerOrder(
        broker_order_id=text(item, "order_id"),
        tag=_tag(item),
        symbol=_symbol(item),
        side=values.known(item, "transaction_type", _SIDES),
        type=values.known(item, "order_type", _TYPES),
        quantity=quantity(item, "quantity"),
        filled_quantity=filled,
        status=_status(text(item, "status"), filled),
        time_in_force=_TIMES.get(str(item.get("validity")), TimeInForce.DAY),
        product=_PRODUCTS.get(str(item.get("product"))),
        price=price(item, "price"),
        trigger_price=price(item, "trigger_price"),
        average_price=price(item, "average_price"),
        reason=item.get("status_message") or None,
        created_at=values.moment(item, "order_timestamp"),
    )


def _status(word: str, filled: Decimal) -> OrderState | None:
    if word in _WORKING:
        return OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED
    return _ENDED.get(word)


def _tag(item: Item) -> str | None:
    tags = item.get("tags")
    listed = [tag for tag in tags if isinstance(tag, str) and tag] if isinstance(tags, list) else []
    return item.get("tag") or (listed[0] if listed else None)


def _symbol(item: Item) -> str:
    return f"{text(item, 'exchange')}:{text(item, 'tradingsymbol')}"


def fill(item: Item) -> BrokerFill:
    """Return a trade. Two orders can share an exchange's trade id, so the order's id is part of ours."""
    order_id = text(item, "order_id")
    at = values.moment(item, "fill_timestamp") or values.moment(item, "exchange_timestamp")
    paid = price(item, "average_price")
    if at is None or paid is None or paid < 0:
        raise unreadable("a trade's time or price", (item.get("fill_timestamp"), item.get("average_price")))
    traded = quantity(item, "quantity")
    if not traded:
        raise unreadable("quantity", traded)
    return BrokerFill(
        broker_fill_id=f"{order_id}-{text(item, 'trade_id')}",
        broker_order_id=order_id,
        symbol=_symbol(item),
        side=values.known(item, "transaction_type", _SIDES),
        quantity=traded,
        price=paid,
        filled_at=at,
    )


def positions(shown: Iterable[Item], held: Iterable[Item]) -> list[BrokerPosition]:
    """Return one position per symbol and product.

    The tool lists the positions of the day before the net ones, without a word between: the last one counts. Shares
    that were bought to be kept move from the positions to the holdings over night.
    """
    net = {(_symbol(item), str(item.get("product"))): item for item in shown}
    found = {(symbol, _PRODUCTS.get(word)): position(item, symbol) for (symbol, word), item in net.items()}
    for item in held:
        key = (_symbol(item), _PRODUCTS.get(str(item.get("product")), Product.DELIVERY))
        kept = _held(item)
        today = found.get(key)
        total = kept + (today.quantity if today else 0)
        cost = price(item, "average_price") if kept else None
        found[key] = BrokerPosition(
            key[0],
            total,
            average_price=cost or (today.average_price if today else None),
            last_price=price(item, "last_price") or (today.last_price if today else None),
            pnl=_pnl(item) if today is None else None,
            product=key[1],
        )
    return list(found.values())


def position(item: Item, symbol: str) -> BrokerPosition:
    """Return a net position."""
    return BrokerPosition(
        symbol,
        number(item, "quantity"),
        average_price=price(item, "average_price"),
        last_price=price(item, "last_price"),
        pnl=_pnl(item),
        product=_PRODUCTS.get(str(item.get("product"))),
    )


def holding(item: Item) -> Holding:
    """Return a holding, in rupees."""
    return Holding(
        symbol=_symbol(item),
        quantity=_held(item),
        average_price=price(item, "average_price"),
        last_price=price(item, "last_price"),
        pnl=_pnl(item),
        currency="INR",
        isin=item.get("isin") or None,
    )


def _held(item: Item) -> Decimal:
    """What is there, with what was bought and is not delivered yet; what is pledged is still ours."""
    pledged = number(item, "collateral_quantity") if item.get("collateral_quantity") else Decimal(0)
    waiting = number(item, "t1_quantity") if item.get("t1_quantity") else Decimal(0)
    return number(item, "quantity") + waiting + pledged


def _pnl(item: Item) -> Decimal | None:
    return None if item.get("pnl") in (None, "") else number(item, "pnl")


def balance(margins: Item) -> Balance:
    """Return what is free (``live_balance``) and what is used (``debits``) of the equity segment, in rupees."""
    equity = values.entry(margins.get("equity"), "the equity margin")
    available = values.entry(equity.get("available"), "the available margin")
    used = values.entry(equity.get("utilised"), "the used margin")
    return Balance(
        "INR",
        cash=number(available, "live_balance"),
        margin_used=number(used, "debits"),
        margin_available=number(equity, "net"),
    )


def instrument(item: Item) -> Instrument:
    """Return what can be traded of a symbol; rupees."""
    return Instrument(
        symbol=text(item, "id"),
        exchange=text(item, "exchange"),
        tick_size=quantity(item, "tick_size"),
        lot_size=quantity(item, "lot_size"),
        currency="INR",
        name=str(item.get("name", "")),
        isin=item.get("isin") or None,
    )


def quote(item: Item, symbol: str, now: int) -> Quote | None:
    """Return a last price with the best of the depth; None for what never traded."""
    last = price(item, "last_price")
    if not last:
        return None
    traded = number(item, "volume") if item.get("volume") else None
    bid, ask = (_best(item, side) for side in ("buy", "sell"))
    at = values.moment(item, "last_trade_time") or values.moment(item, "timestamp") or now
    return Quote(symbol, last, at, bid=bid, ask=ask, volume=traded, source="kite")


def _best(item: Item, side: str) -> Decimal | None:
    depth = item.get("depth")
    steps = depth.get(side) if isinstance(depth, Mapping) else None
    first = steps[0] if isinstance(steps, list) and steps else None
    return (price(first, "price") or None) if isinstance(first, Mapping) else None
