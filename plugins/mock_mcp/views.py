"""The books in Kite's words: JSON numbers, Indian times, empty text and zeros for what is missing.

Field names are those of Kite Connect 3, https://kite.trade/docs/connect/v3/.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from plugins.mock_mcp.exchange import ZERO, Books, Exchange, Held, Placed, Trade
from plugins.mock_mcp.market import LISTED, Listed

_INDIA = timezone(timedelta(hours=5, minutes=30))
NEVER = "0001-01-01T00:00:00Z"


def moment(at: int) -> str:
    """Return a time in India."""
    return datetime.fromtimestamp(at // 1000, tz=UTC).astimezone(_INDIA).isoformat()


def _number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)


def order(item: Placed) -> dict[str, Any]:
    """Return an order of the book."""
    asked = item.asked
    left = ZERO if item.ended else item.quantity - item.filled
    dropped = item.quantity - item.filled if item.status == "CANCELLED" else ZERO
    rejected = item.status == "REJECTED"
    return {
        "account_id": "PR0001",
        "placed_by": "PR0001",
        "order_id": item.id,
        "exchange_order_id": "" if rejected else f"1{item.id}",
        "parent_order_id": "",
        "status": item.status,
        "status_message": item.message if rejected else "",
        "status_message_raw": item.message if rejected else "",
        "order_timestamp": moment(item.placed_at),
        "exchange_update_timestamp": str(moment(item.updated_at)),
        "exchange_timestamp": NEVER if rejected else moment(item.updated_at),
        "variety": asked.get("variety", "regular"),
        "modified": item.updated_at != item.placed_at,
        "meta": {},
        "exchange": asked["exchange"],
        "tradingsymbol": asked["tradingsymbol"],
        "instrument_token": LISTED[item.symbol].token,
        "order_type": asked["order_type"],
        "transaction_type": asked["transaction_type"],
        "validity": asked.get("validity") or "DAY",
        "validity_ttl": 0,
        "product": asked["product"],
        "quantity": _number(item.quantity),
        "disclosed_quantity": 0,
        "price": _number(item.price),
        "trigger_price": _number(item.trigger_price),
        "average_price": _number(item.cost / item.filled) if item.filled else 0,
        "filled_quantity": _number(item.filled),
        "pending_quantity": _number(left),
        "cancelled_quantity": _number(dropped),
        "auction_number": "",
        "tag": asked.get("tag") or "",
        "tags": [asked["tag"]] if asked.get("tag") else None,
    }


def trade(item: Trade) -> dict[str, Any]:
    """Return a trade."""
    return {
        "average_price": _number(item.price),
        "quantity": _number(item.quantity),
        "trade_id": item.id,
        "product": item.order.asked["product"],
        "fill_timestamp": moment(item.at),
        "exchange_timestamp": moment(item.at),
        "exchange_order_id": f"1{item.order.id}",
        "order_id": item.order.id,
        "transaction_type": item.order.asked["transaction_type"],
        "tradingsymbol": item.order.asked["tradingsymbol"],
        "exchange": item.order.asked["exchange"],
        "instrument_token": LISTED[item.order.symbol].token,
    }


def positions(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the positions of the day, then the net ones, in one flat list without a mark between them."""
    keys = dict.fromkeys((item.order.symbol, item.order.asked["product"]) for item in exchange.books.trades)
    rows = [_position(exchange.books, symbol, product) for symbol, product in keys]
    return [*rows, *rows]


def _position(books: Books, symbol: str, product: str) -> dict[str, Any]:
    mine = [item for item in books.trades if (item.order.symbol, item.order.asked["product"]) == (symbol, product)]
    sums = {}
    for side in ("BUY", "SELL"):
        of_side = [item for item in mine if item.order.asked["transaction_type"] == side]
        sums[side] = (sum((t.quantity for t in of_side), ZERO), sum((t.quantity * t.price for t in of_side), ZERO))
    (bought, paid), (sold, got) = sums["BUY"], sums["SELL"]
    net, last = bought - sold, books.prices[symbol]
    quantity, value = (bought, paid) if net > 0 else (sold, got)
    average = value / quantity if net else ZERO
    listed, pnl = LISTED[symbol], got - paid + net * last
    sides = {
        **_side("buy", bought, paid),
        **_side("sell", sold, got),
        **_side("day_buy", bought, paid, m2m=False),
        **_side("day_sell", sold, got, m2m=False),
    }
    return {
        "tradingsymbol": listed.symbol,
        "exchange": listed.exchange,
        "instrument_token": listed.token,
        "product": product,
        "quantity": _number(net),
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": _number(average),
        "close_price": 0,
        "last_price": _number(last),
        "value": _number(got - paid),
        "pnl": _number(pnl),
        "m2m": _number(pnl),
        "unrealised": _number(pnl),
        "realised": 0,
        **sides,
    }


