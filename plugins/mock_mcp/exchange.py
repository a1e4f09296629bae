"""The practice broker's venue: what its ledger says happened, and the books that follow from it.

The books are the fold of the ledger: the same entries give the same books, so that a killed server knows after its
restart what it knew before. Matching is that of the paper broker, without slippage and as much as is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aitrader.api import (
    Conflict,
    Ended,
    Executed,
    FillRules,
    MatchEvent,
    MatchingEngine,
    OrderState,
    OrderType,
    Quote,
    Side,
    TimeInForce,
    Working,
)
from plugins.mock_mcp.ledger import Ledger
from plugins.mock_mcp.market import LISTED

ZERO = Decimal(0)

TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "SL": OrderType.STOP_LIMIT,
    "SL-M": OrderType.STOP,
}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
VALIDITIES = {"DAY": TimeInForce.DAY, "IOC": TimeInForce.IOC, "TTL": TimeInForce.DAY}
PRODUCTS = ("CNC", "NRML", "MIS", "MTF")

_STATUS = {OrderState.CANCELED: "CANCELLED", OrderState.EXPIRED: "CANCELLED"}


@dataclass(slots=True)
class Placed:
    """An order of the book. ``status`` is Kite's word; times are milliseconds UTC."""

    id: str
    symbol: str
    asked: dict[str, Any]
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    placed_at: int
    updated_at: int
    visible_at: int
    status: str = "OPEN"
    message: str = ""
    filled: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def ended(self) -> bool:
        """Whether nothing becomes of it any more."""
        return self.status in ("COMPLETE", "CANCELLED", "REJECTED")


@dataclass(frozen=True, slots=True)
class Trade:
    """An execution."""

    id: str
    order: Placed
    quantity: Decimal
    price: Decimal
    at: int


@dataclass(slots=True)
class Held:
    """Shares in the depository; those of the last day are not delivered yet."""

    quantity: Decimal = ZERO
    waiting: Decimal = ZERO
    average: Decimal = ZERO


@dataclass(slots=True)
class Books:
    """What the ledger comes to."""

    cash: Decimal
    orders: dict[str, Placed] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    holdings: dict[str, Held] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=dict)
    candles: dict[str, list[tuple[int, Decimal]]] = field(default_factory=dict)
    triggers: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbers: int = 0


