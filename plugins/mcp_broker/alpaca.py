"""Alpaca's MCP server: https://github.com/alpacahq/alpaca-mcp-server, its tools and what its answers mean.

Money and quantities are text. Every answer is wrapped with a warning about its content, and lists are one level
deeper. A rejected order is a success with ``error`` in it. Fields are those of https://docs.alpaca.markets/reference/.
"""

from __future__ import annotations

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
    from_ms,
    rfc3339,
)
from plugins.mcp_broker import alpaca_books as books
from plugins.mcp_broker.calls import Answer
from plugins.mcp_broker.options import McpOptions
from plugins.mcp_broker.profile import Read, Result, ToolCall, ToolRefused
from plugins.mcp_broker.values import entries, entry, number, text

_NEEDED = frozenset({"get_account_info", "get_orders", "get_all_positions", "get_account_activities_by_type"})
_WRAPPER = "_alpaca_mcp_security"
_PAGE = 500
_FILLS_PAGE = 100
_MOST_PAGES = 50
_BACK_MS = 36 * 3_600_000  # the trading day, wherever it began
# Answers of Alpaca itself that refuse an order: bad request, forbidden, not found, unprocessable.
_REFUSALS = frozenset({400, 403, 404, 422})


class Alpaca:
    """``Profile`` of Alpaca.

    Args:
        options: the account's.
    """

    name = "alpaca"

    def __init__(self, options: McpOptions) -> None:
        self._options = options

    def fits(self, tools: Sequence[str]) -> bool:
        """Return whether these are Alpaca's tools."""
        return set(tools) >= _NEEDED

    def capabilities(self, tools: Sequence[str], schema_hash: str) -> Capabilities:
        """Return what is done with Alpaca: shares, in whole numbers."""
        lacking = [tool for tool in ("place_stock_order", "cancel_order_by_id") if tool not in tools]
        notes = ["a change makes another order at Alpaca; cancel the order and place a new one instead"]
        return Capabilities(
            order_types=frozenset(OrderType),
            times_in_force=frozenset(TimeInForce),
            products=(Product.MARGIN,),
            place="place_stock_order" not in lacking,
            modify=False,
            cancel="cancel_order_by_id" not in lacking,
            settle_ms=round(self._options.settle_seconds * 1000),
            schema_hash=schema_hash,
            notes=(*notes, *(f"the server does not offer {tool}" for tool in lacking)),
        )

    def open(self, answer: Answer) -> Result:
        """Return the data without its wrapping; the error of an order that Alpaca refused is in there."""
        if answer.is_error:
            return Result(None, answer.text or "the tool failed without a word")
        data = answer.data
        if isinstance(data, dict) and _WRAPPER in data:
            data = data.get("data")
        if isinstance(data, dict) and set(data) == {"result"}:
            data = data["result"]
        error = data.get("error") if isinstance(data, dict) else None
        if not isinstance(error, dict):
            return Result(data)
        return _refusal(error)

    def user(self, read: Read) -> str:
        """Return the account's number: the keys are the server's own."""
        account = entry(read("get_account_info", {}), "the account")
        return f"{text(account, 'account_number')} {account.get('status', '')}".strip()

    def log_in(self, read: Read, now: int) -> BrokerSession:
        """There is no login: either the server's keys are good, or somebody must set them."""
        try:
            return BrokerSession(SessionState.CONNECTED, user=self.user(read), checked_at=now)
        except ToolRefused as error:
            detail = f"Alpaca refused the MCP server's keys; set them there: {error.detail}"
            return BrokerSession(SessionState.DOWN, detail[:500], checked_at=now)

    def symbol_problem(self, symbol: str) -> str | None:
        """Alpaca's symbols have no exchange."""
        return (
            f"{symbol} names an exchange, Alpaca's symbols do not; write it such as AAPL" if ":" in symbol else None
        )

    def instrument(self, read: Read, symbol: str) -> Instrument | None:
        """Return Alpaca's rules for shares: whole ones, and prices in cents, finer below one dollar."""
        return None

    def place(self, order: Order) -> ToolCall:
        """Return `place_stock_order`, with everything that the order says."""
        arguments = {
            "symbol": order.symbol,
            "side": order.side.value,
            "qty": format(order.quantity, "f"),
            "type": order.type.value,
            "time_in_force": order.time_in_force.value,
            "client_order_id": order.tag,
            "extended_hours": False,
            "order_class": "simple",
        }
        prices = {"limit_price": order.price, "stop_price": order.trigger_price}
        arguments |= {name: format(value, "f") for name, value in prices.items() if value is not None}
        return ToolCall("place_stock_order", arguments)

    def placed(self, data: Any) -> str:
        """Return the order's id."""
        return text(entry(data, "the answer to place_stock_order"), "id")

    def modify(self, order: Order) -> ToolCall:
        """Never asked: see the capabilities."""
        raise AssertionError("Alpaca replaces orders by others")

    def cancel(self, order: Order) -> ToolCall:
        """Return `cancel_order_by_id`."""
        return ToolCall("cancel_order_by_id", {"order_id": order.broker_order_id})

    def orders(self, read: Read, now: int) -> list[BrokerOrder]:
        """Return what works, however old, and what was placed within the last day and a half."""
        found = _orders(read, {"status": "open"}) + _orders(read, {"status": "all", "after": _since(now)})
        return list({item["id"]: books.order(item) for item in found}.values())

    def fills(self, read: Read, now: int) -> list[BrokerFill]:
        """Return the fills of the last day and a half, page by page."""
        rows: list[Any] = []
        asked: dict[str, Any] = {"activity_type": "FILL", "after": _since(now), "direction": "asc"}
        for _ in range(_MOST_PAGES):
            got = entries(read("get_account_activities_by_type", {**asked, "page_size": _FILLS_PAGE}), "the fills")
            rows += got
            if len(got) < _FILLS_PAGE:
                return [books.fill(item) for item in rows]
            asked["page_token"] = text(got[-1], "id")
        raise Unavailable("there are more fills than pages", code="broker_unreadable")

    def positions(self, read: Read) -> list[BrokerPosition]:
        """Return the positions."""
        return [books.position(item) for item in entries(read("get_all_positions", {}), "the positions")]

    def holdings(self, read: Read) -> list[Holding]:
        """Return nothing: everything is a position."""
        return []

    def balance(self, read: Read) -> Balance:
        """Return cash, equity and margin."""
        account = entry(read("get_account_info", {}), "the account")
        return Balance(
            text(account, "currency"),
            cash=number(account, "cash"),
            equity=number(account, "equity"),
            margin_used=number(account, "initial_margin"),
            margin_available=number(account, "buying_power"),
        )

    def prices(self, read: Read, symbols: Sequence[str], now: int) -> list[Quote]:
        """Return nothing: `capabilities` offers no market data."""
        return []


