"""Whether a paper account can carry an order: positions at their worst, with all that still works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from aitrader.api import Order, Side, Working
from plugins.paper.ledger import ZERO


def after_order(held: Decimal, order: Order, others: Sequence[Working]) -> Decimal:
    """Return the position if the order and all working ones of its side and symbol are filled."""
    pending = sum(
        (other.remaining for other in others if other.symbol == order.symbol and other.side is order.side), ZERO
    )
    return held + order.side.sign * (order.remaining + pending)


def worst_case(
    held: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    others: Sequence[Working],
    order: Order,
    price: Decimal,
) -> Decimal:
    """Return the gross value of all positions if the worse side of the working orders is filled.

    Args:
        held: positions by symbol.
        prices: the last price by symbol; a symbol without one is valued at the price of its orders.
        others: the working orders.
        order: the one in question, costing ``price`` a unit.
    """
    waiting = [(other.symbol, other.side, other.remaining, _price(other, prices)) for other in others]
    waiting.append((order.symbol, order.side, order.remaining, price))
    total = ZERO
    for symbol in {*held, *(item[0] for item in waiting)}:
        mine = [item for item in waiting if item[0] == symbol]
        last = prices.get(symbol) or max((item[3] for item in mine), default=ZERO)
        worth = held.get(symbol, ZERO) * last
        buys = sum((quantity * cost for _, side, quantity, cost in mine if side is Side.BUY), ZERO)
        sells = sum((quantity * cost for _, side, quantity, cost in mine if side is Side.SELL), ZERO)
        total += max(abs(worth + buys), abs(worth - sells))
    return total


def _price(order: Working, prices: Mapping[str, Decimal]) -> Decimal:
    return order.price or order.trigger_price or prices.get(order.symbol, ZERO)
