"""What the risk gate looks at: the picture of an account, read in the transaction that the order goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from domain.common.time import Clock
from domain.trading.books import equity_point, fold_all, profit
from domain.trading.brokerage import Quote, SessionState
from domain.trading.limits import default_limits
from domain.trading.model import ZERO, Account, Mode, Order, OrderState, Position
from domain.trading.ports import Quotes
from domain.trading.records import BrokerState, last_quote
from domain.trading.risk import OpenOrder, Refusal, RiskPicture, check
from domain.trading.work import TradingWork

DAY_MS = 86_400_000
_WINDOWS_MS = (1000, 60_000, DAY_MS)


class MarketHours(Protocol):
    """When exchanges trade."""

    def is_open(self, symbol: str, at_ms: int) -> bool | None:
        """Return whether a symbol trades at a time; None when its exchange is not known."""
        ...


Fingerprint = Callable[[Account, BrokerState | None], str]


@dataclass(frozen=True, slots=True)
class RiskGate:
    """Checks one order against the account's limits, then against those of its strategy.

    ``fingerprint`` identifies the configuration that an arming is bound to.
    """

    clock: Clock
    quotes: Quotes
    hours: MarketHours
    fingerprint: Fingerprint

    def refusal(
        self,
        work: TradingWork,
        account: Account,
        order: Order,
        *,
        allow_duplicate: bool = False,
        sending: bool = False,
    ) -> Refusal | None:
        """Return why the order may not go; None when it may; see `judge`."""
        return self.judge(work, account, order, allow_duplicate=allow_duplicate, sending=sending)[0]

    def judge(
        self,
        work: TradingWork,
        account: Account,
        order: Order,
        *,
        allow_duplicate: bool = False,
        sending: bool = False,
    ) -> tuple[Refusal | None, RiskPicture]:
        """Return why the order may not go, if anything is against it, and the picture it was judged by.

        Args:
            work: an open transaction that has locked the account.
            account: the account of the order.
            order: new, or a working one with changed quantity or prices.
            allow_duplicate: whether the same order again so soon is meant.
            sending: whether it would be sent now, so that the broker must answer.
        """
        limits = work.limits.get(account.id) or default_limits(account.mode)
        own = None if order.strategy is None else work.limits.get(account.id, order.strategy)
        asks_hours = limits.market_hours or (own is not None and own.market_hours)
        picture = self._picture(work, account, order, sending=sending)
        if asks_hours:
            picture = replace(picture, market_open=self.hours.is_open(order.symbol, picture.now))
        if not allow_duplicate:
            picture = replace(picture, same_order_ago_ms=self._ago(work.orders.last_same(order), picture.now))
        found = check(order, limits, picture, allow_duplicate=allow_duplicate)
        if found is None and own is not None:
            mine = self._of_strategy(work, account, order, picture)
            found = check(order, own, mine, allow_duplicate=allow_duplicate)
        return found, picture

    def _picture(self, work: TradingWork, account: Account, order: Order, *, sending: bool) -> RiskPicture:
        """Return the account as it is now, without the order."""
        now = self.clock.now_ms()
        state = work.desk.state(account.id)
        others = [other for other in work.orders.open(account.id) if other.id != order.id]
        held = list(work.positions.list(account.id))
        positions = {item.symbol: item.quantity for item in held if item.quantity}
        quotes = self._quotes({order.symbol, *positions}, state)
        switches = work.switches.hold(account.id)
        picture = RiskPicture(
            now=now,
            mode=account.mode,
            positions=positions,
            prices={symbol: quote.price for symbol, quote in quotes.items()},
            open_orders=tuple(self._open_order(other) for other in others),
            submitted=self._submitted(work, order, now),
            daily_pnl=self._daily_pnl(work, account, held, quotes, now),
            mismatched={} if state is None else {symbol: theirs for symbol, (_, theirs) in state.mismatches.items()},
            switches=tuple(switch.scope for switch in switches if switch.engaged),
            flattening=all(switch.flatten for switch in switches if switch.engaged),
            armed=account.mode is Mode.PAPER or self._armed(work, account, state, now),
            halted=account.halted,
            quote=quotes.get(order.symbol),
        )
        return self._connected(picture, state) if sending else picture

    def _connected(self, picture: RiskPicture, state: BrokerState | None) -> RiskPicture:
        if state is None:
            return replace(picture, session=SessionState.DOWN, reconciled=False)
        shorting = state.capabilities is None or state.capabilities.shorting
        return replace(
            picture, session=state.session.state, reconciled=state.reconciled_at is not None, shorting=shorting
        )

    def _submitted(
        self, work: TradingWork, order: Order, now: int, strategy: str | None = None
    ) -> tuple[int, int, int]:
        counts = work.orders.submitted_within(order.account, now, _WINDOWS_MS, strategy)
        # An order that is stored already is among them.
        second, minute, day = (
            count - 1 if count and order.version and order.created_at > now - window else count
            for count, window in zip(counts, _WINDOWS_MS, strict=True)
        )
        return second, minute, day

    def _ago(self, last: int | None, now: int) -> int | None:
        return None if last is None else max(0, now - last)

    def _quotes(self, symbols: set[str], state: BrokerState | None) -> Mapping[str, Quote]:
        found = ((symbol, last_quote(self.quotes, state, symbol)) for symbol in sorted(symbols))
        return {symbol: quote for symbol, quote in found if quote is not None}

    def _open_order(self, order: Order) -> OpenOrder:
        price = order.price or order.reference_price or order.trigger_price or ZERO
        return OpenOrder(order.symbol, order.side, order.remaining, price, order.status is OrderState.UNKNOWN)

    def _armed(self, work: TradingWork, account: Account, state: BrokerState | None, now: int) -> bool:
        arming = work.switches.arming(account.id)
        return (
            arming is not None and arming.expires_at > now and arming.fingerprint == self.fingerprint(account, state)
        )

    def _daily_pnl(
        self,
        work: TradingWork,
        account: Account,
        positions: Sequence[Position],
        quotes: Mapping[str, Quote],
        now: int,
    ) -> Decimal | None:
        total = profit(equity_point(account, positions, quotes, now))
        before = work.equity.last_before(account.id, now - now % DAY_MS)
        at_midnight = ZERO if before is None else profit(before)
        return None if total is None or at_midnight is None else total - at_midnight

    def _of_strategy(self, work: TradingWork, account: Account, order: Order, whole: RiskPicture) -> RiskPicture:
        """Return the picture of one strategy: its own fills, open orders and rates.

        Its daily P&L is what it realized since midnight UTC and what its open lots have gained or lost in all.
        """
        fills = work.fills.of_account(account.id, strategy=order.strategy)
        midnight = whole.now - whole.now % DAY_MS
        positions = fold_all(account.id, fills)
        before = fold_all(account.id, [fill for fill in fills if fill.filled_at < midnight])
        mine = [o for o in work.orders.open(account.id) if o.strategy == order.strategy and o.id != order.id]
        return replace(
            whole,
            positions={symbol: item.quantity for symbol, item in positions.items() if item.quantity},
            open_orders=tuple(self._open_order(other) for other in mine),
            submitted=self._submitted(work, order, whole.now, order.strategy),
            daily_pnl=_strategy_pnl(list(positions.values()), list(before.values()), whole.prices),
        )


def _strategy_pnl(
    now: Sequence[Position], before: Sequence[Position], prices: Mapping[str, Decimal]
) -> Decimal | None:
    held = [position for position in now if position.quantity]
    if any(position.symbol not in prices for position in held):
        return None
    realized = sum((position.realized_pnl - position.fees for position in now), ZERO)
    earlier = sum((position.realized_pnl - position.fees for position in before), ZERO)
    unrealized = sum((position.unrealized_pnl(prices[position.symbol]) for position in held), ZERO)
    return realized - earlier + unrealized
