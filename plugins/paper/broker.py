"""The paper broker: an account that is its own venue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
    Holding,
    Instrument,
    MatchEvent,
    MatchingEngine,
    NotSent,
    Order,
    OrderType,
    Product,
    Quote,
    SessionState,
    TimeInForce,
    Unavailable,
)
from plugins.paper.options import PaperOptions
from plugins.paper.power import Power
from plugins.paper.venue import Venue

_NO_NEWS = BrokerUpdate()


def _nobody(update: BrokerUpdate) -> None:
    """Nobody listens."""


class PaperBroker:
    """An open paper account; may be called from any thread.

    Every call first brings the books up to date: what the journal has, and what the end of a day ends. Changes that
    the caller is not told by the answer are told to who listens, after the call, outside of the lock.

    Args:
        account: whose ``starting_cash`` the books begin with.
        options: how reality is imitated.
        context: clock, prices and journal.
    """

    def __init__(self, account: Account, options: PaperOptions, context: BrokerContext) -> None:
        self._account = account
        self._options = options
        self._context = context
        self._venue = Venue(account, options, context)
        self._power = Power(self._venue, options, account.currency)
        self._lock = threading.RLock()
        self._closed = False
        self._callback: Callable[[BrokerUpdate], None] = _nobody
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
            with self._turn():
                return BrokerSession(SessionState.CONNECTED, user=self._account.id, checked_at=now)
        except AITraderError as error:
            return BrokerSession(SessionState.DOWN, error.detail, checked_at=now)

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
        with self._turn(NotSent) as now:
            with _nothing_left():
                if order.tag in self._venue.ledger.tags:
                    raise BrokerRejected(f"there is an order with the tag {order.tag} already", code="duplicate_tag")
                quote = self._context.quotes.last(order.symbol)
                self._power.require(order, quote, now)
            fence()
            broker_id = self._venue.place(order, quote, now)
            return Ack(broker_id, self._venue.news())

    def modify(self, order: Order) -> None:
        """Change a working order; it may trade at once."""
        with self._turn(NotSent) as now:
            with _nothing_left():
                broker_id, filled = self._working(order)
                if order.quantity <= filled:
                    raise BrokerRejected(f"{filled} is filled already", code="order_state")
                quote = self._context.quotes.last(order.symbol)
                wanted = replace(order, filled_quantity=filled)
                self._power.require(wanted, quote, now, instead_of=broker_id)
            self._venue.replace(broker_id, wanted, quote, now)

    def cancel(self, order: Order) -> None:
        """End a working order."""
        with self._turn() as now:
            self._venue.cancel(self._working(order)[0], now)

    def orders(self) -> Sequence[BrokerOrder]:
        """Return all orders that were ever accepted."""
        with self._turn():
            return list(self._venue.ledger.orders.values())

    def fills(self) -> Sequence[BrokerFill]:
        """Return all fills there ever were."""
        with self._turn():
            return list(self._venue.ledger.fills)

    def positions(self) -> Sequence[BrokerPosition]:
        """Return the net positions."""
        with self._turn():
            return self._venue.ledger.as_positions()

    def holdings(self) -> Sequence[Holding]:
        """Return nothing: there is no depository."""
        return []

    def balance(self) -> Balance:
        """Return the money, positions valued at the last known prices."""
        with self._turn():
            quotes = self._venue.quotes(self._venue.ledger.held())
            return self._venue.ledger.balance(self._account.currency, quotes, self._options.leverage)

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        """Call ``callback`` when something happens that no answer told."""
        self._unlisten()
        self._callback = callback
        self._unlisten = self._context.quotes.listen(self._on_quote)

    def close(self) -> None:
        """Hear no more prices. Working orders stay."""
        self._unlisten()
        with self._lock:
            self._closed = True
            self._callback = _nobody

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
        """Trade what a closed bar would have traded, for replays; see `MatchingEngine.on_bar`.

        Raises:
            Unavailable: the journal did not answer.
        """

        def trade(engine: MatchingEngine) -> list[MatchEvent]:
            return engine.on_bar(
                symbol,
                open=open,
                high=high,
                low=low,
                close=close,
                volume=volume,
                opened_at=opened_at,
                closed_at=closed_at,
            )

        with self._turn() as now:
            self._venue.on_bar(symbol, trade, now)
            return self._venue.news()

    def _on_quote(self, quote: Quote) -> None:
        if self._closed:
            return
        try:
            with self._turn() as now:
                self._venue.on_quote(quote, now)
        except AITraderError as error:
            self._context.logger.warning("a price was not traded on", extra={"reason": error.detail})

    @contextmanager
    def _turn(self, failed: type[AITraderError] = Unavailable) -> Iterator[int]:
        """Take the lock, bring the books up to date, and yield the time; afterwards tell who listens.

        Raises:
            failed: the books cannot be brought up to date, or another process has the account.
        """
        news, callback = _NO_NEWS, self._callback
        try:
            with self._lock:
                try:
                    now = self._context.clock.now_ms()
                    self._catch_up(now, failed)
                    yield now
                except NotSent as error:
                    if failed is NotSent:
                        raise
                    raise failed(error.detail, code=error.code) from error
                finally:
                    news, callback = self._venue.news(), self._callback
        finally:
            if news != _NO_NEWS:
                self._tell(callback, news)

    def _catch_up(self, now: int, failed: type[AITraderError]) -> None:
        if self._closed:
            raise failed("the account was closed here; open it again", code="broker_closed")
        try:
            self._venue.load()
            self._venue.end_day(now)
        except AITraderError as error:
            raise failed(error.detail, code=error.code) from error
        except Exception as error:
            raise failed(f"the account's journal cannot be followed: {error!r}", code="journal_damaged") from error

    def _tell(self, callback: Callable[[BrokerUpdate], None], news: BrokerUpdate) -> None:
        try:
            callback(news)
        except Exception:
            self._context.logger.exception("who listens to the broker failed")

    def _working(self, order: Order) -> tuple[str, Decimal]:
        """Return the id of a working order, and what is filled of it."""
        broker_id = order.broker_order_id or self._venue.ledger.tags.get(order.tag, "")
        found = self._venue.engine.get(broker_id)
        if found is None:
            raise BrokerRejected("the order is not working", code="order_state")
        return broker_id, found.filled


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Whatever goes wrong before anything is stored proves that nothing was."""
    try:
        yield
    except (BrokerRejected, NotSent):
        raise
    except AITraderError as error:
        raise NotSent(error.detail, code=error.code) from error
