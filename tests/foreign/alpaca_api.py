"""A stand-in for Alpaca's trading API, https://docs.alpaca.markets/reference/, for its MCP server to talk to."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from domain.trading.brokerage import Quote
from domain.trading.matching import Executed, FillRules, MatchEvent, MatchingEngine, Triggered, Working
from domain.trading.model import ZERO, OrderType, Side, TimeInForce

PRICE = Decimal(190)
_ORDER = re.compile(r"/v2/orders/([0-9a-f-]{36})")


@dataclass
class Placed:
    """An order of the account."""

    id: str
    asked: dict[str, Any]
    at: float
    status: str = "new"
    filled: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass
class Account:
    """One account; orders are matched at one price."""

    cash: Decimal = Decimal(100_000)
    orders: dict[str, Placed] = field(default_factory=dict)
    fills: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, Decimal] = field(default_factory=dict)
    engine: MatchingEngine = field(default_factory=lambda: MatchingEngine(FillRules(participation=None)))


class Refused(Exception):
    """An HTTP error with a body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AlpacaApi:
    """The ASGI application. ``placed`` counts the submits; ``stall`` seconds pass before the answer to one."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with a new account."""
        self.account = Account()
        self.placed = 0
        self.stall = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        try:
            status, answer = 200, self._route(scope, body)
        except Refused as error:
            status, answer = error.status, {"code": 40010001, "message": str(error)}
        if scope["path"] == "/v2/orders" and scope["method"] == "POST" and self.stall:
            await asyncio.sleep(self.stall)
        content = b"" if answer is None else json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 204 if answer is None else status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _route(self, scope: Any, body: bytes) -> Any:
        path, method = scope["path"], scope["method"]
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if path == "/v2/orders":
            return self._place(json.loads(body)) if method == "POST" else self._list(query)
        found = _ORDER.fullmatch(path)
        if found and method == "DELETE":
            return self._cancel(found.group(1))
        if path == "/v2/account":
            return self._money()
        if path == "/v2/positions":
            return self._positions()
        if path == "/v2/account/activities/FILL":
            return self._fills(query)
        raise Refused(404, "endpoint not found")

    def _place(self, asked: dict[str, Any]) -> Any:
        self.placed += 1
        known = [item.asked.get("client_order_id") for item in self.account.orders.values()]
        if asked.get("client_order_id") in known:
            raise Refused(422, "client_order_id must be unique")
        quantity = Decimal(asked["qty"])
        price = Decimal(asked.get("limit_price") or PRICE)
        if asked["side"] == "buy" and quantity * price > self.account.cash:
            raise Refused(403, "insufficient buying power")
        item = Placed(str(uuid.uuid4()), asked, time.time())
        self.account.orders[item.id] = item
        working = Working(
            id=item.id,
            symbol=asked["symbol"],
            side=Side(asked["side"]),
            type=OrderType(asked["type"]),
            time_in_force=TimeInForce(asked["time_in_force"]),
            quantity=quantity,
            price=Decimal(asked["limit_price"]) if "limit_price" in asked else None,
            trigger_price=Decimal(asked["stop_price"]) if "stop_price" in asked else None,
        )
        self._take(self.account.engine.submit(working, Quote(asked["symbol"], PRICE, 0), 0))
        return _order(item)

    def _take(self, events: list[MatchEvent]) -> None:
        for event in events:
            item = self.account.orders[event.order_id]
            if isinstance(event, Executed):
                self._fill(item, event)
            elif not isinstance(event, Triggered):
                item.status = event.status.value

    def _fill(self, item: Placed, event: Executed) -> None:
        item.filled += event.quantity
        item.cost += event.quantity * event.price
        item.status = "filled" if item.filled == Decimal(item.asked["qty"]) else "partially_filled"
        signed = event.side.sign * event.quantity
        held = self.account.held
        held[event.symbol] = held.get(event.symbol, ZERO) + signed
        self.account.cash -= signed * event.price
        self.account.fills.append(
            {
                "id": f"{len(self.account.fills):017d}::{uuid.uuid4()}",
                "activity_type": "FILL",
                "transaction_time": _time(time.time()),
                "type": "fill",
                "price": str(event.price),
                "qty": str(event.quantity),
                "side": event.side.value,
                "symbol": event.symbol,
                "order_id": item.id,
            }
        )

    def _list(self, query: dict[str, str]) -> Any:
        status, after = query.get("status", "open"), query.get("after")
        rows = sorted(self.account.orders.values(), key=lambda item: item.at)
        if status == "open":
            rows = [item for item in rows if item.status in ("new", "partially_filled")]
        if after is not None:
            earliest = datetime.fromisoformat(after).timestamp()
            rows = [item for item in rows if item.at > earliest]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        return [_order(item) for item in rows[: int(query.get("limit", "50"))]]

    def _cancel(self, order_id: str) -> Any:
        if order_id not in self.account.orders:
            raise Refused(404, "order not found")
        events = self.account.engine.cancel(order_id, 0)
        if not events:
            raise Refused(422, "order is not cancelable")
        self._take(events)
        return None

    def _money(self) -> Any:
        value = sum((quantity * PRICE for quantity in self.account.held.values()), ZERO)
        return {
            "id": str(uuid.uuid4()),
            "account_number": "PA1",
            "status": "ACTIVE",
            "currency": "USD",
            "cash": str(self.account.cash),
            "equity": str(self.account.cash + value),
            "initial_margin": "0",
            "buying_power": str(self.account.cash),
        }

    def _positions(self) -> Any:
        return [
            {
                "symbol": symbol,
                "qty": str(quantity),
                "side": "long" if quantity > 0 else "short",
                "avg_entry_price": str(PRICE),
                "current_price": str(PRICE),
                "unrealized_pl": "0",
            }
            for symbol, quantity in self.account.held.items()
            if quantity
        ]

    def _fills(self, query: dict[str, str]) -> Any:
        ids = [item["id"] for item in self.account.fills]
        start = ids.index(query["page_token"]) + 1 if "page_token" in query else 0
        return self.account.fills[start : start + int(query.get("page_size", "100"))]


def _order(item: Placed) -> dict[str, Any]:
    asked = item.asked
    return {
        "id": item.id,
        "client_order_id": asked.get("client_order_id") or str(uuid.uuid4()),
        "created_at": _time(item.at),
        "submitted_at": _time(item.at),
        "symbol": asked["symbol"],
        "qty": asked["qty"],
        "filled_qty": str(item.filled),
        "filled_avg_price": str(item.cost / item.filled) if item.filled else None,
        "type": asked["type"],
        "side": asked["side"],
        "time_in_force": asked["time_in_force"],
        "limit_price": asked.get("limit_price"),
        "stop_price": asked.get("stop_price"),
        "status": item.status,
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
