"""Taking over what a broker reports: states only go forward, each fill counts once, positions follow the fills."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.common.ids import new_id
from domain.common.time import Clock
from domain.trading.books import apply_fill, average, equity_point, fold
from domain.trading.brokerage import BrokerFill, BrokerOrder, BrokerUpdate
from domain.trading.changing import record
from domain.trading.model import ZERO, Account, Fill, Order, OrderState, Origin
from domain.trading.ports import Quotes
from domain.trading.records import EquityPoint, last_quote
from domain.trading.views import order_updated
from domain.trading.work import TradingWork

BROKER = "broker"
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Applied:
    """What an update changed. ``duplicates``: tags of ours that more than one order at the broker carries."""

    changed: tuple[Order, ...] = ()
    imported: tuple[Order, ...] = ()
    new_fills: int = 0
    adopted_late: tuple[Order, ...] = ()
    duplicates: tuple[str, ...] = ()


@dataclass
class _Changes:
    changed: list[Order] = field(default_factory=list)
    imported: list[Order] = field(default_factory=list)
    late: list[Order] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ApplyUpdate:
    """Bring orders, fills and positions of an account up to what its broker reports, in an open transaction."""

    clock: Clock
    quotes: Quotes

    def __call__(self, work: TradingWork, account_id: str, update: BrokerUpdate, *, imports: bool = False) -> Applied:
        """Apply an update; applying it again changes nothing.

        Args:
            work: a transaction that has locked the account.
            account_id: whose broker reported.
            update: orders and fills in any order.
            imports: whether orders that are not ours are taken in, as external ones.
        """
        account = work.accounts.get(account_id)
        changes = _Changes()
        reports = self._match(work, account, update, imports, changes)
        fills = self._add_fills(work, account, update.fills)
        for order_id in sorted({*reports, *(fill.order_id for fill in fills)}):
            self._advance(work, order_id, reports.get(order_id), changes)
        if fills:
            self._fold(work, account, fills)
        return Applied(
            tuple(changes.changed),
            tuple(changes.imported),
            len(fills),
            tuple(changes.late),
            tuple(changes.duplicates),
        )

    def _match(
        self, work: TradingWork, account: Account, update: BrokerUpdate, imports: bool, changes: _Changes
    ) -> dict[str, BrokerOrder]:
        """Find our order of each reported one; return the reports by the order's id."""
        reported = {item.broker_order_id: item for item in update.orders}
        known = {order.broker_order_id: order for order in work.orders.by_broker_ids(account.id, list(reported))}
        tags = [item.tag for item in reported.values() if item.tag]
        by_tag = {order.tag: order for order in work.orders.by_tags(account.id, tags)}
        found = {}
        for item in reported.values():
            order = known.get(item.broker_order_id)
            if order is None and item.tag in by_tag:
                order = by_tag[item.tag] = self._adopt(work, by_tag[item.tag], item, changes)
                if order.broker_order_id != item.broker_order_id:
                    changes.duplicates.append(order.tag)
                    order = None
            if order is None and imports:
                order = self._import(work, account, item)
                changes.imported.append(order)
            if order is not None:
                found[order.id] = item
        return found

    def _adopt(self, work: TradingWork, order: Order, item: BrokerOrder, changes: _Changes) -> Order:
        """Learn the broker's id of an order of ours; one that has an id already keeps it."""
        if order.broker_order_id is not None:
            return order
        if order.status is OrderState.NOT_PLACED:
            changes.late.append(order)
        proven = order.status.may_become(OrderState.ACCEPTED)
        return record(
            work,
            replace(
                order,
                broker_order_id=item.broker_order_id,
                status=OrderState.ACCEPTED if proven else order.status,
                unknown_since=None,
                reason_code=None if proven else order.reason_code,
                reason=None if proven else order.reason,
                updated_at=self.clock.now_ms(),
            ),
            actor=BROKER,
        )

    def _import(self, work: TradingWork, account: Account, item: BrokerOrder) -> Order:
        now = self.clock.now_ms()
        digest = hashlib.sha256(f"{account.id}/{item.broker_order_id}".encode()).hexdigest()
        order = Order(
            id=new_id(),
            user_id=account.user_id,
            account=account.id,
            broker=account.broker,
            mode=account.mode,
            symbol=item.symbol,
            side=item.side,
            type=item.type,
            time_in_force=item.time_in_force,
            quantity=item.quantity,
            tag="X" + digest[:19].upper(),
            created_at=now,
            updated_at=now,
            send_by=now,
            product=item.product,
            price=item.price,
            trigger_price=item.trigger_price,
            status=OrderState.ACCEPTED,
            broker_order_id=item.broker_order_id,
            origin=Origin.EXTERNAL,
            reference_price=item.price or item.trigger_price or item.average_price,
        )
        work.orders.add(order, actor=BROKER)
        work.outbox.add([order_updated(order)])
        return order

    def _add_fills(self, work: TradingWork, account: Account, reported: Sequence[BrokerFill]) -> Sequence[Fill]:
        if not reported:
            return ()
        ids = sorted({item.broker_order_id for item in reported})
        owners = {order.broker_order_id: order for order in work.orders.by_broker_ids(account.id, ids)}
        known = [(item, owners[item.broker_order_id]) for item in reported if item.broker_order_id in owners]
        return work.fills.add([_fill(item, order) for item, order in known])

    def _advance(self, work: TradingWork, order_id: str, item: BrokerOrder | None, changes: _Changes) -> None:
        order = work.orders.get(order_id)
        filled, price = average(work.fills.of_order(order_id))
        new = replace(order, filled_quantity=filled, average_price=price, absent_reads=0)
        if item is not None:
            new = _with_values(new, item)
        state = _state(new, item)
        if state is not order.status and order.status.may_become(state):
            new = replace(new, status=state, unknown_since=None)
        if item is not None and item.reason and new.status is OrderState.REJECTED:
            new = replace(new, reason_code="BROKER_REJECTED", reason=item.reason[:_REASON_LENGTH])
        if new != order:
            changes.changed.append(record(work, replace(new, updated_at=self.clock.now_ms()), actor=BROKER))

    def _fold(self, work: TradingWork, account: Account, fills: Sequence[Fill]) -> None:
        for symbol in sorted({fill.symbol for fill in fills}):
            new = sorted((fill for fill in fills if fill.symbol == symbol), key=lambda fill: fill.filled_at)
            position = work.positions.get(account.id, symbol)
            if new[0].filled_at > position.updated_at:
                for fill in new:
                    position = apply_fill(position, fill)
            else:
                position = fold(position, work.fills.of_symbol(account.id, symbol))
            work.positions.save(position)
        if account.starting_cash:
            work.equity.add(worth(work, account, self.quotes, self.clock.now_ms()))


