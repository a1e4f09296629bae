"""The venue of one paper account: matching engine and books over a journal. Not safe for threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from aitrader.api import (
    Account,
    AITraderError,
    BrokerContext,
    BrokerUpdate,
    Conflict,
    Ended,
    Executed,
    MatchEvent,
    MatchingEngine,
    NotSent,
    Order,
    OrderState,
    OrderType,
    OutcomeUnknown,
    Product,
    Quote,
    Side,
    TimeInForce,
    Unavailable,
    Working,
    parse_fee_options,
)
from plugins.paper import entries
from plugins.paper.ledger import ZERO, Closing, Entry, Ledger
from plugins.paper.options import PaperOptions

_DAY_MS = 86_400_000


class Venue:
    """What is not in the journal did not happen: the engine moves first, then its events are stored, then applied.

    When anything goes wrong in between, the engine is thrown away, and both begin anew from the journal.

    Args:
        account: whose ``starting_cash`` the books begin with.
        options: how reality is imitated.
        context: clock, prices and journal.
    """

    def __init__(self, account: Account, options: PaperOptions, context: BrokerContext) -> None:
        self._cash = account.starting_cash
        self._options = options
        self._context = context
        self._fees = parse_fee_options(options.fees)
        self.ledger = Ledger(self._cash)
        self.engine = MatchingEngine(options.rules())
        self._stale = True
        self._taken = False
        self._known: int | None = None
        self._touched: dict[str, None] = {}
        self._fills_told = 0
        self._day_looked_at: int | None = None

    def load(self) -> None:
        """Bring engine and books up to the journal, if they may not be.

        Raises:
            Unavailable: another process has the account, or the journal does not answer.
        """
        if self._taken:
            raise Unavailable("another process has this account now", code="account_taken")
        if not self._stale:
            return
        ledger, changed = Ledger(self._cash), []
        for number, entry in self._context.journal.read():
            ledger.apply(number, entry)
            if self._known is not None and number > self._known and "id" in entry:
                changed.append(entry["id"])
        if self._known is None:
            self._fills_told = len(ledger.fills)
        self._touched.update(dict.fromkeys(changed))
        self.ledger, self._known, self._day_looked_at = ledger, ledger.last, None
        self.engine = MatchingEngine.resumed(self._options.rules(), ledger.working(), ledger.draws)
        self._stale = False

    def news(self) -> BrokerUpdate:
        """Return the orders and fills that changed since this was last asked."""
        orders = tuple(self.ledger.orders[order_id] for order_id in self._touched)
        fills = tuple(self.ledger.fills[self._fills_told :])
        self._touched, self._fills_told = {}, len(self.ledger.fills)
        return BrokerUpdate(orders, fills)

    def place(self, order: Order, quote: Quote | None, now: int) -> str:
        """Take an order in, and trade at once what trades; return its id.

        Raises:
            NotSent, OutcomeUnknown: see `_change`.
        """
        with self._change() as changes:
            working = entries.working(order, self._next_id(changes), now)
            self._submit(changes, working, order.tag, order.product, quote, now)
        return working.id

    def replace(self, broker_id: str, order: Order, quote: Quote | None, now: int) -> None:
        """Give a working order the quantity and prices of ``order``; it may trade at once.

        Raises:
            Conflict: it is not working, or as much is filled already.
            NotSent, OutcomeUnknown: see `_change`.
        """
        values = {"quantity": order.quantity, "price": order.price, "trigger_price": order.trigger_price}
        with self._change() as changes:
            seen = self._unused(quote)
            events = self.engine.replace(broker_id, **values, quote=seen, at=now)  # type: ignore[arg-type]
            changes.append(entries.replaced(broker_id, now, values))
            self._add(changes, events, self.ledger.orders[broker_id].product, quote)

    def cancel(self, broker_id: str, now: int) -> None:
        """End a working order.

        Raises:
            NotSent, OutcomeUnknown: see `_change`.
        """
        with self._change() as changes:
            self._end(changes, [broker_id], OrderState.CANCELED, "canceled", now)

    def on_quote(self, quote: Quote, now: int) -> None:
        """Trade what a new price trades, now; then see whether the account still carries its positions.

        Raises:
            NotSent, OutcomeUnknown: see `_change`.
        """
        tick = replace(self._unused(quote) or quote, time_ms=now)
        with self._change() as changes:
            self._add(changes, self.engine.on_quote(tick), None, quote)
        self._call_margin(quote.symbol, now)

    def on_bar(self, symbol: str, trade: Callable[[MatchingEngine], list[MatchEvent]], now: int) -> None:
        """Trade what a closed bar trades; then see whether the account still carries its positions.

        Raises:
            NotSent, OutcomeUnknown: see `_change`.
        """
        with self._change() as changes:
            self._add(changes, trade(self.engine), None, None)
        self._call_margin(symbol, now)

    def end_day(self, now: int) -> None:
        """Once a day is over, let its day orders expire and close its intraday positions.

        Raises:
            NotSent, OutcomeUnknown: see `_change`.
        """
        shift = self._options.day_ends_ms
        ended = (now - shift) // _DAY_MS * _DAY_MS + shift
        if ended == self._day_looked_at:
            return
        over = [item.id for item in self.engine.working() if item.entered_at < ended and self._ends_with_day(item)]
        if over or self.ledger.has_intraday_before(ended):
            with self._change() as changes:
                self._end(changes, over, OrderState.EXPIRED, "the day ended", ended)
                changes.append(entries.day_ended(ended))
                self._close(changes, self.ledger.intraday_before(ended), now)
        self._day_looked_at = ended

    def _ends_with_day(self, order: Working) -> bool:
        known = self.ledger.orders[order.id]
        intraday = known.product is Product.INTRADAY and known.tag is not None
        return order.time_in_force is TimeInForce.DAY or intraday

    def _call_margin(self, symbol: str, now: int) -> None:
        """Close everything once what is left does not carry it any more."""
        held = self.ledger.held()
        if symbol not in held:
            return
        balance = self.ledger.balance("", self.quotes(held), self._options.leverage)
        if balance.equity is None or balance.margin_used is None:
            return
        if balance.equity >= self._options.maintenance * balance.margin_used:
            return
        with self._change() as changes:
            theirs = [item.id for item in self.engine.working() if self.ledger.orders[item.id].tag is not None]
            self._end(changes, theirs, OrderState.CANCELED, "margin call: the account carries no orders", now)
            self._close(changes, [(name, item.quantity, None) for name, item in held.items()], now)

    def quotes(self, symbols: Iterable[str]) -> dict[str, Quote]:
        """Return the last prices of symbols; one that has none is left out."""
        found = {symbol: self._context.quotes.last(symbol) for symbol in symbols}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    def charge(
        self, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Decimal:
        """Return what a fill costs beside its price.

        Raises:
            Invalid: the account's fees say nothing of this exchange, product or time.
        """
        charges = self._fees.charges(symbol=symbol, side=side, product=product, quantity=quantity, price=price, at=at)
        return charges.total

    @contextmanager
    def _change(self) -> Iterator[list[Entry]]:
        """Collect the entries of one change; make them durable, then true, all or none.

        Raises:
            NotSent: another process has the account; nothing was stored.
            OutcomeUnknown: the journal may have stored them or not.
        """
        changes: list[Entry] = []
        self._stale = True
        yield changes
        if changes:
            self._store(changes)
        self._stale = False

    def _store(self, changes: list[Entry]) -> None:
        try:
            self._context.journal.append(self.ledger.last, changes)
        except Conflict as error:
            self._taken = True
            raise NotSent("another process has this account now", code="account_taken") from error
        except AITraderError as error:
            raise OutcomeUnknown(f"the journal did not answer: {error.detail}") from error
        for entry in changes:
            self.ledger.apply(self.ledger.last + 1, entry)
            if "id" in entry:
                self._touched[entry["id"]] = None
        self._known = self.ledger.last

    def _next_id(self, changes: Sequence[Entry]) -> str:
        return f"P{self.ledger.last + len(changes) + 1:08d}"

    def _submit(
        self,
        changes: list[Entry],
        order: Working,
        tag: str | None,
        product: Product | None,
        quote: Quote | None,
        now: int,
    ) -> None:
        changes.append(entries.accepted(order, tag, product))
        self._add(changes, self.engine.submit(order, self._unused(quote), now), product, quote)

    def _add(
        self, changes: list[Entry], events: Iterable[MatchEvent], product: Product | None, quote: Quote | None
    ) -> None:
        """Note events; ``product`` is that of an order whose own entry is not applied yet."""
        for event in events:
            if not isinstance(event, Executed):
                changes.append(entries.of_event(event))
                continue
            known = self.ledger.orders.get(event.order_id)
            bought_as = product if known is None else known.product
            fees = self.charge(event.symbol, event.side, bought_as, event.quantity, event.price, event.at)
            priced_at = None if quote is None else quote.time_ms
            changes.append(entries.executed(event, fees, self.engine.draws, priced_at))

    def _end(self, changes: list[Entry], order_ids: Iterable[str], status: OrderState, reason: str, at: int) -> None:
        for order_id in order_ids:
            self.engine.cancel(order_id, at)
            changes.append(entries.of_event(Ended(order_id, status, reason, at)))

    def _close(self, changes: list[Entry], closing: Iterable[Closing], now: int) -> None:
        """Close positions with orders of the venue's own, which carry no tag, unless such ones work already."""
        for symbol, quantity, product in closing:
            side = Side.SELL if quantity > 0 else Side.BUY
            wanted = abs(quantity) - self._being_closed(symbol, side)
            if wanted <= 0:
                continue
            order = Working(
                id=self._next_id(changes),
                symbol=symbol,
                side=side,
                type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                quantity=wanted,
                entered_at=now,
            )
            self._submit(changes, order, None, product, self._context.quotes.last(symbol), now)

    def _being_closed(self, symbol: str, side: Side) -> Decimal:
        mine = [item for item in self.engine.working() if (item.symbol, item.side) == (symbol, side)]
        known = [item for item in mine if item.id in self.ledger.orders]
        return sum((item.remaining for item in known if self.ledger.orders[item.id].tag is None), ZERO)

    def _unused(self, quote: Quote | None) -> Quote | None:
        """Return a quote with the volume that our orders have not taken their share of yet."""
        if quote is None or quote.volume is None:
            return quote
        priced_at, traded = self.ledger.traded_at.get(quote.symbol, (None, ZERO))
        if priced_at != quote.time_ms:
            return quote
        return replace(quote, volume=max(ZERO, quote.volume - traded / self._options.participation))
