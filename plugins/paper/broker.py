"""The paper broker: the account's own venue. What is not in the journal did not happen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from aitrader.api import (
    Account,
    Ack,
    AITraderError,
    Balance,
    BrokerContext,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerRejected,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Conflict,
    Executed,
    Holding,
    Instrument,
    MatchEvent,
    MatchingEngine,
    NotSent,
    Order,
    OrderType,
    OutcomeUnknown,
    Product,
    Quote,
    SessionState,
    Side,
    TimeInForce,
    Unavailable,
    Working,
    parse_fee_options,
)
from plugins.paper import entries
from plugins.paper.ledger import ZERO, Entry, Ledger
from plugins.paper.options import PaperOptions
from plugins.paper.power import after_order, worst_case

_DAY_MS = 86_400_000


class PaperBroker:
    """An open paper account.

    Args:
        account: whose ``starting_cash`` the books begin with.
        options: how reality is imitated.
        context: clock, prices and journal.
    """

    def __init__(self, account: Account, options: PaperOptions, context: BrokerContext) -> None:
        self._account = account
        self._options = options
        self._context = context
        self._fees = parse_fee_options(options.fees)
        self._lock = threading.RLock()
        self._ledger = Ledger(account.starting_cash)
        self._engine = MatchingEngine(options.rules())
        self._stale = True
        self._taken = False
        self._callback: Callable[[BrokerUpdate], None] = lambda update: None
        self._unlisten: Callable[[], None] = lambda: None

    def capabilities(self) -> Capabilities:
        """Return everything: it is all imitated."""
        return Capabilities(
            order_types=frozenset(OrderType),
            times_in_force=frozenset(TimeInForce),
            products=(Product.MARGIN, Product.DELIVERY, Product.INTRADAY),
            streaming=True,
            shorting=self._options.shorting,
            fractional=self._options.lot_size != self._options.lot_size.to_integral_value(),
            settle_ms=0,
        )

    def session(self) -> BrokerSession:
        """Return that the account is there, once its journal could be read."""
        now = self._context.clock.now_ms()
        try:
            with self._lock:
                self._load()
        except AITraderError as error:
            return BrokerSession(SessionState.DOWN, error.detail, checked_at=now)
        return BrokerSession(SessionState.CONNECTED, user=self._account.id, checked_at=now)

    def log_in(self) -> BrokerSession:
        """Nothing to log in to."""
        return self.session()

    def instrument(self, symbol: str) -> Instrument | None:
        """Return tick and lot of the account's options, for any symbol."""
        exchange = symbol.partition(":")[0] if ":" in symbol else ""
        tick, lot = self._options.tick_size, self._options.lot_size
        return Instrument(symbol, exchange, tick, lot, self._account.currency)

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        """Take an order in, and trade at once what trades."""
        with self._lock:
            self._load_or(NotSent)
            quote = self._context.quotes.last(order.symbol)
            self._check(order, quote)
            fence()
            now, number = self._context.clock.now_ms(), self._ledger.last + 1
            working = entries.working(order, f"P{number:08d}", now)
            events = self._engine.submit(working, quote, now)
            self._store([entries.accepted(working, order.tag, order.product), *self._entries(events, order.product)])
            return Ack(working.id, self._update({working.id}, since=number))

    def modify(self, order: Order) -> None:
        """Change a working order; it may trade at once."""
        with self._lock:
            self._load_or(NotSent)
            broker_id = self._working_id(order)
            quote = self._context.quotes.last(order.symbol)
            self._check_power(order, quote, without=broker_id)
            now, since = self._context.clock.now_ms(), self._ledger.last + 1
            values = {"quantity": order.quantity, "price": order.price, "trigger_price": order.trigger_price}
            try:
                events = self._engine.replace(broker_id, **values, quote=quote, at=now)  # type: ignore[arg-type]
            except Conflict as error:
                raise BrokerRejected(error.detail, code="order_state") from error
            self._store([entries.replaced(broker_id, now, values), *self._entries(events)])
            update = self._update({broker_id}, since=since)
        self._callback(update)

    def cancel(self, order: Order) -> None:
        """End a working order."""
        with self._lock:
            self._load_or(Unavailable)
            broker_id, since = self._working_id(order), self._ledger.last + 1
            self._store(self._entries(self._engine.cancel(broker_id, self._context.clock.now_ms())))
            update = self._update({broker_id}, since=since)
        self._callback(update)

    def orders(self) -> Sequence[BrokerOrder]:
        """Return all orders that were ever accepted."""
        with self._lock:
            self._load()
            return list(self._ledger.orders.values())

    def fills(self) -> Sequence[BrokerFill]:
        """Return all fills there ever were."""
        with self._lock:
            self._load()
            return list(self._ledger.fills)

    def positions(self) -> Sequence[BrokerPosition]:
        """Return the net positions."""
        with self._lock:
            self._load()
            return self._ledger.as_positions()

    def holdings(self) -> Sequence[Holding]:
        """Return nothing: there is no depository."""
        return []

    def balance(self) -> Balance:
        """Return the money, positions valued at the last known prices."""
        with self._lock:
            self._load()
            quotes = self._quotes(self._ledger.held())
            return self._ledger.balance(self._account.currency, quotes, self._options.leverage)

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        """Call ``callback`` when a price trades something."""
        self._callback = callback
        self._unlisten = self._context.quotes.listen(self._on_quote)

    def close(self) -> None:
        """Hear no more prices. Working orders stay."""
        self._unlisten()
        self._callback = lambda update: None

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
    ) -> BrokerUpdate:
        """Trade what a closed bar would have traded, for replays; see `MatchingEngine.on_bar`."""
        with self._lock:
            self._load()
            since = self._ledger.last + 1
            events = self._engine.on_bar(
                symbol,
                open=open,
                high=high,
                low=low,
                close=close,
                volume=volume,
                opened_at=opened_at,
                closed_at=closed_at,
            )
            self._store(self._entries(events))
            return self._update({event.order_id for event in events}, since=since)

    def _on_quote(self, quote: Quote) -> None:
        try:
            with self._lock:
                self._load()
                since = self._ledger.last + 1
                events = self._engine.on_quote(quote)
                self._store(self._entries(events))
                self._margin_call()
                update = self._update({event.order_id for event in events}, since=since)
        except AITraderError as error:
            self._context.logger.warning("a price was not traded on", extra={"reason": error.detail})
            return
        if update.orders or update.fills:
            self._callback(update)

    def _load(self) -> None:
        """Bring the books up to the journal, if they may not be; let day orders expire."""
        if self._taken:
            raise Unavailable("another process has this account now", code="account_taken")
        if self._stale:
            ledger = Ledger(self._account.starting_cash)
            for number, entry in self._context.journal.read():
                ledger.apply(number, entry)
            self._ledger = ledger
            self._engine = MatchingEngine.resumed(self._options.rules(), ledger.working(), ledger.draws)
            self._stale = False
        self._end_day()

    def _load_or(self, kind: type[AITraderError]) -> None:
        try:
            self._load()
        except AITraderError as error:
            raise kind(error.detail, code=error.code) from error

    def _end_day(self) -> None:
        hours, minutes = (int(part) for part in self._options.day_ends.split(":"))
        shift, now = (hours * 60 + minutes) * 60_000, self._context.clock.now_ms()
        ended = (now - shift) // _DAY_MS * _DAY_MS + shift
        over = [
            order
            for order in self._engine.working()
            if order.time_in_force is TimeInForce.DAY and order.entered_at < ended
        ]
        events: list[MatchEvent] = self._engine.end_session(ended) if over else []
        self._store(self._entries(events))
        intraday = {symbol: held for symbol, held in self._ledger.intraday.items() if held}
        newest = max((fill.filled_at for fill in reversed(self._ledger.fills)), default=0) if intraday else 0
        if intraday and newest < ended:
            self._square_off(intraday, Product.INTRADAY)

    def _margin_call(self) -> None:
        """Close everything once what is left does not carry it any more."""
        held = self._ledger.held()
        balance = self._ledger.balance(self._account.currency, self._quotes(held), self._options.leverage)
        if balance.equity is None or balance.margin_used is None or not held:
            return
        if balance.equity < self._options.maintenance * balance.margin_used:
            for working in self._engine.working():
                self._store(self._entries(self._engine.cancel(working.id, self._context.clock.now_ms())))
            self._square_off({symbol: item.quantity for symbol, item in held.items()}, None)

    def _square_off(self, held: dict[str, Decimal], product: Product | None) -> None:
        """Close positions with orders of the broker's own: they carry no tag."""
        for symbol, quantity in held.items():
            now, number = self._context.clock.now_ms(), self._ledger.last + 1
            side = Side.SELL if quantity > 0 else Side.BUY
            order = Working(
                f"P{number:08d}",
                symbol,
                side,
                OrderType.MARKET,
                TimeInForce.GTC,
                abs(quantity),
                entered_at=now,
            )
            events = self._engine.submit(order, self._context.quotes.last(symbol), now)
            self._store([entries.accepted(order, None, product), *self._entries(events, product)])

    def _check(self, order: Order, quote: Quote | None) -> None:
        if order.tag in self._ledger.tags:
            raise BrokerRejected(f"there is an order with the tag {order.tag} already", code="duplicate_tag")
        tick, lot = self._options.tick_size, self._options.lot_size
        for name, value, step in (
            ("quantity", order.quantity, lot),
            ("price", order.price, tick),
            ("trigger price", order.trigger_price, tick),
        ):
            if value is not None and (value <= 0 or value % step):
                raise BrokerRejected(f"the {name} {value} is not a multiple of {step}", code="off_increment")
        self._check_power(order, quote, without=None)

    def _check_power(self, order: Order, quote: Quote | None, *, without: str | None) -> None:
        """Refuse what the account cannot carry. What only makes a position smaller always can be."""
        others = [working for working in self._engine.working() if working.id != without]
        held = self._ledger.positions.get(order.symbol)
        quantity = ZERO if held is None else held.quantity
        after = after_order(quantity, order, others)
        if abs(after) < abs(quantity) or (after * quantity >= 0 and abs(after) <= abs(quantity)):
            return
        if after < 0 and not self._options.shorting:
            raise BrokerRejected(f"it would go {-after} short, and the account may not", code="no_shorting")
        price = order.price or order.trigger_price or (None if quote is None else quote.price)
        if price is None:
            raise BrokerRejected(
                f"no price of {order.symbol} is known; import bars or push one with: aitrader quote",
                code="no_price",
            )
        self._require_power(order, price, others)

    def _require_power(self, order: Order, price: Decimal, others: list[Working]) -> None:
        symbols = {*self._ledger.held(), *(other.symbol for other in others), order.symbol}
        quotes = self._quotes(symbols)
        prices = {symbol: quote.price for symbol, quote in quotes.items()}
        held = {symbol: item.quantity for symbol, item in self._ledger.held().items()}
        equity = self._ledger.cash + sum(
            (item.quantity * prices[symbol] if symbol in prices else item.cost)
            for symbol, item in self._ledger.held().items()
        )
        slip = 1 + (self._options.slippage_bps + self._options.slippage_jitter_bps) / Decimal(10_000)
        needed = worst_case(held, prices, others, order, price * slip) / self._options.leverage
        fees = self._charge(order.symbol, order.side, order.product, order.remaining, price)
        if needed + fees > equity:
            raise BrokerRejected(
                f"it needs {needed + fees:.2f} {self._account.currency}, and the account is worth {equity:.2f}",
                code="insufficient_funds",
            )

    def _charge(self, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal) -> Decimal:
        charges = self._fees.charges(
            symbol=symbol,
            side=side,
            product=product,
            quantity=quantity,
            price=price,
            at=self._context.clock.now_ms(),
        )
        return charges.total

    def _working_id(self, order: Order) -> str:
        broker_id = order.broker_order_id or self._ledger.tags.get(order.tag, "")
        if self._engine.get(broker_id) is None:
            raise BrokerRejected("the order is not working", code="order_state")
        return broker_id

    def _quotes(self, symbols: Iterable[str]) -> dict[str, Quote]:
        found = {symbol: self._context.quotes.last(symbol) for symbol in symbols}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    def _entries(self, events: Sequence[MatchEvent], product: Product | None = None) -> list[Entry]:
        """Return the entries of events; ``product`` is that of an order whose entry is not stored yet."""
        return [self._entry(event, product) for event in events]

    def _entry(self, event: MatchEvent, product: Product | None) -> Entry:
        if not isinstance(event, Executed):
            return entries.of_event(event)
        known = self._ledger.orders.get(event.order_id)
        product = product if known is None else known.product
        fees = self._charge(event.symbol, event.side, product, event.quantity, event.price)
        return entries.executed(event, fees, self._engine.draws)

    def _store(self, entries: list[Entry]) -> None:
        """Make entries durable, then true. Whatever goes wrong, the journal decides what happened."""
        if not entries:
            return
        try:
            self._context.journal.append(self._ledger.last, entries)
        except Conflict as error:
            self._taken = True
            raise NotSent("another process has this account now", code="account_taken") from error
        except AITraderError as error:
            self._stale = True
            raise OutcomeUnknown(f"the journal did not answer: {error.detail}") from error
        for entry in entries:
            self._ledger.apply(self._ledger.last + 1, entry)

    def _update(self, order_ids: set[str], *, since: int) -> BrokerUpdate:
        """Return what became of orders, and the fills from entry ``since`` on with their orders."""
        fills = []
        for fill in reversed(self._ledger.fills):
            if int(fill.broker_fill_id.rpartition("-")[2]) < since:
                break
            fills.append(fill)
        touched = sorted(order_ids | {fill.broker_order_id for fill in fills})
        return BrokerUpdate(tuple(self._ledger.orders[order_id] for order_id in touched), tuple(reversed(fills)))
