"""Reading orders, positions and accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.common.errors import Unavailable
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.trading.applying import worth
from domain.trading.brokerage import BrokerSession, Holding, Quote, SessionState
from domain.trading.gate import Fingerprint
from domain.trading.model import Account, Fill, Mode, Order, Position
from domain.trading.ports import Quotes
from domain.trading.records import (
    Arming,
    BrokerState,
    DeskRequest,
    EquityPoint,
    OrderEvent,
    OrderFilter,
    last_quote,
)
from domain.trading.work import TradingWork

# Each holds a thread of its process while it waits.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class AccountNow:
    """An account with what is known of its broker, and its arming if that still holds."""

    account: Account
    state: BrokerState | None
    arming: Arming | None


@dataclass(frozen=True, slots=True)
class TradingHealth:
    """Whether an account may open positions, and why not. ``reasons`` are machine words."""

    account: str
    mode: Mode
    reasons: tuple[str, ...]
    details: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing stands against it."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class ValuedPosition:
    """A position with its account and the last price."""

    position: Position
    account: Account
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class ReadTrading:
    """What people and programs want to know of trading. Nothing here changes anything."""

    read_work: Callable[[], TradingWork]
    clock: Clock
    quotes: Quotes
    fingerprint: Fingerprint

    def order(self, order_id: str, user_id: str | None) -> Order:
        """Return an order.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.orders.get(order_id, user_id)

    def history(self, order_id: str, user_id: str | None) -> Sequence[OrderEvent]:
        """Return the changes of an order's state, oldest first.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            work.orders.get(order_id, user_id)
            return work.orders.history(order_id)

    def orders(self, wanted: OrderFilter, *, before_id: str | None, limit: int) -> tuple[Sequence[Order], str | None]:
        """Return a page of orders, newest first, and the id to go on before; None at the end."""
        with self.read_work() as work:
            found = work.orders.page(wanted, before_id=before_id, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def fills(
        self, user_id: str, *, account: str | None, order_id: str | None, before_id: str | None, limit: int
    ) -> tuple[Sequence[Fill], str | None]:
        """Return a page of fills, newest first, and the id to go on before; None at the end."""
        with self.read_work() as work:
            found = work.fills.page(user_id, account=account, order_id=order_id, before_id=before_id, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def accounts(self, user_id: str | None) -> list[AccountNow]:
        """Return the accounts of a user; with None, everyone's."""
        now = self.clock.now_ms()
        with self.read_work() as work:
            return [self._now(work, account, now) for account in work.accounts.list(user_id)]

    def account(self, account_id: str, user_id: str | None) -> AccountNow:
        """Return an account.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return self._now(work, work.accounts.get(account_id, user_id), self.clock.now_ms())

    def _now(self, work: TradingWork, account: Account, now: int) -> AccountNow:
        state, arming = work.desk.state(account.id), work.switches.arming(account.id)
        holds = (
            arming is not None and arming.expires_at > now and arming.fingerprint == self.fingerprint(account, state)
        )
        return AccountNow(account, state, arming if holds else None)

    def positions(
        self, user_id: str, *, account: str | None = None, broker: str | None = None, flat: bool = False
    ) -> list[ValuedPosition]:
        """Return positions valued at the last known prices; ``flat`` adds those that were closed."""
        with self.read_work() as work:
            accounts = [item for item in self._chosen(work, user_id, account) if broker in (None, item.broker)]
            states = {item.id: work.desk.state(item.id) for item in accounts}
            found = [(item, position) for item in accounts for position in work.positions.list(item.id)]
        return [
            ValuedPosition(position, item, last_quote(self.quotes, states[item.id], position.symbol))
            for item, position in found
            if position.quantity or flat
        ]

    def holdings(
        self, user_id: str, *, account: str | None = None, broker: str | None = None
    ) -> tuple[list[tuple[Account, Holding]], int | None]:
        """Return what depositories show, and when the oldest of it was read; None: never."""
        with self.read_work() as work:
            accounts = [item for item in self._chosen(work, user_id, account) if broker in (None, item.broker)]
            states = [(item, work.desk.state(item.id)) for item in accounts]
        found = [(item, holding) for item, state in states if state for holding in state.holdings]
        times = [state.holdings_at for _, state in states if state and state.holdings_at is not None]
        return found, min(times, default=None)

    def _chosen(self, work: TradingWork, user_id: str, account: str | None) -> Sequence[Account]:
        return work.accounts.list(user_id) if account is None else [work.accounts.get(account, user_id)]

    def equity(
        self, account_id: str, user_id: str | None, *, since_ms: int | None, until_ms: int | None, limit: int
    ) -> Sequence[EquityPoint]:
        """Return the newest points of an equity history, oldest first.

        Raises:
            NotFound: there is no such account, or it is someone else's.
        """
        with self.read_work() as work:
            work.accounts.get(account_id, user_id)
            return work.equity.page(account_id, since_ms=since_ms, until_ms=until_ms, limit=limit)

    def worth(self, account_id: str, user_id: str | None) -> EquityPoint:
        """Return what an account is worth now, at the last known prices.

        Raises:
            NotFound: there is no such account, or it is someone else's.
        """
        with self.read_work() as work:
            account = work.accounts.get(account_id, user_id)
            state = work.desk.state(account_id)
            balance = None if account.starting_cash or state is None else state.balance
            cash = None if balance is None else balance.cash
            return worth(work, account, self.quotes, self.clock.now_ms(), cash)

    def health(self, user_id: str | None = None) -> list[TradingHealth]:
        """Return for each account whether it may open positions, and why not."""
        with self.read_work() as work:
            switches = {switch.scope: switch.engaged for switch in work.switches.list()}
            accounts = work.accounts.list(user_id)
            unproven = {
                item.id: sum(order.status.is_unproven for order in work.orders.open(item.id)) for item in accounts
            }
            leased = {lease.account for lease in work.desk.leases()}
            now = self.clock.now_ms()
            known = [self._now(work, item, now) for item in accounts]
        return [self._health(item, switches, unproven[item.account.id], item.account.id in leased) for item in known]

    def _health(self, item: AccountNow, switches: dict[str, bool], unproven: int, leased: bool) -> TradingHealth:
        account, state = item.account, item.state
        reasons: list[tuple[str, str]] = []
        if switches.get("global") or switches.get(account.id):
            reasons.append(("kill_switch", "a kill switch is engaged; release it with: aitrader release"))
        if account.mode is Mode.LIVE and item.arming is None:
            reasons.append(("not_armed", f"live trading is off; allow it with: aitrader arm {account.id}"))
        if not leased:
            reasons.append(("no_sender", "no process sends its orders; start one with: aitrader up or worker"))
        if state is None or state.session.state is not SessionState.CONNECTED:
            reasons.append(("broker_session", _session_text(None if state is None else state.session)))
        if state is None or state.reconciled_at is None:
            reasons.append(("reconcile_pending", "our book was not compared with the broker's yet"))
        if unproven:
            reasons.append(("unknown_orders", f"{unproven} orders may or may not be at the broker"))
        if state is not None and state.mismatches:
            symbols = ", ".join(sorted(state.mismatches))
            reasons.append(("position_mismatch", f"the broker shows other positions in {symbols}"))
        if account.halted:
            reasons.append(("halted", account.halted))
        return TradingHealth(
            account.id, account.mode, tuple(word for word, _ in reasons), tuple(text for _, text in reasons)
        )


def _session_text(session: BrokerSession | None) -> str:
    if session is None:
        return "the broker was not asked yet"
    if session.state is SessionState.NEEDS_LOGIN:
        return "the broker wants a login; get the link with: aitrader accounts login"
    return session.detail or "the broker does not answer"


@dataclass(frozen=True, slots=True)
class AskDesk:
    """Ask the process that has a broker open for something, and wait for its answer.

    ``wake`` is called with the account's id once the question is stored.
    """

    unit_of_work: Callable[[], TradingWork]
    read_work: Callable[[], TradingWork]
    clock: Clock
    wake: Callable[[str], None]
    timeout_s: float = 20.0
    _asking: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def __call__(self, account_id: str, kind: str) -> dict[str, object]:
        """Return the answer.

        Args:
            account_id: whose broker.
            kind: ``login``: a login link, or that none is needed; ``refresh``: compare the books now.

        Raises:
            NotFound: there is no such account.
            Unavailable: no process has the broker open, it did not answer in time, what was asked failed, or as many
                as may wait here are waiting already.
        """
        if not self._asking.acquire(blocking=False):
            raise Unavailable("others wait for a broker's answer; try again in a moment", code="desk_busy")
        try:
            return self._ask(account_id, kind)
        finally:
            self._asking.release()

    def _ask(self, account_id: str, kind: str) -> dict[str, object]:
        request = DeskRequest(new_id(), account_id, kind, self.clock.now_ms())
        with self.unit_of_work() as work:
            if account_id not in {lease.account for lease in work.desk.leases()}:
                work.accounts.get(account_id)  # one that does not exist is said so
                raise Unavailable(
                    f"no process trades for {account_id} now; start one with: aitrader up, or aitrader worker",
                    code="no_sender",
                )
            work.desk.ask(request)
            work.commit()
        self.wake(account_id)
        try:
            return self._answer(request)
        finally:
            with self.unit_of_work() as work:
                work.desk.forget(request.id)
                work.commit()

    def _answer(self, request: DeskRequest) -> dict[str, object]:
        deadline = self.clock.monotonic() + self.timeout_s
        while self.clock.monotonic() < deadline:
            with self.read_work() as work:
                found = work.desk.request(request.id)
            if found.error is not None:
                raise Unavailable(found.error, code="broker_unavailable")
            if found.finished_at is not None:
                return dict(found.result or {})
            self.clock.sleep(0.05)
        raise Unavailable("the broker did not answer in time; try again", code="broker_unavailable")
