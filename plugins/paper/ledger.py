"""The books of a paper account: the fold of its journal. Each entry is applied when, and only when, it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from aitrader.api import (
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderState,
    OrderType,
    Product,
    Quote,
    Side,
    TimeInForce,
    Working,
)

ZERO = Decimal(0)

Entry = dict[str, Any]

Closing = tuple[str, Decimal, Product | None]
"""A position to close: its symbol, its signed quantity, and the product of the order that closes it."""


@dataclass(slots=True)
class Holdings:
    """A net position and what its open part cost, signed. ``cost`` / ``quantity`` is the average price."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    def trade(self, signed: Decimal, price: Decimal) -> None:
        """Take a fill in: closing parts leave at average cost."""
        if self.quantity * signed >= 0:
            self.cost += signed * price
        else:
            closed = min(abs(signed), abs(self.quantity))
            self.cost -= self.cost * closed / abs(self.quantity)
            if abs(signed) > closed:
                self.cost = (abs(signed) - closed) * price * (1 if signed > 0 else -1)
        self.quantity += signed
        if not self.quantity:
            self.cost = ZERO


@dataclass
class Ledger:
    """Orders, fills, positions and cash of one account, by the id of the order.

    Args:
        cash: what the account began with, then what is left.
        last: the number of the last entry; the ids of orders and fills come from it.
        tags: the id of the order of each tag.
        intraday: by symbol, what was traded as intraday since the day ended: signed quantity, and since when.
        triggered: orders whose trigger price was reached.
        queue: when each working order entered, oldest first; milliseconds UTC.
        traded_at: by symbol, the time of the last quote that traded something, and how much it did.
        draws: how many random numbers the matching engine has drawn.
    """

    cash: Decimal
    last: int = 0
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    fills: list[BrokerFill] = field(default_factory=list)
    positions: dict[str, Holdings] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    intraday: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    triggered: set[str] = field(default_factory=set)
    queue: dict[str, int] = field(default_factory=dict)
    traded_at: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    draws: int = 0
    _costs: dict[str, Decimal] = field(default_factory=dict)

    def apply(self, number: int, entry: Entry) -> None:
        """Take one stored entry in."""
        self.last = number
        getattr(self, f"_{entry['kind']}")(entry)

    def _accepted(self, entry: Entry) -> None:
        order = _order(entry)
        self.orders[order.broker_order_id] = order
        self.queue[order.broker_order_id] = entry["at"]
        if order.tag:
            self.tags[order.tag] = order.broker_order_id

    def _replaced(self, entry: Entry) -> None:
        order = self.orders[entry["id"]]
        del self.queue[order.broker_order_id]
        self.queue[order.broker_order_id] = entry["at"]
        self.orders[order.broker_order_id] = replace(
            order,
            quantity=Decimal(entry["quantity"]),
            price=_decimal(entry["price"]),
            trigger_price=_decimal(entry["trigger_price"]),
        )

    def _executed(self, entry: Entry) -> None:
        order = self.orders[entry["id"]]
        quantity, price, fees = (Decimal(entry[name]) for name in ("quantity", "price", "fees"))
        filled = order.filled_quantity + quantity
        cost = self._costs[entry["id"]] = self._costs.get(entry["id"], ZERO) + quantity * price
        status = OrderState.FILLED if filled >= order.quantity else OrderState.PARTIALLY_FILLED
        self.orders[order.broker_order_id] = replace(
            order, filled_quantity=filled, average_price=cost / filled, status=status
        )
        if status is OrderState.FILLED:
            del self.queue[order.broker_order_id]
        fill = BrokerFill(
            broker_fill_id=f"{order.broker_order_id}-{self.last}",
            broker_order_id=order.broker_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            filled_at=entry["at"],
            fees=fees,
            liquidity=entry["liquidity"],
        )
        self.fills.append(fill)
        self.draws = entry["draws"]
        self._traded(order, fill, entry["priced_at"])
        signed = order.side.sign * quantity
        self.positions.setdefault(order.symbol, Holdings()).trade(signed, price)
        self.cash -= signed * price + fees

    def _traded(self, order: BrokerOrder, fill: BrokerFill, priced_at: int | None) -> None:
        if priced_at is not None:
            seen, before = self.traded_at.get(order.symbol, (priced_at, ZERO))
            self.traded_at[order.symbol] = (priced_at, fill.quantity + (before if seen == priced_at else ZERO))
        # The venue's own orders close what the end of a day has already taken out of here.
        if order.product is Product.INTRADAY and order.tag is not None:
            quantity, since = self.intraday.pop(order.symbol, (ZERO, fill.filled_at))
            quantity += order.side.sign * fill.quantity
            if quantity:
                self.intraday[order.symbol] = (quantity, since)

    def _day_ended(self, entry: Entry) -> None:
        self.intraday = {symbol: held for symbol, held in self.intraday.items() if held[1] >= entry["at"]}

    def _triggered(self, entry: Entry) -> None:
        self.triggered.add(entry["id"])

    def _ended(self, entry: Entry) -> None:
        order = self.orders[entry["id"]]
        self.orders[order.broker_order_id] = replace(
            order, status=OrderState(entry["status"]), reason=entry["reason"]
        )
        del self.queue[order.broker_order_id]

    def working(self) -> list[Working]:
        """Return the working orders as the matching engine sees them, oldest first."""
        return [self._as_working(self.orders[order_id], at) for order_id, at in self.queue.items()]

    def _as_working(self, order: BrokerOrder, at: int) -> Working:
        return Working(
            id=order.broker_order_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            time_in_force=order.time_in_force,
            quantity=order.quantity,
            price=order.price,
            trigger_price=order.trigger_price,
            filled=order.filled_quantity,
            triggered=order.broker_order_id in self.triggered,
            entered_at=at,
        )

    def held(self) -> dict[str, Holdings]:
        """Return the positions that are not flat."""
        return {symbol: held for symbol, held in self.positions.items() if held.quantity}

    def has_intraday_before(self, at: int) -> bool:
        """Return whether anything was traded as intraday before a time, and not as much back."""
        return any(since < at for _, since in self.intraday.values())

    def intraday_before(self, at: int) -> list[Closing]:
        """Return what was opened as intraday before a time and is still held, whatever closed a part of it since."""
        found: list[Closing] = []
        for symbol, (quantity, since) in self.intraday.items():
            net = self.positions[symbol].quantity
            if since < at and net * quantity > 0:
                found.append((symbol, min(net, quantity, key=abs), Product.INTRADAY))
        return found

    def as_positions(self) -> list[BrokerPosition]:
        """Return the positions as a broker reports them."""
        return [
            BrokerPosition(symbol, held.quantity, held.cost / held.quantity) for symbol, held in self.held().items()
        ]

    def balance(self, currency: str, quotes: dict[str, Quote], leverage: Decimal) -> Balance:
        """Return the money; equity and margin are None where a held symbol has no price."""
        held = self.held()
        if any(symbol not in quotes for symbol in held):
            return Balance(currency, self.cash)
        worth = {symbol: item.quantity * quotes[symbol].price for symbol, item in held.items()}
        equity = self.cash + sum(worth.values(), ZERO)
        used = sum((abs(value) for value in worth.values()), ZERO) / leverage
        return Balance(currency, self.cash, equity, used, equity - used)


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _order(entry: Entry) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=entry["id"],
        tag=entry["tag"],
        symbol=entry["symbol"],
        side=Side(entry["side"]),
        type=OrderType(entry["type"]),
        quantity=Decimal(entry["quantity"]),
        filled_quantity=ZERO,
        status=OrderState.ACCEPTED,
        time_in_force=TimeInForce(entry["time_in_force"]),
        product=None if entry["product"] is None else Product(entry["product"]),
        price=_decimal(entry["price"]),
        trigger_price=_decimal(entry["trigger_price"]),
        created_at=entry["at"],
    )