def _refusal(error: dict[str, Any]) -> Result:
    detail = error.get("detail")
    said = detail.get("message") if isinstance(detail, dict) else detail
    words = f"{error.get('message', 'the tool failed')}: {said}" if said else str(error.get("message"))
    # A tag that is there already means that the order may be there already.
    proof = error.get("http_status") in _REFUSALS and "client_order_id" not in words
    return Result(None, words, rejected=proof)


def _since(now: int) -> str:
    return from_ms(now - _BACK_MS).strftime("%Y-%m-%dT%H:%M:%SZ")


def _orders(read: Read, asked: dict[str, Any]) -> list[Any]:
    """Return all orders of a question, the oldest first, page by page: a page begins where the last one ended."""
    rows: dict[str, Any] = {}
    asked = {**asked, "limit": _PAGE, "direction": "asc", "nested": False}
    for _ in range(_MOST_PAGES):
        got = entries(read("get_orders", asked), "the orders")
        before = len(rows)
        rows |= {text(item, "id"): item for item in got}
        if len(got) < _PAGE:
            return list(rows.values())
        if len(rows) == before:
            break
        asked["after"] = _just_before(got[-1])
    raise Unavailable("the pages of get_orders do not make a whole", code="broker_unreadable")


def _just_before(item: Any) -> str:
    return rfc3339(books.submitted_at(item) - 1)
