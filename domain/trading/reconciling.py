"""Reading the broker until our books say what its books say. Never sends anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.common.failpoints import failpoint
from domain.common.time import Clock
from domain.trading.applying import Applied, ApplyUpdate, worth
from domain.trading.books import fold
from domain.trading.brokerage import (
    Balance,
    BrokerPosition,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Holding,
    SessionState,
)
from domain.trading.changing import end
from domain.trading.model import ZERO, Account, Order, OrderState, TimeInForce
from domain.trading.ports import Broker, Quotes
from domain.trading.records import BrokerState
from domain.trading.sending import SendOrder
from domain.trading.work import TradingWork

ACTOR = "reconciler"
READS_TO_PROVE_ABSENCE = 3
_DAY_ORDER_MS = 12 * 3_600_000
_HOLDINGS_EVERY_MS = 60_000
_EQUITY_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Book:
    """Everything read from a broker in one go; all of it, or there is no book."""

    update: BrokerUpdate
    positions: tuple[BrokerPosition, ...]
    balance: Balance
    capabilities: Capabilities


def read_book(broker: Broker) -> Book:
    """Read orders before fills and fills before positions, so that each is at least as new as the one before.

    Raises:
        Unavailable: a part could not be read; nothing may be concluded.
    """
    able = broker.capabilities()
    orders = tuple(broker.orders())
    fills = tuple(broker.fills())
    positions = tuple(broker.positions())
    return Book(BrokerUpdate(orders, fills), positions, broker.balance(), able)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation came to. ``unproven`` orders are still looked for."""

    applied: Applied
    unproven: int
    mismatches: dict[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare the books of an account that this process holds the lease of, and take over the broker's.

    ``notify`` tells a person what needs one.
    """

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    apply: ApplyUpdate
    send: SendOrder
    quotes: Quotes
    notify: Callable[[str, str], None] = field(default=lambda subject, body: None)

    def __call__(self, account_id: str, broker: Broker, session: BrokerSession) -> Reconciled:
        """Read the whole book and apply it.

        Raises:
            Unavailable: the broker or the database did not answer; nothing was concluded.
            LeaseGone: the account is not ours any more.
        """
        self._orphans(account_id)
        result = self._once(account_id, read_book(broker), session)
        if result.mismatches:
            # A fill between two reads looks like a mismatch; a second look tells.
            result = self._once(account_id, read_book(broker), session)
        failpoint("reconcile.done")
        self._keep_holdings(account_id, broker)
        return result

    def _orphans(self, account_id: str) -> None:
        """An order that is being sent, while nothing is: its sender died, and nobody knows how far it came."""
        with self.unit_of_work() as work:
            work.accounts.lock(account_id)
            self.send.require_lease(work, account_id)
            orphans = [order for order in work.orders.open(account_id) if order.status is OrderState.SENDING]
            now = self.clock.now_ms()
            for order in orphans:
                why = {"reason_code": "SENDER_DIED", "reason": "the sender stopped while the order was on its way"}
                end(work, order, OrderState.UNKNOWN, actor=ACTOR, at=now, unknown_since=now, **why)
            if orphans:
                work.commit()

    def _once(self, account_id: str, book: Book, session: BrokerSession) -> Reconciled:
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            self.send.require_lease(work, account_id)
            applied = self.apply(work, account_id, book.update, imports=True)
            failpoint("reconcile.applied")
            if account.baseline_at is None:
                account = self._take_over(work, account, book.positions)
            unproven = self._look_for_missing(work, account, book)
            account = self._judge(work, account, applied)
            mismatches = self._compare(work, account, book.positions)
            self._keep(work, account, book, session, mismatches)
            work.commit()
        self._tell(account, applied)
        return Reconciled(applied, unproven, mismatches)

    def _take_over(self, work: TradingWork, account: Account, shown: Sequence[BrokerPosition]) -> Account:
        """What the broker shows beyond the fold of the fills was there before us: positions begin from it."""
        now = self.clock.now_ms()
        for symbol, theirs in _net(shown).items():
            position = work.positions.get(account.id, symbol)
            before = theirs - position.quantity
            if before:
                price = next((item.average_price for item in shown if item.symbol == symbol), None)
                start = replace(position, opening_quantity=before, opening_price=price or ZERO)
                work.positions.save(fold(start, work.fills.of_symbol(account.id, symbol)))
        return work.accounts.save(replace(account, baseline_at=now))

    def _look_for_missing(self, work: TradingWork, account: Account, book: Book) -> int:
        """Count the reads that did not show an order; enough of them, long enough after, prove it is not there."""
        shown = {item.broker_order_id for item in book.update.orders}
        now, unproven = self.clock.now_ms(), 0
        for order in work.orders.open(account.id):
            if order.status is OrderState.UNKNOWN:
                unproven += self._still_unknown(work, order, book.capabilities, now)
            elif order.status.is_working and order.broker_order_id not in shown:
                self._left_the_book(work, order, now)
        return unproven

    def _still_unknown(self, work: TradingWork, order: Order, able: Capabilities, now: int) -> bool:
        order = replace(order, absent_reads=order.absent_reads + 1)
        since = order.unknown_since or order.updated_at
        reads = READS_TO_PROVE_ABSENCE if able.settle_ms else 1
        if not able.tag or order.absent_reads < reads or now - since < able.settle_ms:
            work.orders.save(order, actor=ACTOR)
            return True
        why = {"reason_code": "PROVEN_ABSENT", "reason": "the broker's book does not have it"}
        end(work, order, OrderState.NOT_PLACED, actor=ACTOR, at=now, unknown_since=None, **why)
        return False

    def _left_the_book(self, work: TradingWork, order: Order, now: int) -> None:
        """Brokers show the orders of one trading day; a day order that is not shown on a later one has expired."""
        order = replace(order, absent_reads=order.absent_reads + 1)
        old = now - (order.sent_at or order.created_at) > _DAY_ORDER_MS
        if order.time_in_force is TimeInForce.DAY and old and order.absent_reads >= READS_TO_PROVE_ABSENCE:
            end(work, order, OrderState.EXPIRED, actor=ACTOR, at=now, reason_code="LEFT_THE_BOOK")
        elif order.absent_reads <= READS_TO_PROVE_ABSENCE:
            work.orders.save(order, actor=ACTOR)

    def _judge(self, work: TradingWork, account: Account, applied: Applied) -> Account:
        """Stop trading for what must never happen."""
        if applied.duplicates:
            reason = f"two orders at the broker carry one tag: {', '.join(applied.duplicates)}"
            work.switches.change(
                account.id, engaged=True, flatten=False, actor=ACTOR, reason=reason, now_ms=self.clock.now_ms()
            )
            details = {"reason": reason}
            work.audit.append(
                time=self.clock.now_ms(), actor=ACTOR, action="switch.engage", subject=account.id, details=details
            )
        over = [order for order in applied.changed if order.filled_quantity > order.quantity]
        if over and not account.halted:
            reason = f"more was filled than ordered: {over[0].id}"
            return work.accounts.save(replace(account, halted=reason))
        return account

    def _compare(
        self, work: TradingWork, account: Account, shown: Sequence[BrokerPosition]
    ) -> dict[str, tuple[Decimal, Decimal]]:
        theirs = _net(shown)
        ours = {position.symbol: position.quantity for position in work.positions.list(account.id)}
        symbols = sorted({*ours, *theirs})
        pairs = {symbol: (ours.get(symbol, ZERO), theirs.get(symbol, ZERO)) for symbol in symbols}
        return {symbol: pair for symbol, pair in pairs.items() if pair[0] != pair[1]}

    def _keep(
        self,
        work: TradingWork,
        account: Account,
        book: Book,
        session: BrokerSession,
        mismatches: dict[str, tuple[Decimal, Decimal]],
    ) -> None:
        now = self.clock.now_ms()
        before = work.desk.state(account.id)
        state = BrokerState(
            account=account.id,
            session=session,
            capabilities=book.capabilities,
            balance=book.balance,
            positions=book.positions,
            holdings=() if before is None else before.holdings,
            mismatches=mismatches,
            positions_at=now,
            holdings_at=None if before is None else before.holdings_at,
            reconciled_at=now,
        )
        work.desk.save_state(state)
        last = work.equity.last_before(account.id, now + 1)
        if last is None or now - last.at >= _EQUITY_EVERY_MS:
            work.equity.add(worth(work, account, self.quotes, now, book.balance.cash))

    def _keep_holdings(self, account_id: str, broker: Broker) -> None:
        with self.unit_of_work() as work:
            state = work.desk.state(account_id)
        now = self.clock.now_ms()
        if state is None or state.capabilities is None or not state.capabilities.holdings:
            return
        if state.holdings_at is not None and now - state.holdings_at < _HOLDINGS_EVERY_MS:
            return
        holdings: Sequence[Holding] = broker.holdings()
        with self.unit_of_work() as work:
            state = work.desk.state(account_id)
            if state is not None:
                work.desk.save_state(replace(state, holdings=tuple(holdings), holdings_at=now))
                work.commit()

    def _tell(self, account: Account, applied: Applied) -> None:
        for tag in applied.duplicates:
            self.notify(f"kill switch engaged on {account.id}", f"two orders at the broker carry the tag {tag}")
        for order in applied.adopted_late:
            text = f"order {order.id} was taken for not placed, but the broker has it"
            self.notify(f"late order on {account.id}", text)


def _net(positions: Sequence[BrokerPosition]) -> dict[str, Decimal]:
    net: dict[str, Decimal] = {}
    for item in positions:
        net[item.symbol] = net.get(item.symbol, ZERO) + item.quantity
    return net


@dataclass(frozen=True, slots=True)
class RememberSession:
    """Keep what was learnt of a broker that is not connected, so that others see why nothing is sent."""

    unit_of_work: Callable[[], TradingWork]

    def __call__(self, account_id: str, session: BrokerSession, *, error: str = "", forget: bool = False) -> None:
        """Store the session; ``forget`` says that the books must be compared anew before anything is sent."""
        with self.unit_of_work() as work:
            before = work.desk.state(account_id)
            if before is None:
                state = BrokerState(account_id, session, reconcile_error=error)
            else:
                lost = forget or session.state is not SessionState.CONNECTED
                reconciled = None if lost else before.reconciled_at
                state = replace(before, session=session, reconciled_at=reconciled, reconcile_error=error)
            if state != before:
                work.desk.save_state(state)
                work.commit()


@dataclass(frozen=True, slots=True)
class AcceptPositions:
    """A person takes the broker's positions as true: ours begin anew so that they agree, and the halt ends."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self, account_id: str, *, actor: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what differed, by symbol: our quantity before, and the broker's.

        Raises:
            NotFound: there is no such account.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            state = work.desk.state(account_id)
            differing = {} if state is None else dict(state.mismatches)
            for symbol, (_ours, theirs) in differing.items():
                position = work.positions.get(account_id, symbol)
                price = position.average_price or position.opening_price
                shift = theirs - position.quantity
                opening = position.opening_quantity + shift
                start = replace(position, opening_quantity=opening, opening_price=price)
                work.positions.save(fold(start, work.fills.of_symbol(account_id, symbol)))
            if state is not None:
                work.desk.save_state(replace(state, mismatches={}))
            work.accounts.save(replace(account, halted=""))
            details = {symbol: [str(ours), str(theirs)] for symbol, (ours, theirs) in differing.items()}
            work.audit.append(time=now, actor=actor, action="positions.accept", subject=account_id, details=details)
            work.commit()
        return differing
