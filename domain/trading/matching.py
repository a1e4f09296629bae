"""A venue that exists only here: working orders against prices. Pure and deterministic: no clock, no I/O.

Its rules, each the more careful of what might have happened:

- A market order trades at the touch (ask for a buy, bid for a sell; the last price where there is no touch), worse
  by the slippage, rounded to the tick against it. Without a price it waits for the first.
- A limit order that could trade when it arrives is a taker at the touch with slippage, never beyond its limit. One
  that rests is a maker: it fills at its limit once a price reaches it, or at a bar's open that gapped through it.
- A stop triggers when a price reaches its trigger; then it is a market order from that price, or from a bar's open
  that gapped through. A stop-limit becomes a limit order; in the bar that triggers it, it fills only if the trigger
  price itself is within its limit, since what came after within the bar is not known.
- All our orders together take at most ``participation`` of the volume of a tick or bar, best price first, then
  oldest.
- A bar concerns only orders that were there when it opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from domain.common.errors import Conflict
from domain.trading.brokerage import Quote
from domain.trading.model import ZERO, OrderState, OrderType, Side, TimeInForce

_BPS = Decimal(10_000)
_UNBOUNDED = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Working:
    """An order as the venue sees it. ``entered_at`` is milliseconds UTC; ``filled`` of ``quantity`` is done."""

    id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    filled: Decimal = ZERO
    triggered: bool = False
    entered_at: int = 0

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def waits_for_trigger(self) -> bool:
        """Whether its trigger price was not reached yet."""
        return self.type.needs_trigger and not self.triggered


@dataclass(frozen=True, slots=True)
class FillRules:
    """How reality is imitated.

    Args:
        slippage_bps: what a taker pays beyond the touch, in basis points.
        slippage_jitter_bps: and up to this much more, drawn from ``seed``.
        participation: the share of a tick's or bar's volume that our orders may take; None: all they want.
        tick_size: prices of takers are rounded to it, against them.
        lot_size: quantities are multiples of it.
        seed: of what is drawn.
    """

    slippage_bps: Decimal = ZERO
    slippage_jitter_bps: Decimal = ZERO
    participation: Decimal | None = Decimal("0.1")
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Executed:
    """A part of an order traded. ``liquidity`` is ``taker`` or ``maker``."""

    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    at: int
    liquidity: str


@dataclass(frozen=True, slots=True)
class Triggered:
    """An order's trigger price was reached."""

    order_id: str
    at: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An order ended without being filled in full."""

    order_id: str
    status: OrderState
    reason: str
    at: int


MatchEvent = Executed | Triggered | Ended


@dataclass(frozen=True, slots=True)
class _Prices:
    """What a moment offers: where it opens for an order, and how far prices went."""

    open: Decimal
    high: Decimal
    low: Decimal
    bid: Decimal
    ask: Decimal
    at: int
    is_bar: bool = False

    def touch(self, side: Side) -> Decimal:
        return self.ask if side is Side.BUY else self.bid


class MatchingEngine:
    """The working orders of one account. The same calls in the same order give the same events.

    Not safe for threads: whoever owns it has a lock.
    """

    def __init__(self, rules: FillRules) -> None:
        self._rules = rules
        self._orders: dict[str, Working] = {}
        self._draws = 0

    def submit(self, order: Working, quote: Quote | None, at: int) -> list[MatchEvent]:
        """Take an order in, and trade at once what trades at ``quote``.

        What an ``ioc`` cannot trade at once ends; so does a ``fok`` as a whole unless all of it trades.
        """
        self._orders[order.id] = order
        left = self._bound(None if quote is None else quote.volume)
        events: list[MatchEvent] = []
        if quote is not None:
            if order.time_in_force is TimeInForce.FOK and not self._all_at_once(order, quote, left):
                return self._end(order.id, OrderState.CANCELED, "fok: not all of it could trade at once", at)
            self._match(order, _of_quote(quote, at), left, events, fresh=True)
        if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            events += self._end(order.id, OrderState.CANCELED, f"{order.time_in_force}: nothing more trades now", at)
        return events

    def cancel(self, order_id: str, at: int) -> list[MatchEvent]:
        """End an order; one that is not working changes nothing."""
        return self._end(order_id, OrderState.CANCELED, "canceled", at)

    def replace(
        self,
        order_id: str,
        *,
        quantity: Decimal,
        price: Decimal | None,
        trigger_price: Decimal | None,
        quote: Quote | None,
        at: int,
    ) -> list[MatchEvent]:
        """Change a working order; it loses its place in time, and may trade at once.

        Raises:
            Conflict: it is not working, or as much is filled already.
        """
        order = self._orders.get(order_id)
        if order is None:
            raise Conflict("the order is not working", code="order_state")
        if quantity <= order.filled:
            raise Conflict(f"{order.filled} is filled already", code="order_state")
        del self._orders[order_id]
        new = replace(order, quantity=quantity, price=price, trigger_price=trigger_price, entered_at=at)
        return self.submit(new, quote, at)

    def on_quote(self, quote: Quote) -> list[MatchEvent]:
        """Trade what a new price trades; ``quote.volume`` is the volume of this tick, None: not known, no bound."""
        prices = _of_quote(quote, quote.time_ms)
        return self._sweep(quote.symbol, prices, quote.volume, self._of(quote.symbol))

    def on_bar(
        self,
        symbol: str,
        *,
        open: Decimal,
        high: Decimal,
        low: Decimal,
        close: Decimal,
        volume: Decimal,
        opened_at: int,
        closed_at: int,
    ) -> list[MatchEvent]:
        """Trade what a closed bar would have traded. Times are milliseconds UTC."""
        known = [order for order in self._of(symbol) if order.entered_at <= opened_at]
        return self._sweep(symbol, _Prices(open, high, low, open, open, closed_at, is_bar=True), volume, known)

    def end_session(self, at: int, symbols: Collection[str] | None = None) -> list[MatchEvent]:
        """Let the day orders of symbols (None: all) expire."""
        over = [
            order.id
            for order in self._orders.values()
            if order.time_in_force is TimeInForce.DAY and (symbols is None or order.symbol in symbols)
        ]
        return [event for order_id in over for event in self._end(order_id, OrderState.EXPIRED, "the day ended", at)]

    def working(self) -> list[Working]:
        """Return the working orders, oldest first."""
        return list(self._orders.values())

    @property
    def draws(self) -> int:
        """How many numbers were drawn from the seed so far."""
        return self._draws

    def get(self, order_id: str) -> Working | None:
        """Return a working order; None when it is not working."""
        return self._orders.get(order_id)

    @classmethod
    def resumed(cls, rules: FillRules, orders: Iterable[Working], draws: int) -> MatchingEngine:
        """Return an engine that goes on as one that had these working orders, oldest first, and drew so often."""
        engine = cls(rules)
        engine._orders = {order.id: order for order in orders}
        engine._draws = draws
        return engine

    def _of(self, symbol: str) -> list[Working]:
        return [order for order in self._orders.values() if order.symbol == symbol]

    def _bound(self, volume: Decimal | None) -> Decimal:
        if volume is None or self._rules.participation is None:
            return _UNBOUNDED
        lot = self._rules.lot_size
        return (volume * self._rules.participation / lot).to_integral_value(ROUND_FLOOR) * lot

    def _sweep(
        self, symbol: str, prices: _Prices, volume: Decimal | None, orders: Iterable[Working]
    ) -> list[MatchEvent]:
        events: list[MatchEvent] = []
        left = self._bound(volume)
        for order in sorted(orders, key=_priority):
            left = self._match(order, prices, left, events, fresh=False)
        return events

    def _match(
        self, order: Working, prices: _Prices, left: Decimal, events: list[MatchEvent], *, fresh: bool
    ) -> Decimal:
        """Trade what an order can; return what is left of the volume."""
        touch = prices.touch(order.side)
        takes = fresh or order.price is None
        if order.waits_for_trigger:
            reached = self._trigger(order, prices)
            if reached is None:
                return left
            order = self._orders[order.id] = replace(order, triggered=True)
            events.append(Triggered(order.id, prices.at))
            touch, takes = reached, True
        quantity = min(order.remaining, left)
        if quantity <= 0:
            return left
        price = self._as_taker(order, touch) if takes else _as_maker(order, prices)
        if price is None:
            return left
        liquidity = "taker" if takes else "maker"
        events.append(Executed(order.id, order.symbol, order.side, quantity, price, prices.at, liquidity))
        done = replace(order, filled=order.filled + quantity)
        if done.remaining:
            self._orders[order.id] = done
        else:
            del self._orders[order.id]
        return left - quantity

    def _trigger(self, order: Working, prices: _Prices) -> Decimal | None:
        """Return the price at which an order's trigger was reached; None: it was not."""
        trigger = order.trigger_price
        assert trigger is not None
        if order.side is Side.BUY:
            if prices.open >= trigger:
                return max(prices.open, prices.ask)
            return trigger if prices.high >= trigger else None
        if prices.open <= trigger:
            return min(prices.open, prices.bid)
        return trigger if prices.low <= trigger else None

    def _as_taker(self, order: Working, touch: Decimal) -> Decimal | None:
        """Return what a taker pays; None: not within its limit."""
        limit = order.price if order.type.needs_price else None
        sign = order.side.sign
        if limit is not None and (touch - limit) * sign > 0:
            return None
        price = touch * (1 + sign * self._slippage() / _BPS)
        tick = self._rules.tick_size
        rounding = ROUND_CEILING if sign > 0 else ROUND_FLOOR
        price = max(tick, (price / tick).to_integral_value(rounding) * tick).normalize()
        return limit if limit is not None and (price - limit) * sign > 0 else price

    def _slippage(self) -> Decimal:
        jitter = self._rules.slippage_jitter_bps
        if not jitter:
            return self._rules.slippage_bps
        self._draws += 1
        digest = hashlib.sha256(f"{self._rules.seed}/{self._draws}".encode()).digest()
        drawn = Decimal(int.from_bytes(digest[:6])) / Decimal(2**48)
        return self._rules.slippage_bps + jitter * drawn

    def _all_at_once(self, order: Working, quote: Quote, left: Decimal) -> bool:
        if order.waits_for_trigger and self._trigger(order, _of_quote(quote, 0)) is None:
            return False
        touch = _of_quote(quote, 0).touch(order.side)
        within = order.price is None or (touch - order.price) * order.side.sign <= 0
        return within and left >= order.remaining

    def _end(self, order_id: str, status: OrderState, reason: str, at: int) -> list[MatchEvent]:
        if self._orders.pop(order_id, None) is None:
            return []
        return [Ended(order_id, status, reason, at)]


def _of_quote(quote: Quote, at: int) -> _Prices:
    return _Prices(quote.price, quote.price, quote.price, quote.bid or quote.price, quote.ask or quote.price, at)


def _as_maker(order: Working, prices: _Prices) -> Decimal | None:
    """Return what a resting limit order gets; None: no price reached it."""
    limit = order.price
    assert limit is not None
    better = min if order.side is Side.BUY else max
    reached = prices.low <= limit if order.side is Side.BUY else prices.high >= limit
    if not reached:
        return None
    # A tick trades with us at our limit; a bar that opened beyond it gave the price it opened at.
    return better(limit, prices.open) if prices.is_bar else limit


def _priority(order: Working) -> tuple[bool, Decimal]:
    """Market orders first, then the best price; orders of one price stay as they came."""
    if order.price is None:
        return False, ZERO
    return True, -order.price * order.side.sign
