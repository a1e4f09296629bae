"""The one way an order reaches a broker: at most once, and never after its permission ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from domain.common.errors import AITraderError, Conflict
from domain.common.failpoints import failpoint
from domain.common.time import Clock
from domain.trading.applying import ApplyUpdate
from domain.trading.brokerage import Ack, Instrument
from domain.trading.changing import end, record, with_change
from domain.trading.gate import RiskGate
from domain.trading.model import Account, Order, OrderState, Origin
from domain.trading.placing import require_capabilities
from domain.trading.ports import Broker, BrokerRejected, NotSent
from domain.trading.records import GLOBAL, Switch
from domain.trading.risk import Refusal
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

ACTOR = "sender"
FRESH_S = 0.5
REASON_LENGTH = 300

# What passes by itself: the order waits for it, until it may not wait any longer.
_PARKED = frozenset({"SESSION_DOWN", "RECONCILE_PENDING", "RATE_SECOND"})


class LeaseGone(Conflict):
    """Another process has the account now."""

    code = "lease_lost"


class Fence:
    """The last thing asked before an order leaves: whether what allowed it is still true.

    One per process. It knows the newest epoch of each kill switch that this process obeys: after ``obey`` has
    returned, no call that was allowed by an older state of its switches can begin.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epochs: dict[str, int] = {}

    @property
    def epoch(self) -> int:
        """The newest epoch obeyed, over all switches."""
        return max(self._epochs.values(), default=-1)

    def obey(self, switches: Sequence[Switch]) -> None:
        """Obey newer states of switches from now on."""
        with self._lock:
            for switch in switches:
                self._epochs[switch.scope] = max(switch.epoch, self._epochs.get(switch.scope, 0))

    def require(self, account: str, epoch: int) -> None:
        """Check that no switch over an account changed since ``epoch``, the newer of its two, was read.

        Raises:
            NotSent: one has.
        """
        with self._lock:
            newest = max(self._epochs.get(scope, 0) for scope in (GLOBAL, account))
        if newest > epoch:
            raise NotSent("a kill switch changed before the order left", code="switch_changed")


class Turn(Enum):
    """What a turn of the sender came to."""

    IDLE = "idle"
    PARKED = "parked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class _Cleared:
    order: Order
    epoch: int
    read_at: float