def _side(name: str, quantity: Decimal, value: Decimal, *, m2m: bool = True) -> dict[str, Any]:
    found = {
        f"{name}_quantity": _number(quantity),
        f"{name}_price": _number(value / quantity) if quantity else 0,
        f"{name}_value": _number(value),
    }
    return {**found, f"{name}_m2m": _number(value)} if m2m else found


def holdings(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the holdings; what was sold of them today is still among them, as used."""
    found = exchange.books.holdings.items()
    return [_holding(exchange, symbol, held) for symbol, held in found if held.quantity or held.waiting]


def _holding(exchange: Exchange, symbol: str, held: Held) -> dict[str, Any]:
    listed, last = LISTED[symbol], exchange.books.prices[symbol]
    used = max(ZERO, -exchange.net(symbol, "CNC"))
    total = held.quantity + held.waiting
    return {
        "tradingsymbol": listed.symbol,
        "exchange": listed.exchange,
        "instrument_token": listed.token,
        "isin": listed.isin,
        "product": "CNC",
        "price": 0,
        "used_quantity": _number(used),
        "quantity": _number(held.quantity),
        "t1_quantity": _number(held.waiting),
        "realised_quantity": _number(held.quantity),
        "authorised_quantity": 0,
        "authorised_date": NEVER,
        "opening_quantity": _number(total),
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": _number(held.average),
        "last_price": _number(last),
        "close_price": _number(listed.price),
        "pnl": _number(total * (last - held.average)),
        "day_change": _number(last - listed.price),
        "day_change_percentage": float((last - listed.price) / listed.price * 100),
        "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
    }


def margins(books: Books, opening: Decimal) -> dict[str, Any]:
    """Return the money; all of it is in the equity segment."""
    return {"equity": _segment(books.cash, opening), "commodity": _segment(ZERO, ZERO)}


def _segment(cash: Decimal, opening: Decimal) -> dict[str, Any]:
    names = "exposure m2m_realised m2m_unrealised option_premium payout span holding_sales turnover"
    used = dict.fromkeys([*names.split(), "liquid_collateral", "stock_collateral", "delivery"], 0)
    return {
        "enabled": True,
        "net": _number(cash),
        "available": {
            "adhoc_margin": 0,
            "cash": _number(opening),
            "collateral": 0,
            "intraday_payin": 0,
            "live_balance": _number(cash),
            "opening_balance": _number(opening),
        },
        "utilised": {"debits": _number(opening - cash), **used},
    }


def instrument(item: Listed, last: Decimal) -> dict[str, Any]:
    """Return an instrument."""
    return {
        "id": item.id,
        "instrument_token": item.token,
        "exchange_token": item.token >> 8,
        "tradingsymbol": item.symbol,
        "exchange": item.exchange,
        "isin": item.isin,
        "name": item.name.upper(),
        "series": "EQ",
        "last_price": _number(last),
        "strike": 0,
        "tick_size": float(item.tick),
        "lot_size": item.lot,
        "instrument_type": "EQ",
        "segment": item.exchange,
        "expiry_date": "",
        "freeze_quantity": 100_000,
        "max_order_quantity": 100_000,
        "active": True,
    }


def quote(item: Listed, books: Books, at: int) -> dict[str, Any]:
    """Return a quote; the book of orders at the venue is as deep as anybody wants, at the last price."""
    last = books.prices[item.id]
    step = {"price": _number(last), "quantity": 1_000_000, "orders": 1}
    return {
        "instrument_token": item.token,
        "timestamp": moment(at),
        "last_price": _number(last),
        "last_quantity": 1,
        "last_trade_time": moment(at),
        "average_price": _number(last),
        "volume": 0,
        "buy_quantity": 1_000_000,
        "sell_quantity": 1_000_000,
        "ohlc": ohlc(item, books),
        "net_change": _number(last - item.price),
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "lower_circuit_limit": float(item.price * Decimal("0.5")),
        "upper_circuit_limit": float(item.price * Decimal("1.5")),
        "depth": {"buy": [step], "sell": [step]},
    }


def ohlc(item: Listed, books: Books) -> dict[str, Any]:
    """Return the day's prices; the close is that of the day before."""
    seen = [item.price, *(price for _, price in books.candles.get(item.id, []))]
    return {
        "open": _number(seen[0]),
        "high": _number(max(seen)),
        "low": _number(min(seen)),
        "close": _number(item.price),
    }


def candles(item: Listed, books: Books, start: int, end: int, width: int) -> list[dict[str, Any]]:
    """Return the prices that were set between two times as candles of ``width`` milliseconds."""
    grouped: dict[int, list[Decimal]] = {}
    for at, price in books.candles.get(item.id, []):
        if start <= at <= end:
            grouped.setdefault(at // width * width, []).append(price)
    return [
        {
            "date": moment(at),
            "open": _number(prices[0]),
            "high": _number(max(prices)),
            "low": _number(min(prices)),
            "close": _number(prices[-1]),
            "volume": 0,
            "oi": 0,
        }
        for at, prices in grouped.items()
    ]
