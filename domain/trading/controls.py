"""The kill switch, and permission to trade live. Both live in SQL alone: they work with everything else down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from domain.common.errors import AITraderError, Conflict, Invalid, Unavailable
from domain.common.time import Clock
from domain.trading.brokerage import Quote
from domain.trading.gate import Fingerprint
from domain.trading.model import ZERO, Account, Mode, OrderState, OrderType, Origin, Position, Product, Side
from domain.trading.placing import NewOrder, PlaceOrder
from domain.trading.records import GLOBAL, Arming, BrokerState, Switch, last_quote
from domain.trading.views import order_updated
from domain.trading.work import TradingWork

ARMED_MS = 8 * 3_600_000
_WAIT_S = 2.0
_LOOK_S = 0.05
_TRIES = 5
_THROUGH = Decimal("0.01")
_CHEAP = 50
_REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Killed:
    """What engaging a kill switch came to.

    ``effective``: no submit call starts any more. ``in_flight``: orders whose submit call had begun; what became of
    them is being read from the broker. ``flattening``: the orders made to close positions.
    """

    switch: Switch
    effective: bool
    in_flight: tuple[str, ...] = ()
    flattening: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngageKill:
    """Stop trading, everywhere or in one account."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    place: PlaceOrder
    wake: Callable[[str], None] = field(default=lambda account: None)

    def __call__(self, scope: str, *, actor: str, reason: str, flatten: bool = False) -> Killed:
        """Engage the switch, and wait up to two seconds until every sender obeys it.

        Args:
            scope: ``global`` or an account's id.
            actor: who does it, for the audit log.
            reason: why.
            flatten: also cancel all working orders and close all positions.

        Raises:
            NotFound: there is no such account.
            Unavailable: the database did not answer. Senders cannot read the switch either, so they send nothing.
        """
        switch, accounts = self._engage(scope, actor, reason[:_REASON_LENGTH], flatten)
        effective = self._wait(switch, {account.id for account in accounts})
        in_flight = self._in_flight(accounts)
        if not flatten:
            return Killed(switch, effective, in_flight)
        for account in accounts:
            self._cancel_all(account.id, actor)
        closing, problems = self._flatten(accounts, actor)
        return Killed(switch, effective, in_flight, closing, problems)

    def _engage(self, scope: str, actor: str, reason: str, flatten: bool) -> tuple[Switch, list[Account]]:
        """Set the switch, and try again if another transaction was in the way: stopping must not fail for that."""
        for _ in range(_TRIES - 1):
            try:
                return self._engage_once(scope, actor, reason, flatten)
            except (Conflict, Unavailable):
                self.clock.sleep(_LOOK_S)
        return self._engage_once(scope, actor, reason, flatten)

    def _engage_once(self, scope: str, actor: str, reason: str, flatten: bool) -> tuple[Switch, list[Account]]:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            accounts = _in_scope(work, scope)
            switch = work.switches.change(
                scope, engaged=True, flatten=flatten, actor=actor, reason=reason, now_ms=now
            )
            details = {"reason": reason, "flatten": flatten, "epoch": switch.epoch}
            work.audit.append(time=now, actor=actor, action="switch.engage", subject=scope, details=details)
            work.commit()
        return switch, accounts

    def _wait(self, switch: Switch, accounts: set[str]) -> bool:
        deadline = self.clock.monotonic() + _WAIT_S
        while not self._obeyed(switch, accounts):
            if self.clock.monotonic() >= deadline:
                return False
            self.clock.sleep(_LOOK_S)
        return True

    def _obeyed(self, switch: Switch, accounts: set[str]) -> bool:
        with self.unit_of_work() as work:
            leases = [lease for lease in work.desk.leases() if lease.account in accounts]
        return all(lease.seen_epoch >= switch.epoch for lease in leases)

    def _in_flight(self, accounts: Sequence[Account]) -> tuple[str, ...]:
        with self.unit_of_work() as work:
            orders = [order for account in accounts for order in work.orders.open(account.id)]
        return tuple(order.id for order in orders if order.status.is_unproven)

    def _cancel_all(self, account_id: str, actor: str) -> None:
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            work.accounts.lock(account_id)
            for order in work.orders.open(account_id):
                if order.cancel_requested_at is None:
                    changes = {"status": OrderState.CANCELED} if order.status is OrderState.NEW else {}
                    new = replace(order, cancel_requested_at=now, updated_at=now, **changes)  # type: ignore[arg-type]
                    work.outbox.add([order_updated(work.orders.save(new, actor=actor))])
            work.commit()

    def _flatten(self, accounts: Sequence[Account], actor: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        made, problems = [], []
        for account in accounts:
            for new in self._closing(account):
                try:
                    made.append(self.place(new, actor=actor).order.id)
                except AITraderError as error:
                    problems.append(f"{account.id} {new.symbol}: {error.detail}")
            self.wake(account.id)
        return tuple(made), tuple(problems)

    def _closing(self, account: Account) -> list[NewOrder]:
        with self.unit_of_work() as work:
            positions = [item for item in work.positions.list(account.id) if item.quantity]
            state = work.desk.state(account.id)
        able = None if state is None else state.capabilities
        market = able is None or OrderType.MARKET in able.order_types
        quotes = {item.symbol: last_quote(self.place.gate.quotes, state, item.symbol) for item in positions}
        return [
            _closing_order(account, item.symbol, quantity, product, market, quotes[item.symbol])
            for item in positions
            for quantity, product in _carried(item, state)
        ]


def _carried(position: Position, state: BrokerState | None) -> list[tuple[Decimal, Product | None]]:
    """Return how the broker carries a position: only the same product closes it."""
    shown = [] if state is None else [item for item in state.positions if item.symbol == position.symbol]
    parts: list[tuple[Decimal, Product | None]] = [(item.quantity, item.product) for item in shown if item.quantity]
    if sum((quantity for quantity, _ in parts), ZERO) != position.quantity:
        return [(position.quantity, None)]
    return parts


def _closing_order(
    account: Account, symbol: str, held: Decimal, product: Product | None, market: bool, quote: Quote | None
) -> NewOrder:
    side = Side.SELL if held > 0 else Side.BUY
    price = None if market else _through(side, quote)
    return NewOrder(
        user_id=account.user_id,
        account=account.id,
        symbol=symbol,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=abs(held),
        price=price,
        product=product,
        origin=Origin.FLATTEN,
        allow_duplicate=True,
    )


def _through(side: Side, quote: Quote | None) -> Decimal | None:
    """Return a limit that trades at once, for brokers without market orders: a little beyond the last price."""
    if quote is None:
        return None
    step = Decimal(1) if quote.price >= _CHEAP else Decimal("0.05")
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max(step, (quote.price * (1 + side.sign * _THROUGH) / step).to_integral_value(rounding) * step)


def _in_scope(work: TradingWork, scope: str) -> list[Account]:
    return list(work.accounts.list()) if scope == GLOBAL else [work.accounts.get(scope)]


@dataclass(frozen=True, slots=True)
class ReleaseKill:
    """Let trading go on. Who may is for the caller to check: an administrator who just proved to be one."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    wake: Callable[[str], None] = field(default=lambda account: None)

    def __call__(self, scope: str, *, actor: str, reason: str) -> Switch:
        """Release the switch.

        Raises:
            NotFound: there is no such account.
            Conflict: it is not engaged.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            accounts = _in_scope(work, scope)
            if not any(switch.engaged for switch in work.switches.list() if switch.scope == scope):
                raise Conflict(f"the kill switch {scope} is not engaged", code="not_engaged")
            switch = work.switches.change(
                scope, engaged=False, flatten=False, actor=actor, reason=reason[:_REASON_LENGTH], now_ms=now
            )
            details = {"reason": reason[:_REASON_LENGTH], "epoch": switch.epoch}
            work.audit.append(time=now, actor=actor, action="switch.release", subject=scope, details=details)
            work.commit()
        for account in accounts:
            self.wake(account.id)
        return switch


@dataclass(frozen=True, slots=True)
class ListSwitches:
    """Read the kill switches."""

    unit_of_work: Callable[[], TradingWork]

    def __call__(self) -> Sequence[Switch]:
        """Return the global switch and those of accounts that were ever changed."""
        with self.unit_of_work() as work:
            return work.switches.list()


@dataclass(frozen=True, slots=True)
class Arm:
    """Allow live trading in an account for some hours, with the configuration as it is now.

    Who may is for the caller to check: an administrator who just proved to be one; never a token alone.
    """

    unit_of_work: Callable[[], TradingWork]
    clock: Clock
    fingerprint: Fingerprint
    wake: Callable[[str], None] = field(default=lambda account: None)

    def __call__(self, account_id: str, *, actor: str, duration_ms: int = ARMED_MS) -> Arming:
        """Arm the account.

        Raises:
            NotFound: there is no such account.
            Conflict: it is a paper account, or it lacks the limits that money needs.
            Invalid: a duration outside one minute to eight hours.
        """
        if not 60_000 <= duration_ms <= ARMED_MS:
            raise Invalid("live trading is armed for one minute to eight hours", code="invalid_duration")
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            _require_armable(work, account)
            print_ = self.fingerprint(account, work.desk.state(account_id))
            arming = Arming(account_id, print_, actor, now, now + duration_ms)
            work.switches.arm(arming)
            details = {"fingerprint": print_, "expires_at": arming.expires_at}
            work.audit.append(time=now, actor=actor, action="live.arm", subject=account_id, details=details)
            work.commit()
        self.wake(account_id)
        return arming


def _require_armable(work: TradingWork, account: Account) -> None:
    if account.mode is not Mode.LIVE:
        raise Conflict("a paper account needs no arming", code="not_live")
    limits = work.limits.get(account.id)
    if limits is None or limits.max_notional is None or limits.max_daily_loss is None:
        raise Conflict(
            "set max_notional and max_daily_loss first: "
            f"aitrader accounts limits {account.id} --set max_notional=… --set max_daily_loss=…",
            code="limits_missing",
        )


@dataclass(frozen=True, slots=True)
class Disarm:
    """End the permission to trade live."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self, account_id: str, *, actor: str) -> bool:
        """Return whether the account was armed.

        Raises:
            NotFound: there is no such account.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            work.accounts.lock(account_id)
            was = work.switches.disarm(account_id)
            work.audit.append(time=now, actor=actor, action="live.disarm", subject=account_id, details={})
            work.commit()
        return was
