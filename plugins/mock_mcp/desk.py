"""What the tools do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from aitrader.api import Conflict
from plugins.mock_mcp import views
from plugins.mock_mcp.exchange import PRODUCTS, SIDES, TYPES, VALIDITIES, Exchange, Placed
from plugins.mock_mcp.faults import Faults
from plugins.mock_mcp.market import LISTED

_INDIA = timezone(timedelta(hours=5, minutes=30))
_MINUTES = {"minute": 1, "3minute": 3, "5minute": 5, "10minute": 10, "15minute": 15, "30minute": 30, "60minute": 60}
_DAY_MS = 86_400_000
_MOST_INSTRUMENTS = 500

Arguments = dict[str, Any]


class BrokerError(Exception):
    """The broker refused a request; the server says no more than that something failed."""


class Desk:
    """The tools over an exchange. Not safe for threads.

    Args:
        exchange: the venue.
        faults: how its books lie.
        market_orders: whether market and stop orders are taken.
        opening: the money that the day began with.
    """

    def __init__(self, exchange: Exchange, faults: Faults, *, market_orders: bool) -> None:
        self._exchange = exchange
        self._faults = faults
        self._market = market_orders
        self._opening = exchange.books.cash

    def call(self, tool: str, arguments: Arguments, now: int) -> Any:
        """Run a tool.

        Raises:
            BrokerError: the broker refused.
        """
        action: Callable[[Arguments, int], Any] = getattr(self, f"_{tool}")
        return action(arguments, now)

    def _get_profile(self, arguments: Arguments, now: int) -> Any:
        return {
            "user_id": "PR0001",
            "user_name": "Practice Trader",
            "user_shortname": "Practice",
            "avatar_url": "",
            "user_type": "individual",
            "email": "practice@example.com",
            "broker": "MOCK",
            "meta": {"demat_consent": "consent"},
            "products": list(PRODUCTS),
            "order_types": list(TYPES),
            "exchanges": sorted({item.exchange for item in LISTED.values()}),
        }

    def _get_margins(self, arguments: Arguments, now: int) -> Any:
        return views.margins(self._exchange.books, self._opening)

    def _get_holdings(self, arguments: Arguments, now: int) -> Any:
        return self._paged(views.holdings(self._exchange), arguments)

    def _get_positions(self, arguments: Arguments, now: int) -> Any:
        return self._paged(views.positions(self._exchange), arguments)

    def _get_orders(self, arguments: Arguments, now: int) -> Any:
        shown = [item for item in self._exchange.books.orders.values() if item.visible_at <= now]
        return self._paged(self._listed([views.order(item) for item in shown]), arguments)

    def _get_trades(self, arguments: Arguments, now: int) -> Any:
        shown = [item for item in self._exchange.books.trades if item.order.visible_at <= now]
        return self._paged(self._listed([views.trade(item) for item in shown]), arguments)

    def _get_order_history(self, arguments: Arguments, now: int) -> Any:
        return [views.order(self._order(arguments))]

    def _get_order_trades(self, arguments: Arguments, now: int) -> Any:
        order = self._order(arguments)
        return [views.trade(item) for item in self._exchange.books.trades if item.order is order]

    def _get_gtts(self, arguments: Arguments, now: int) -> Any:
        found = self._exchange.books.triggers.items()
        rows = [
            {"id": key, "type": item["trigger_type"], "status": "active", "condition": _condition(item)}
            for key, item in found
        ]
        return self._paged(rows, arguments)

    def _get_mf_holdings(self, arguments: Arguments, now: int) -> Any:
        return self._paged([], arguments)

    def _get_quotes(self, arguments: Arguments, now: int) -> Any:
        return {key: views.quote(LISTED[key], self._exchange.books, now) for key in _instruments(arguments)}

    def _get_ltp(self, arguments: Arguments, now: int) -> Any:
        return {key: _ltp(self._quote(key, now)) for key in _instruments(arguments)}

    def _get_ohlc(self, arguments: Arguments, now: int) -> Any:
        return {
            key: {**_ltp(self._quote(key, now)), "ohlc": views.ohlc(LISTED[key], self._exchange.books)}
            for key in _instruments(arguments)
        }

    def _get_historical_data(self, arguments: Arguments, now: int) -> Any:
        found = [item for item in LISTED.values() if item.token == arguments["instrument_token"]]
        interval = str(arguments["interval"])
        if not found or (interval != "day" and interval not in _MINUTES):
            raise BrokerError("no such instrument or interval")
        width = _DAY_MS if interval == "day" else _MINUTES[interval] * 60_000
        start, end = _indian(arguments["from_date"]), _indian(arguments["to_date"])
        return views.candles(found[0], self._exchange.books, start, end, width)

    def _search_instruments(self, arguments: Arguments, now: int) -> Any:
        query, place = str(arguments["query"]).lower(), str(arguments.get("filter_on") or "id")
        books = self._exchange.books
        rows = [views.instrument(item, books.prices[item.id]) for item in LISTED.values()]
        return self._paged([row for row in rows if query in str(row.get(place, "")).lower()], arguments)

    def _place_order(self, arguments: Arguments, now: int) -> Any:
        self._require_sound(arguments)
        hidden = round(1000 * (self._faults.books.hidden_seconds or 0))
        return {"order_id": self._exchange.place(arguments, now, hidden_ms=hidden)}

    def _modify_order(self, arguments: Arguments, now: int) -> Any:
        order = self._working(arguments)
        if _positive(arguments.get("quantity", 1)) <= order.filled:
            raise BrokerError("as much is filled already")
        self._exchange.do("modify", now, id=order.id, asked=arguments)
        return {"order_id": order.id}

    def _cancel_order(self, arguments: Arguments, now: int) -> Any:
        order = self._working(arguments)
        self._exchange.do("cancel", now, id=order.id)
        return {"order_id": order.id}

    def _place_gtt_order(self, arguments: Arguments, now: int) -> Any:
        trigger_id = 1 + sum(1 for entry in self._exchange.ledger.of("gtt") if entry["asked"] is not None)
        self._exchange.do("gtt", now, id=trigger_id, asked=arguments)
        return {"trigger_id": trigger_id}

    def _modify_gtt_order(self, arguments: Arguments, now: int) -> Any:
        self._exchange.do("gtt", now, id=self._trigger(arguments), asked=arguments)
        return {"trigger_id": arguments["trigger_id"]}

    def _delete_gtt_order(self, arguments: Arguments, now: int) -> Any:
        self._exchange.do("gtt", now, id=self._trigger(arguments), asked=None)
        return {"trigger_id": arguments["trigger_id"]}

    def _trigger(self, arguments: Arguments) -> int:
        if arguments["trigger_id"] not in self._exchange.books.triggers:
            raise BrokerError("no such trigger")
        return int(arguments["trigger_id"])

    def _order(self, arguments: Arguments) -> Placed:
        found = self._exchange.books.orders.get(str(arguments["order_id"]))
        if found is None:
            raise BrokerError("no such order")
        return found

    def _working(self, arguments: Arguments) -> Placed:
        try:
            return self._exchange.working(str(arguments["order_id"]))
        except Conflict as error:
            raise BrokerError(error.detail) from None

    def _require_sound(self, asked: Arguments) -> None:
        """Check what the broker's interface checks before it takes an order in.

        Raises:
            BrokerError: something is wrong.
        """
        kind = asked["order_type"]
        listed = LISTED.get(f"{asked['exchange']}:{asked['tradingsymbol']}")
        known = listed and kind in TYPES and asked["transaction_type"] in SIDES and asked["product"] in PRODUCTS
        if not known or (asked.get("validity") or "DAY") not in VALIDITIES:
            raise BrokerError("an argument is not known")
        if kind in ("MARKET", "SL-M") and not self._market:
            raise BrokerError("Market orders without market protection are not allowed via API")
        _positive(asked["quantity"])
        if kind in ("LIMIT", "SL"):
            _positive(asked.get("price"))
        if kind in ("SL", "SL-M"):
            _positive(asked.get("trigger_price"))

    def _quote(self, key: str, now: int) -> dict[str, Any]:
        return views.quote(LISTED[key], self._exchange.books, now)

    def _listed(self, rows: list[Any]) -> list[Any]:
        return [row for row in reversed(rows) for _ in range(2)] if self._faults.books.duplicates else rows

    def _paged(self, rows: list[Any], arguments: Arguments) -> Any:
        """Return a page where one is asked for or where the server insists on pages, else everything."""
        most, asked = self._faults.books.page_limit or 0, int(arguments.get("limit") or 0)
        limit = min(asked or most, most or asked)
        if not limit:
            return rows
        start = int(arguments.get("from") or 0)
        page = [] if start and self._faults.books.lose_pages else rows[start : start + limit]
        more = start + len(page) < len(rows) and bool(page)
        pagination = {"from": start, "limit": limit, "total": len(rows), "has_more": more, "returned": len(page)}
        return {"data": page, "pagination": pagination}


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        raise BrokerError("a number is missing or not above zero")
    return value


def _instruments(arguments: Arguments) -> list[str]:
    wanted = arguments["instruments"]
    if not isinstance(wanted, list) or len(wanted) > _MOST_INSTRUMENTS:
        raise BrokerError("not a list, or too long")
    return [key for key in wanted if key in LISTED]


def _ltp(quote: dict[str, Any]) -> dict[str, Any]:
    return {name: quote[name] for name in ("instrument_token", "last_price")}


def _condition(item: dict[str, Any]) -> dict[str, Any]:
    names = ("trigger_value", "lower_trigger_value", "upper_trigger_value")
    return {
        "exchange": item["exchange"],
        "tradingsymbol": item["tradingsymbol"],
        "last_price": item["last_price"],
        "trigger_values": [item[name] for name in names if item.get(name)],
    }


def _indian(text: Any) -> int:
    try:
        return round(datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_INDIA).timestamp() * 1000)
    except ValueError:
        raise BrokerError("not a time") from None