def worth(work: TradingWork, account: Account, quotes: Quotes, at: int, cash: Decimal | None = None) -> EquityPoint:
    """Return what an account is worth now; see `equity_point`."""
    positions, state = work.positions.list(account.id), work.desk.state(account.id)
    found = {item.symbol: last_quote(quotes, state, item.symbol) for item in positions if item.quantity}
    known = {symbol: quote for symbol, quote in found.items() if quote is not None}
    return equity_point(account, positions, known, at, cash)


def _with_values(order: Order, item: BrokerOrder) -> Order:
    """Return an order with the broker's quantity and prices: what works there is what counts."""
    if order.change is not None and order.change_sent_at is None:
        return order
    return replace(
        order,
        quantity=item.quantity or order.quantity,
        price=item.price if order.type.needs_price and item.price else order.price,
        trigger_price=item.trigger_price if order.type.needs_trigger and item.trigger_price else order.trigger_price,
        change=None,
        change_sent_at=None,
    )


def _state(order: Order, item: BrokerOrder | None) -> OrderState:
    """Return the state that fills and report prove. An end is believed once all its fills are here."""
    if order.filled_quantity >= order.quantity:
        return OrderState.FILLED
    ended = item is not None and item.status is not None and item.status.is_terminal
    if item is not None and item.status is not None and ended and order.filled_quantity >= item.filled_quantity:
        return order.status if item.status is OrderState.FILLED else item.status
    return OrderState.PARTIALLY_FILLED if order.filled_quantity else OrderState.ACCEPTED


def _fill(item: BrokerFill, order: Order) -> Fill:
    return Fill(
        id=new_id(),
        order_id=order.id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        broker_fill_id=item.broker_fill_id,
        quantity=item.quantity,
        price=item.price,
        filled_at=item.filled_at,
        fees=item.fees or ZERO,
        liquidity=item.liquidity,
    )