@dataclass(frozen=True, slots=True)
class SendOrder:
    """Send the next order of an account that this process holds the lease of.

    ``token`` is the lease. Whatever happens after the state ``sending`` is stored, the submit call is made at most
    once; what proves nothing ends as ``unknown``.
    """

    unit_of_work: Callable[[], TradingWork]
    read_work: Callable[[], TradingWork]
    gate: RiskGate
    clock: Clock
    apply: ApplyUpdate
    fence: Fence
    token: str
    notify: Callable[[str, str], None] = field(default=lambda subject, body: None)

    def __call__(self, account_id: str, broker: Broker) -> Turn:
        """Send one order, or say why none was.

        Raises:
            LeaseGone: the lease is not ours any more.
            Unavailable: the database did not answer; reconciliation goes on from what is stored.
        """
        cleared = self._prepare(account_id, broker)
        if isinstance(cleared, Turn):
            return cleared
        order = cleared.order
        failpoint("order.sending")
        try:
            ack = broker.place(order, lambda: self._fence(cleared))
        except NotSent as error:
            self._settle(order, OrderState.NOT_PLACED, error)
        except BrokerRejected as error:
            self._settle(order, OrderState.REJECTED, error)
        except BaseException as error:
            self._settle(order, OrderState.UNKNOWN, error)
            if not isinstance(error, Exception):
                raise
        else:
            failpoint("order.acknowledged")
            self._accept(order, ack)
        return Turn.DONE

    def _prepare(self, account_id: str, broker: Broker) -> _Cleared | Turn:
        """Look the instrument up before the account is locked: a broker may take seconds to answer."""
        with self.read_work() as work:
            order = work.orders.next_to_send(account_id)
        if order is None:
            return Turn.IDLE
        try:
            instrument = broker.instrument(order.symbol)
        except AITraderError as error:
            if order.send_by > self.clock.now_ms():
                log.info("order waits", extra={"order": order.id, "reason": error.detail})
                return Turn.PARKED
            instrument = None
        return self._clear(account_id, order.symbol, instrument)

    def _clear(self, account_id: str, symbol: str, instrument: Instrument | None) -> _Cleared | Turn:
        read_at = self.clock.monotonic()
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            self.require_lease(work, account_id)
            order = work.orders.next_to_send(account_id)
            if order is None or order.symbol != symbol:
                return Turn.IDLE if order is None else Turn.DONE
            now = self.clock.now_ms()
            epoch = max((switch.epoch for switch in work.switches.hold(account_id)), default=0)
            if order.send_by <= now:
                self._give_up(work, order, OrderState.NOT_PLACED, "SEND_DEADLINE", "it waited too long", now)
                return Turn.DONE
            refusal = self._refusal(work, account, order, instrument)
            if refusal is not None and _parks(order, refusal):
                return Turn.PARKED
            if refusal is not None:
                self._refuse(work, order, refusal, now)
                return Turn.DONE
            order = end(work, order, OrderState.SENDING, actor=ACTOR, at=now, sent_at=now)
            work.commit()
        return _Cleared(order, epoch, read_at)

    def require_lease(self, work: TradingWork, account_id: str) -> None:
        """Check that the account is ours.

        Raises:
            LeaseGone: it is not.
        """
        if not work.desk.holds(account_id, self.token):
            raise LeaseGone(f"another process has the account {account_id} now")

    def _refusal(
        self, work: TradingWork, account: Account, order: Order, instrument: Instrument | None
    ) -> Refusal | None:
        state = work.desk.state(account.id)
        try:
            require_capabilities(order, None if state is None else state.capabilities)
            _require_increments(order, instrument)
        except AITraderError as error:
            return Refusal(error.code.upper(), {"detail": error.detail})
        return self.gate.refusal(work, account, order, allow_duplicate=True, sending=True)

    def _refuse(self, work: TradingWork, order: Order, refusal: Refusal, now: int) -> None:
        self._give_up(work, order, OrderState.REJECTED, refusal.code, str(refusal), now, commit=False)
        details = {"account": order.account, "refusal": str(refusal)}
        work.audit.append(time=now, actor=ACTOR, action="order.refuse", subject=order.id, details=details)
        work.commit()

    def _give_up(
        self,
        work: TradingWork,
        order: Order,
        state: OrderState,
        code: str,
        reason: str,
        now: int,
        commit: bool = True,
    ) -> None:
        end(work, order, state, actor=ACTOR, at=now, reason_code=code, reason=reason[:REASON_LENGTH])
        if commit:
            work.commit()

    def _fence(self, cleared: _Cleared) -> None:
        if self.clock.monotonic() - cleared.read_at > FRESH_S:
            self._look_again(cleared)
        self.fence.require(cleared.order.account, cleared.epoch)
        failpoint("order.fenced")

    def _look_again(self, cleared: _Cleared) -> None:
        """What was read is old: this process may have been paused, and another may have the account."""
        order = cleared.order
        try:
            with self.unit_of_work() as work:
                held = work.desk.holds(order.account, self.token)
                epoch = max((switch.epoch for switch in work.switches.hold(order.account)), default=0)
        except AITraderError as error:
            raise NotSent(f"the permission to send could not be read again: {error.detail}") from error
        if not held or epoch > cleared.epoch:
            raise NotSent("the permission to send ended before the order left", code="permission_ended")

    def _accept(self, order: Order, ack: Ack) -> None:
        with self.unit_of_work() as work:
            work.accounts.lock(order.account)
            now = self.clock.now_ms()
            order = work.orders.get(order.id)
            if order.status.is_unproven:
                accepted = {"broker_order_id": ack.broker_order_id, "unknown_since": None}
                end(work, order, OrderState.ACCEPTED, actor=ACTOR, at=now, **accepted)
            self.apply(work, order.account, ack.update)
            work.commit()
        failpoint("order.settled")

    def _settle(self, order: Order, state: OrderState, error: BaseException) -> None:
        detail = error.detail if isinstance(error, AITraderError) else f"{type(error).__name__}: {error}"
        code = error.code if isinstance(error, AITraderError) else "unexpected"
        level = logging.WARNING if state is OrderState.UNKNOWN else logging.INFO
        log.log(level, "order not accepted", extra={"order_id": order.id, "outcome": state.value, "reason": detail})
        with self.unit_of_work() as work:
            work.accounts.lock(order.account)
            order, now = work.orders.get(order.id), self.clock.now_ms()
            if order.status is not OrderState.SENDING:
                return
            unknown = now if state is OrderState.UNKNOWN else None
            reason = {"reason_code": code.upper(), "reason": detail[:REASON_LENGTH], "unknown_since": unknown}
            end(work, order, state, actor=ACTOR, at=now, **reason)
            work.commit()
        if state is OrderState.UNKNOWN:
            self.notify(f"order outcome unknown on {order.account}", f"order {order.id}: {detail[:REASON_LENGTH]}")