class Exchange:
    """The venue over its ledger. Not safe for threads.

    Args:
        ledger: what happened so far.
        cash: what the account begins with, in rupees.
    """

    def __init__(self, ledger: Ledger, cash: Decimal) -> None:
        self.ledger = ledger
        self.books = Books(cash, prices={item.id: item.price for item in LISTED.values()})
        self._engine = MatchingEngine(FillRules(participation=None, tick_size=Decimal("0.05")))
        for entry in ledger.entries:
            self._apply(entry)

    def do(self, op: str, at: int, **facts: Any) -> None:
        """Store that something happened, then let it be true."""
        self.ledger.append({"op": op, "at": at, **facts})
        self._apply(self.ledger.entries[-1])

    def place(self, asked: dict[str, Any], at: int, *, by: str = "tool", hidden_ms: int = 0) -> str:
        """Take an order in; return its id. Whether the account can carry it, the book says later."""
        order_id = f"{at // 86_400_000:06d}{self.books.numbers + 1:09d}"
        self.do("place", at, id=order_id, asked=asked, by=by, hidden_ms=hidden_ms)
        return order_id

    def working(self, order_id: str) -> Placed:
        """Return an order that has not ended.

        Raises:
            Conflict: there is none.
        """
        order = self.books.orders.get(order_id)
        if order is None or order.ended:
            raise Conflict("the order is not working", code="order_state")
        return order

    def _apply(self, entry: dict[str, Any]) -> None:
        action = getattr(self, f"_on_{entry['op']}", None)
        if action is not None:
            action(entry)

    def _on_place(self, entry: dict[str, Any]) -> None:
        asked, at = entry["asked"], entry["at"]
        self.books.numbers += 1
        order = Placed(
            id=entry["id"],
            symbol=f"{asked['exchange']}:{asked['tradingsymbol']}",
            asked=asked,
            quantity=Decimal(str(asked["quantity"])),
            price=Decimal(str(asked.get("price") or 0)),
            trigger_price=Decimal(str(asked.get("trigger_price") or 0)),
            placed_at=at,
            updated_at=at,
            visible_at=at + entry["hidden_ms"],
        )
        self.books.orders[order.id] = order
        problem = self._problem(order)
        if problem:
            order.status, order.message = "REJECTED", problem
            return
        order.status = "TRIGGER PENDING" if asked["order_type"] in ("SL", "SL-M") else "OPEN"
        self._take(self._engine.submit(_working(order), self._quote(order.symbol, at), at))

    def _problem(self, order: Placed) -> str:
        """Return why the risk management of the broker refuses an order; empty when it does not."""
        price = order.price or self.books.prices[order.symbol]
        if order.asked["transaction_type"] == "BUY" and order.quantity * price > self.books.cash:
            needed = order.quantity * price
            return f"Insufficient funds. Required margin is {needed} but available margin is {self.books.cash}."
        if order.asked["transaction_type"] == "SELL" and order.asked["product"] == "CNC":
            held = self.books.holdings.get(order.symbol, Held())
            free = held.quantity + held.waiting + self.net(order.symbol, "CNC")
            if order.quantity > free:
                return f"Insufficient stock holding. {free} shares are available to sell."
        return ""

    def net(self, symbol: str, product: str) -> Decimal:
        """Return what was traded of a symbol and product since the last night, bought less sold."""
        mine = [
            item
            for item in self.books.trades
            if (item.order.symbol, item.order.asked["product"]) == (symbol, product)
        ]
        return sum((_signed(item) for item in mine), ZERO)

    def _on_modify(self, entry: dict[str, Any]) -> None:
        order, asked, at = self.books.orders[entry["id"]], entry["asked"], entry["at"]
        # What is left out is one share at no price, as at Kite.
        order.quantity = Decimal(str(asked.get("quantity") or 1))
        order.price = Decimal(str(asked.get("price") or 0))
        order.trigger_price = Decimal(str(asked.get("trigger_price") or 0))
        order.updated_at = at
        quote = self._quote(order.symbol, at)
        self._take(
            self._engine.replace(
                order.id,
                quantity=order.quantity,
                price=order.price or None,
                trigger_price=order.trigger_price or None,
                quote=quote,
                at=at,
            )
        )

    def _on_cancel(self, entry: dict[str, Any]) -> None:
        self._take(self._engine.cancel(entry["id"], entry["at"]))

    def _on_price(self, entry: dict[str, Any]) -> None:
        symbol, price, at = entry["symbol"], Decimal(entry["price"]), entry["at"]
        self.books.prices[symbol] = price
        self.books.candles.setdefault(symbol, []).append((at, price))
        self._take(self._engine.on_quote(Quote(symbol, price, at, source="mock")))

    def _on_night(self, entry: dict[str, Any]) -> None:
        """The next trading day: the books of the day are empty, and what was bought to be kept is a holding."""
        self._take(self._engine.end_session(entry["at"]))
        for held in self.books.holdings.values():
            held.quantity, held.waiting = held.quantity + held.waiting, ZERO
        for symbol in {item.order.symbol for item in self.books.trades}:
            self._deliver(symbol)
        self.books.trades = [item for item in self.books.trades if item.order.asked["product"] != "CNC"]
        self.books.orders = {key: order for key, order in self.books.orders.items() if not order.ended}

    def _deliver(self, symbol: str) -> None:
        bought, held = self.net(symbol, "CNC"), self.books.holdings.setdefault(symbol, Held())
        if bought > 0:
            paid = [item for item in self.books.trades if item.order.symbol == symbol and _signed(item) > 0]
            cost = sum((item.quantity * item.price for item in paid), ZERO) / sum(
                (item.quantity for item in paid), ZERO
            )
            total = held.quantity + bought
            held.average = (held.average * held.quantity + cost * bought) / total
            held.waiting = bought
        else:
            held.quantity += bought

    def _on_gtt(self, entry: dict[str, Any]) -> None:
        if entry["asked"] is None:
            del self.books.triggers[entry["id"]]
        else:
            self.books.triggers[entry["id"]] = {"at": entry["at"], **entry["asked"]}

    def _quote(self, symbol: str, at: int) -> Quote:
        return Quote(symbol, self.books.prices[symbol], at, source="mock")

    def _take(self, events: list[MatchEvent]) -> None:
        for event in events:
            order = self.books.orders[event.order_id]
            order.updated_at = event.at
            if isinstance(event, Executed):
                self._trade(order, event)
            elif isinstance(event, Ended):
                order.status, order.message = _STATUS[event.status], event.reason
            else:
                order.status = "OPEN"

    def _trade(self, order: Placed, event: Executed) -> None:
        order.filled += event.quantity
        order.cost += event.quantity * event.price
        order.status = "COMPLETE" if order.filled == order.quantity else "OPEN"
        self.books.numbers += 1
        trade = Trade(f"{70_000_000 + self.books.numbers}", order, event.quantity, event.price, event.at)
        self.books.trades.append(trade)
        self.books.cash -= _signed(trade) * event.price


def _signed(trade: Trade) -> Decimal:
    return trade.quantity * SIDES[trade.order.asked["transaction_type"]].sign


def _working(order: Placed) -> Working:
    kind = TYPES[order.asked["order_type"]]
    return Working(
        id=order.id,
        symbol=order.symbol,
        side=SIDES[order.asked["transaction_type"]],
        type=kind,
        time_in_force=VALIDITIES[order.asked.get("validity") or "DAY"],
        quantity=order.quantity,
        price=order.price if kind.needs_price else None,
        trigger_price=order.trigger_price if kind.needs_trigger else None,
        entered_at=order.placed_at,
    )
