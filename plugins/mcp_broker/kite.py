"""Zerodha's Kite MCP server: https://github.com/zerodha/kite-mcp-server, its tools and what its answers mean.

Numbers of orders are JSON numbers, times carry +05:30, and what is missing is zero, empty or the year 1. Fields are
those of Kite Connect 3, https://kite.trade/docs/connect/v3/.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aitrader.api import (
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerSession,
    Capabilities,
    Holding,
    Instrument,
    Order,
    OrderType,
    Product,
    Quote,
    SessionState,
    TimeInForce,
    Unavailable,
)
from plugins.mcp_broker import kite_books as books
from plugins.mcp_broker.calls import Answer
from plugins.mcp_broker.options import McpOptions
from plugins.mcp_broker.profile import Read, Result, ToolCall
from plugins.mcp_broker.values import entries, entry, text

_NEEDED = frozenset({"login", "get_profile", "get_orders", "get_trades", "get_positions", "get_margins"})
_LINK = re.compile(r"\]\((https?://[^\s)]+)\)")
_LOGGED_IN = re.compile(r"already logged in as (.+?)[\s.]*$", re.IGNORECASE | re.MULTILINE)
_LINK_MS = 25 * 60_000  # signed for 30 minutes
_MOST_PAGES = 100
_MOST_QUOTES = 500
_EXCHANGES = ("NSE", "BSE", "MCX", "NFO", "BFO", "CDS", "BCD")

_NO_MARKET = (
    "market and stop orders need a market protection, which Kite's tools cannot send; "
    "use limit and stop_limit, or set the option market_orders if your server can"
)


class Kite:
    """``Profile`` of Kite.

    Args:
        options: the account's.
    """

    name = "kite"

    def __init__(self, options: McpOptions) -> None:
        self._options = options

    def fits(self, tools: Sequence[str]) -> bool:
        """Return whether these are Kite's tools."""
        return set(tools) >= _NEEDED

    def capabilities(self, tools: Sequence[str], schema_hash: str) -> Capabilities:
        """Return what Kite can do; the hosted server lacks the tools that place orders."""
        market = self._options.market_orders
        types = set(OrderType) if market else {OrderType.LIMIT, OrderType.STOP_LIMIT}
        lacking = [tool for tool in ("place_order", "modify_order", "cancel_order") if tool not in tools]
        notes = [] if market else [_NO_MARKET]
        notes += [f"the server does not offer {tool}" for tool in lacking]
        return Capabilities(
            order_types=frozenset(types),
            times_in_force=frozenset({TimeInForce.DAY, TimeInForce.IOC}),
            products=(Product.DELIVERY, Product.INTRADAY, Product.MARGIN),
            place="place_order" not in lacking,
            modify="modify_order" not in lacking,
            cancel="cancel_order" not in lacking,
            market_data="get_quotes" in tools,
            holdings="get_holdings" in tools,
            settle_ms=round(self._options.settle_seconds * 1000),
            schema_hash=schema_hash,
            notes=tuple(notes),
        )

    def open(self, answer: Answer) -> Result:
        """Return the data; of errors, only those about arguments and the login prove that nothing was done."""
        if not answer.is_error:
            return Result(answer.data if answer.data is not None else answer.text)
        text, logged_out = answer.text or "the tool failed without a word", "log in first" in answer.text.lower()
        proof = logged_out or text.startswith("parameter '")
        return Result(None, text, rejected=proof, logged_out=logged_out)

    def user(self, read: Read) -> str:
        """Return the user's id and name."""
        profile = entry(read("get_profile", {}), "the profile")
        return f"{text(profile, 'user_id')} {profile.get('user_name', '')}".strip()

    def log_in(self, read: Read, now: int) -> BrokerSession:
        """Ask for a link; the words around it are for the person who follows it."""
        words = str(read("login", {}))
        link = _LINK.search(words)
        if link is not None:
            warning = words[: link.start()].rpartition("[")[0].strip() or None
            return BrokerSession(
                SessionState.NEEDS_LOGIN,
                "log in with the link, then orders that wait are sent",
                login_url=link.group(1),
                warning=warning,
                expires_at=now + _LINK_MS,
                checked_at=now,
            )
        user = _LOGGED_IN.search(words)
        if user is not None:
            return BrokerSession(SessionState.CONNECTED, user=user.group(1), checked_at=now)
        return BrokerSession(SessionState.DOWN, f"the server gave no login link: {words:.200}", checked_at=now)

    def symbol_problem(self, symbol: str) -> str | None:
        """Kite wants the exchange."""
        exchange, _, name = symbol.partition(":")
        if exchange in _EXCHANGES and name:
            return None
        return f"{symbol} names no exchange that Kite knows; write it such as NSE:INFY"

    def instrument(self, read: Read, symbol: str) -> Instrument | None:
        """Look a symbol up in Kite's list of instruments."""
        found = entries(_pages(read, "search_instruments", {"query": symbol, "filter_on": "id"}), "instruments")
        return next((books.instrument(item) for item in found if item.get("id") == symbol), None)

    def place(self, order: Order) -> ToolCall:
        """Return `place_order` with every field that the schema gives a default: its defaults are wrong."""
        exchange, _, name = order.symbol.partition(":")
        arguments = {
            **self._numbers(order),
            "exchange": exchange,
            "tradingsymbol": name,
            "transaction_type": order.side.value.upper(),
            "product": books.PRODUCTS[order.product or Product.DELIVERY],
            "tag": order.tag,
        }
        return ToolCall("place_order", arguments)

    def placed(self, data: Any) -> str:
        """Return the order's id."""
        return text(entry(data, "the answer to place_order"), "order_id")

    def modify(self, order: Order) -> ToolCall:
        """Return `modify_order` with every field: one left out would be set to its default."""
        return ToolCall("modify_order", {**self._numbers(order), "order_id": order.broker_order_id})

    def cancel(self, order: Order) -> ToolCall:
        """Return `cancel_order`."""
        return ToolCall("cancel_order", {"variety": self._options.variety, "order_id": order.broker_order_id})

    def _numbers(self, order: Order) -> dict[str, Any]:
        return {
            "variety": self._options.variety,
            "order_type": books.TYPES[order.type],
            "quantity": int(order.quantity),
            "price": float(order.price or 0),
            "trigger_price": float(order.trigger_price or 0),
            "validity": order.time_in_force.value.upper(),
            "disclosed_quantity": 0,
        }

    def orders(self, read: Read, now: int) -> list[BrokerOrder]:
        """Return today's orders."""
        return [books.order(item) for item in entries(_pages(read, "get_orders", {}), "the orders")]

    def fills(self, read: Read, now: int) -> list[BrokerFill]:
        """Return today's trades."""
        return [books.fill(item) for item in entries(_pages(read, "get_trades", {}), "the trades")]

    def positions(self, read: Read) -> list[BrokerPosition]:
        """Return positions and holdings as one: what was bought today to be kept is a position until tomorrow."""
        return books.positions(self._rows(read, "get_positions"), self._rows(read, "get_holdings"))

    def holdings(self, read: Read) -> list[Holding]:
        """Return the holdings, those not yet settled included."""
        return [books.holding(item) for item in self._rows(read, "get_holdings")]

    def balance(self, read: Read) -> Balance:
        """Return the money of the equity segment."""
        return books.balance(entry(read("get_margins", {}), "the margins"))

    def prices(self, read: Read, symbols: Sequence[str], now: int) -> list[Quote]:
        """Return last prices, at most 500 symbols a call."""
        found: list[Quote | None] = []
        for first in range(0, len(symbols), _MOST_QUOTES):
            wanted = list(symbols[first : first + _MOST_QUOTES])
            answer = entry(read("get_quotes", {"instruments": wanted}), "the quotes")
            found += [books.quote(entry(answer[name], name), name, now) for name in wanted if name in answer]
        return [quote for quote in found if quote is not None]

    def _rows(self, read: Read, tool: str) -> Sequence[Any]:
        return entries(_pages(read, tool, {}), tool)


def _pages(read: Read, tool: str, arguments: dict[str, Any]) -> list[Any] | None:
    """Return a whole list: all at once, or page by page where the server insists on pages.

    Raises:
        Unavailable: the list changed between pages.
    """
    rows: list[Any] = []
    asked = arguments
    for _ in range(_MOST_PAGES):
        data = read(tool, asked)
        if not rows and (data is None or isinstance(data, list)):
            return data
        page = entry(data, tool)
        pagination = entry(page.get("pagination"), "the pagination")
        got = entries(page.get("data"), tool)
        rows += got
        if not pagination.get("has_more"):
            if len(rows) == pagination.get("total"):
                return rows
            break
        if not got:
            break
        asked = {**arguments, "from": len(rows), "limit": len(got)}
    raise Unavailable(f"the pages of {tool} do not make a whole", code="broker_unreadable")