def _parks(order: Order, refusal: Refusal) -> bool:
    # A closing order waits until the orders that it would collide with are canceled.
    return refusal.code in _PARKED or (order.origin is Origin.FLATTEN and refusal.code != "SWITCH_ENGAGED")


def _require_increments(order: Order, instrument: Instrument | None) -> None:
    if instrument is None:
        return
    for name, value in (("price", order.price), ("trigger price", order.trigger_price)):
        if value is not None and instrument.tick_size and value % instrument.tick_size:
            detail = f"the {name} {value} is not a multiple of the tick size {instrument.tick_size}"
            raise BrokerRejected(detail, code="price_off_tick")
    if instrument.lot_size and order.quantity % instrument.lot_size:
        detail = f"the quantity {order.quantity} is not a multiple of the lot size {instrument.lot_size}"
        raise BrokerRejected(detail, code="quantity_off_lot")


@dataclass(frozen=True, slots=True)
class SendCancels:
    """Ask the broker for cancels and changes that are wanted. Cancels repeat until the order has ended."""

    unit_of_work: Callable[[], TradingWork]
    gate: RiskGate
    clock: Clock
    send: SendOrder

    def __call__(self, account_id: str, broker: Broker, orders: list[Order]) -> bool:
        """Return whether the broker was asked anything, so that its book should be read."""
        asked = False
        for order in orders:
            if order.cancel_requested_at is not None:
                self._cancel(order, broker)
                asked = True
            elif order.change is not None and order.change_sent_at is None:
                asked |= self._change(account_id, order, broker)
        return asked

    def _cancel(self, order: Order, broker: Broker) -> None:
        try:
            broker.cancel(order)
        except AITraderError as error:
            log.info("cancel not confirmed", extra={"order_id": order.id, "reason": error.detail})

    def _change(self, account_id: str, order: Order, broker: Broker) -> bool:
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            self.send.require_lease(work, account_id)
            order, now = work.orders.get(order.id), self.clock.now_ms()
            if not order.status.is_working or order.change is None or order.change_sent_at is not None:
                return False
            refusal = self.gate.refusal(work, account, with_change(order), allow_duplicate=True, sending=True)
            if refusal is not None:
                dropped = replace(order, change=None, reason_code=refusal.code, reason=str(refusal), updated_at=now)
                record(work, dropped, actor=ACTOR)
                work.commit()
                return False
            order = record(work, replace(order, change_sent_at=now, updated_at=now), actor=ACTOR)
            work.commit()
        self._modify(order, broker)
        return True

    def _modify(self, order: Order, broker: Broker) -> None:
        try:
            broker.modify(with_change(order))
        except (NotSent, BrokerRejected) as error:
            self._drop_change(order, error)
        except AITraderError as error:
            log.warning("change not confirmed", extra={"order_id": order.id, "reason": error.detail})

    def _drop_change(self, order: Order, error: AITraderError) -> None:
        code, reason = error.code.upper(), error.detail[:REASON_LENGTH]
        with self.unit_of_work() as work:
            work.accounts.lock(order.account)
            order, now = work.orders.get(order.id), self.clock.now_ms()
            dropped = replace(
                order, change=None, change_sent_at=None, reason_code=code, reason=reason, updated_at=now
            )
            record(work, dropped, actor=ACTOR)
            work.commit()
