"""One account's turn at its broker: answer, compare the books, cancel, send. Called by one thread alone."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from domain.common.errors import AITraderError, Unavailable
from domain.common.time import Clock
from domain.trading.applying import ApplyUpdate
from domain.trading.brokerage import BrokerSession, BrokerUpdate, Quote, SessionState
from domain.trading.model import Account, Order
from domain.trading.ports import Broker, PriceSource
from domain.trading.reconciling import Reconcile, RememberSession
from domain.trading.records import DeskRequest
from domain.trading.sending import LeaseGone, SendCancels, SendOrder, Turn
from domain.trading.session_alerts import SessionAlerts
from domain.trading.views import session_view
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

URGENT_MS = 5_000
_FIRST_LOOK_MS = 500
CALM_MS = 30_000
SURE_MS = 300_000
_SAID_MS = 15_000
_PARKED_S = 0.25
_SOON_S = 0.5
_DOWN_S = 2.0
_FAILURES = 3
_MOST_SENDS = 100


@dataclass(frozen=True, slots=True)
class DeskParts:
    """The use cases that a desk goes through, made by the composition root."""

    unit_of_work: Callable[[], TradingWork]
    read_work: Callable[[], TradingWork]
    clock: Clock
    open_broker: Callable[[Account], Broker]
    send: SendOrder
    cancels: SendCancels
    reconcile: Reconcile
    apply: ApplyUpdate
    remember: RememberSession
    notify: Callable[[str, str], None]
    idle_s: float = 5.0
    sure_ms: int = SURE_MS


class AccountDesk:
    """The only one who talks to an account's broker, while this process holds the account's lease.

    Args:
        account: whose orders are sent.
        parts: what is gone through.
        wake: asks for a turn soon; from any thread.
        lost: called when another process has the account.
    """

    def __init__(
        self, account: Account, parts: DeskParts, wake: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self._account = account
        self._parts = parts
        self._wake = wake
        self._lost = lost
        self._broker: Broker | None = None
        self._updates: deque[BrokerUpdate] = deque()
        self._said: BrokerSession | None = None
        self._said_at = 0
        self._read_at: int | None = None
        self._soon = False
        self._urgent = True
        self._working = False
        self._looks = 0
        self._failures = 0
        self._asked: dict[str, int] = {}
        self._alerts = SessionAlerts(account.id, parts.notify)

    def __call__(self) -> float | None:
        """Take a turn; return after how many seconds the next is due."""
        try:
            return self._turn()
        except LeaseGone:
            self._lost()
            return None

    def close(self) -> None:
        """Let go of the broker."""
        broker, self._broker = self._broker, None
        if broker is not None:
            broker.close()

    def prices(self, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return last prices from the broker; from any thread.

        Raises:
            Unavailable: it is not connected, or tells no prices.
        """
        broker = self._broker
        if broker is None or broker.session().state is not SessionState.CONNECTED:
            raise Unavailable(f"the broker of {self._account.id!r} is not connected", code="broker_unavailable")
        if not broker.capabilities().market_data:
            raise Unavailable(f"the broker of {self._account.id!r} tells no prices", code="no_market_data")
        return cast("PriceSource", broker).prices(symbols)

    def _turn(self) -> float:
        broker = self._open()
        if broker is None:
            return self._parts.idle_s
        asked = self._requests()
        session = self._log_in(broker, asked) if any(item.kind == "login" for item in asked) else broker.session()
        self._alerts.see(session, self._parts.clock.now_ms())
        if session.state is not SessionState.CONNECTED:
            self._read_at = None
            self._say(session, forget=True)
            self._answer(asked, session)
            return _DOWN_S
        self._apply_updates()
        self._compare_if_due(broker, session, asked)
        self._answer(asked, session)
        if self._read_at is None:
            return _DOWN_S
        try:
            return self._trade(broker)
        except AITraderError:
            self._soon = True  # the broker may know more of an order than could be stored
            raise

    def _open(self) -> Broker | None:
        if self._broker is None:
            try:
                self._broker = self._parts.open_broker(self._account)
            except AITraderError as error:
                now = self._parts.clock.now_ms()
                self._say(BrokerSession(SessionState.DOWN, error.detail, checked_at=now), forget=True)
                return None
            self._broker.listen(self._hear)
        return self._broker

    def _hear(self, update: BrokerUpdate) -> None:
        self._updates.append(update)
        self._wake()

    def _requests(self) -> list[DeskRequest]:
        with self._parts.read_work() as work:
            return list(work.desk.asked([self._account.id]))

    def _log_in(self, broker: Broker, asked: list[DeskRequest]) -> BrokerSession:
        session = broker.log_in()
        log.info("login asked for", extra={"account": self._account.id, "session": session.state.value})
        return session

    def _answer(self, asked: list[DeskRequest], session: BrokerSession) -> None:
        if not asked:
            return
        with self._parts.unit_of_work() as work:
            for item in asked:
                down = item.kind == "refresh" and self._read_at is None
                error = (session.detail or "the broker is not connected") if down else None
                result = None if down else session_view(session)
                work.desk.answer(item.id, result=result, error=error, now_ms=self._parts.clock.now_ms())
            work.commit()

    def _say(self, session: BrokerSession, *, error: str = "", forget: bool = False) -> None:
        """Keep the session for others to see, when it changed or was last kept a while ago."""
        now = self._parts.clock.now_ms()
        same = self._said is not None and replace(self._said, checked_at=session.checked_at) == session
        if same and not error and now - self._said_at < _SAID_MS:
            return
        self._parts.remember(self._account.id, session, error=error, forget=forget)
        self._said, self._said_at = session, now

    def _apply_updates(self) -> None:
        updates = [self._updates.popleft() for _ in range(len(self._updates))]
        if not updates:
            return
        # Orders that are not ours, as when a broker closes positions, are taken in by comparing the books.
        self._soon |= any(item.tag is None for update in updates for item in update.orders)
        with self._parts.unit_of_work() as work:
            work.accounts.lock(self._account.id)
            self._parts.send.require_lease(work, self._account.id)
            for update in updates:
                self._parts.apply(work, self._account.id, update)
            work.commit()

    def _compare_if_due(self, broker: Broker, session: BrokerSession, asked: list[DeskRequest]) -> None:
        now = self._parts.clock.now_ms()
        due = self._read_at is None or self._soon or any(item.kind == "refresh" for item in asked)
        if not due and self._read_at is not None:
            due = now - self._read_at >= self._interval(broker)
        if not due:
            self._say(session)
            return
        try:
            result = self._parts.reconcile(self._account.id, broker, session)
        except LeaseGone:
            raise
        except AITraderError as error:
            self._not_compared(session, error)
            return
        self._failures, self._soon = 0, False
        self._read_at, self._said, self._said_at = now, session, now
        self._urgent = result.unproven > 0
        self._looks = self._looks + 1 if self._urgent else 0

    def _not_compared(self, session: BrokerSession, error: AITraderError) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            self._read_at = None
        self._soon = True
        forget = self._read_at is None
        self._say(session, error=error.detail, forget=forget)
        log.warning("books not compared", extra={"account": self._account.id, "reason": error.detail})

    def _interval(self, broker: Broker) -> int:
        if self._urgent:
            return min(URGENT_MS, _FIRST_LOOK_MS << min(self._looks, 8))
        if self._working and not broker.capabilities().streaming:
            return URGENT_MS
        return CALM_MS if broker.capabilities().settle_ms else self._parts.sure_ms

    def _trade(self, broker: Broker) -> float:
        self._attend(broker)
        for _ in range(_MOST_SENDS):
            turn = self._parts.send(self._account.id, broker)
            if turn is Turn.IDLE:
                return self._rest()
            if turn is Turn.PARKED:
                return _PARKED_S
            # A broker that tells nothing by itself is asked a moment later what became of the order.
            self._soon |= not broker.capabilities().streaming
            self._apply_updates()
        return 0.0

    def _rest(self) -> float:
        with self._parts.read_work() as work:
            orders = work.orders.open(self._account.id)
        self._urgent = any(order.status.is_unproven for order in orders)
        self._working = any(order.status.is_working for order in orders)
        return min(self._parts.idle_s, _SOON_S if self._soon or self._urgent else self._parts.idle_s)

    def _attend(self, broker: Broker) -> None:
        with self._parts.read_work() as work:
            orders = [order for order in work.orders.open(self._account.id) if order.status.is_working]
        wanted = [order for order in orders if self._wants(order)]
        if wanted and self._parts.cancels(self._account.id, broker, wanted):
            self._soon = True
            self._apply_updates()
            self._wake()

    def _wants(self, order: Order) -> bool:
        if order.cancel_requested_at is None:
            return order.change is not None and order.change_sent_at is None
        now = self._parts.clock.now_ms()
        if now - self._asked.get(order.id, 0) < URGENT_MS:
            return False
        self._asked[order.id] = now
        return True
