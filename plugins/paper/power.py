"""Whether a paper account may have an order: its numbers, and its money with all that still works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from aitrader.api import BrokerRejected, Invalid, Order, Quote, Side, Working
from plugins.paper.ledger import ZERO
from plugins.paper.options import PaperOptions
from plugins.paper.venue import Venue

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Power:
    """What an account may do. ``currency`` is for messages."""

    venue: Venue
    options: PaperOptions
    currency: str

    def require(self, order: Order, quote: Quote | None, now: int, *, instead_of: str | None = None) -> None:
        """Check that the account can carry an order. What only makes a position smaller always can be carried.

        Args:
            order: what would be placed; what is filled of it already counts as held.
            quote: the last price of its symbol.
            now: milliseconds UTC.
            instead_of: the working order whose place it takes.

        Raises:
            BrokerRejected: it cannot, or the order contradicts itself.
        """
        self._require_shape(order)
        self._fees(order, quote, now)  # what cannot be charged could never be filled, a closing order included
        others = [item for item in self.venue.engine.working() if item.id != instead_of]
        held = self.venue.ledger.positions.get(order.symbol)
        before = ZERO if held is None else held.quantity
        after = before + order.side.sign * (order.remaining + _waiting(order, others))
        if before * after >= 0 and abs(after) <= abs(before):
            return
        if after < 0 and not self.options.shorting:
            raise BrokerRejected(f"it would go {-after} short, and the account may not", code="no_shorting")
        self._require_money(order, quote, others, now)

    def _require_shape(self, order: Order) -> None:
        tick, lot = self.options.tick_size, self.options.lot_size
        for name, value, step, needed in (
            ("quantity", order.quantity, lot, True),
            ("price", order.price, tick, order.type.needs_price),
            ("trigger price", order.trigger_price, tick, order.type.needs_trigger),
        ):
            if (value is not None) is not needed:
                word = "has no" if value is not None else "needs a"
                raise BrokerRejected(f"a {order.type} order {word} {name}", code="order_shape")
            if value is not None and (not value.is_finite() or value <= 0 or value % step):
                raise BrokerRejected(f"the {name} {value} is not a multiple of {step}", code="off_increment")

    def _fees(self, order: Order | Working, quote: Quote | None, now: int) -> Decimal:
        product = order.product if isinstance(order, Order) else self.venue.ledger.orders[order.id].product
        price = self._dearest(order, quote) or ZERO
        try:
            return self.venue.charge(order.symbol, order.side, product, order.remaining, price, now)
        except Invalid as error:
            raise BrokerRejected(error.detail, code=error.code) from error

    def _require_money(self, order: Order, quote: Quote | None, others: list[Working], now: int) -> None:
        price = self._dearest(order, quote)
        if price is None:
            raise BrokerRejected(
                f"no price of {order.symbol} is known; import bars or push one with: aitrader quote",
                code="no_price",
            )
        held = self.venue.ledger.held()
        quotes = self.venue.quotes({*held, *(item.symbol for item in others)})
        worth = {
            symbol: item.quantity * quotes[symbol].price if symbol in quotes else item.cost
            for symbol, item in held.items()
        }
        waiting, fees = [(order.symbol, order.side, order.remaining * price)], self._fees(order, quote, now)
        for item in others:
            last = quotes.get(item.symbol)
            waiting.append((item.symbol, item.side, item.remaining * (self._dearest(item, last) or ZERO)))
            fees += self._fees(item, last, now)
        needed = worst_case(worth, waiting) / self.options.leverage + fees
        equity = self.venue.ledger.cash + sum(worth.values(), ZERO)
        if needed > equity:
            raise BrokerRejected(
                f"all positions and working orders would need {needed:.2f} {self.currency}, "
                f"and the account is worth {equity:.2f}",
                code="insufficient_funds",
            )

    def _dearest(self, order: Order | Working, quote: Quote | None) -> Decimal | None:
        """Return the most that a unit may be traded at, or stand at once it was; None: nobody knows.

        A buy never costs more than its limit. A sell may trade at once far above its limit, and a stop far beyond
        its trigger, if the market is there already.
        """
        if order.side is Side.BUY and order.price is not None:
            return order.price
        if quote is None:
            return order.price
        touch = max(quote.price, quote.bid or ZERO, quote.ask or ZERO)
        slipped = touch * (1 + (self.options.slippage_bps + self.options.slippage_jitter_bps) / _BPS)
        tick = self.options.tick_size
        taken = (slipped / tick).to_integral_value(ROUND_CEILING) * tick
        return max(taken, order.price or ZERO, order.trigger_price or ZERO)


def _waiting(order: Order, others: Iterable[Working]) -> Decimal:
    mine = [item for item in others if (item.symbol, item.side) == (order.symbol, order.side)]
    return sum((item.remaining for item in mine), ZERO)


def worst_case(worth: Mapping[str, Decimal], waiting: Iterable[tuple[str, Side, Decimal]]) -> Decimal:
    """Return the gross value of all positions if, of each symbol, the worse side of the orders is filled.

    Args:
        worth: the signed value of positions by symbol.
        waiting: symbol, side and value of orders.
    """
    buys: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    sells: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for symbol, side, value in waiting:
        (buys if side is Side.BUY else sells)[symbol] += value
    total = ZERO
    for symbol in {*worth, *buys, *sells}:
        held = worth.get(symbol, ZERO)
        total += max(abs(held + buys[symbol]), abs(held - sells[symbol]))
    return total
