"""From a signal to decisions and orders, once.

Engines are asked before the transaction, because they may be slow. Signal, decisions and orders are then stored in
one transaction: after a crash there is all of it or nothing, and the same signal sent again changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.common.errors import AITraderError, Unavailable
from domain.common.failpoints import failpoint
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.decisions.inputs import inputs_of
from domain.decisions.model import (
    Action,
    Decision,
    DecisionStatus,
    TradingStrategy,
    decision_event,
)
from domain.decisions.ports import (
    PATTERN,
    SENTIMENT,
    STRATEGY,
    DecideRequest,
    Evidence,
    MarketView,
    Opinion,
    Standing,
    StrategyEngine,
)
from domain.decisions.sizing import size
from domain.decisions.trades import known_hit_rate
from domain.decisions.work import DecisionWork
from domain.signals.model import AliveSignal, Signal, SignalStatus, signal_event
from domain.signals.taking import Taken, TakeSignal
from domain.trading.applying import worth
from domain.trading.model import ZERO, OrderType, Origin, Side
from domain.trading.placing import NewOrder, PlaceOrder
from domain.trading.ports import Quotes
from domain.trading.records import last_quote

log = logging.getLogger(__name__)

_TRIES = 3
_MOST_EVIDENCE = 200
_NO_ENGINE = "the engine {!r} is not set up; the remote one needs STRATEGY_ENGINE_URL"


class _Known(Exception):
    """The signal was stored before."""


class _Moved(Exception):
    """The position is not what the decision was made on."""


@dataclass(frozen=True, slots=True)
class ActOnSignal:
    """Store a signal, have each strategy that looks at its symbol decide on it, and place what may be placed.

    Args:
        engines: strategy engines by name.
    """

    unit_of_work: Callable[[], DecisionWork]
    read_work: Callable[[], DecisionWork]
    take: TakeSignal
    place: PlaceOrder
    engines: Mapping[str, StrategyEngine]
    market: MarketView
    quotes: Quotes
    clock: Clock

    def __call__(self, signal: Signal) -> Taken:
        """Return the signal as it is stored: the first one, when its producer sends it again.

        Raises:
            Invalid: it holds what looks like a secret.
            Unavailable: the database did not answer; sending it again is harmless.
        """
        self.take.check(signal)
        for attempt in range(_TRIES):
            now = self.clock.now_ms()
            try:
                drafts = [self._draft(item, signal, now) for item in self._look(signal, now)]
                return self._store(signal, drafts, last=attempt == _TRIES - 1)
            except _Known:
                return Taken(self._stored(signal), created=False)
            except _Moved:
                continue
        raise AssertionError("unreachable")

    def _look(self, signal: Signal, now: int) -> list[_Seen]:
        """Return all that strategies decide on, in one read.

        Raises:
            _Known: the signal is among those that may still be acted on, so that nobody need be asked.
        """
        if signal.status is SignalStatus.EXPIRED:
            return []
        with self.read_work() as work:
            looking = [item for item in work.strategies.list(signal.user_id) if item.looks_at(signal.symbol)]
            evidence = self._evidence(work, signal, now) if looking else []
            return [
                _Seen(strategy, evidence, self._standing(work, strategy, signal.symbol, now)) for strategy in looking
            ]

    def _stored(self, signal: Signal) -> Signal:
        with self.read_work() as work:
            return work.signals.known(signal)

    def _draft(self, seen: _Seen, signal: Signal, now: int) -> _Draft:
        strategy = seen.strategy
        market = self.market.at(signal.symbol, now, strategy.params.timeframe)
        if market.price is None:
            market = replace(market, price=_told_price(signal), price_at=signal.time_ms)
        request = DecideRequest(
            decision_id=new_id(),
            strategy=strategy.name,
            signal=signal,
            evidence=seen.evidence,
            params=strategy.params,
            market=market,
            standing=seen.standing,
            as_of=now,
            expires_at=min(signal.time_ms + signal.ttl_ms, now + strategy.params.decision_ttl_ms),
        )
        opinion, fallback = self._ask(strategy.engine, request)
        return _Draft(strategy, request, opinion, fallback)

    def _ask(self, name: str, request: DecideRequest) -> tuple[Opinion, bool]:
        """Return what the engine says, and whether hold stands in for it."""
        engine = self.engines.get(name)
        if engine is None:
            return Opinion(Action.HOLD, 0.0, _NO_ENGINE.format(name)), True
        try:
            return engine.decide(request), False
        except Unavailable as error:
            reason = error.detail
        except Exception as error:
            log.exception("a strategy engine failed", extra={"engine": name})
            reason = repr(error)
        return Opinion(Action.HOLD, 0.0, f"{name} gave no answer, so hold: {reason:.300}"), True

    def _evidence(self, work: DecisionWork, signal: Signal, now: int) -> list[Evidence]:
        """Return the newest signal of each producer and pattern that may still be acted on."""
        alive = work.signals.alive(signal.user_id, signal.symbol, now, _MOST_EVIDENCE)
        if any((item.source, item.signal_id) == (signal.source, signal.signal_id) for item in alive):
            raise _Known
        newest = {(item.source, item.pattern): item for item in alive}
        told = AliveSignal(signal.source, signal.pattern, signal.score, signal.time_ms, signal.signal_id)
        newest[signal.source, signal.pattern] = told
        return [
            Evidence(_kind(item.source), item.score, item.source, item.pattern, item.time_ms)
            for _, item in sorted(newest.items())
        ]

    def _standing(self, work: DecisionWork, strategy: TradingStrategy, symbol: str, now: int) -> Standing:
        if strategy.account is None:
            return Standing()
        account = work.accounts.get(strategy.account, strategy.user_id)
        state = work.desk.state(account.id)
        cash = None if account.starting_cash or state is None or state.balance is None else state.balance.cash
        positions = [item for item in work.positions.list(account.id) if item.quantity]
        quotes = {item.symbol: last_quote(self.quotes, state, item.symbol) for item in positions}
        values = [abs(item.quantity) * quote.price for item in positions if (quote := quotes[item.symbol])]
        position, pending = _held(work, strategy, symbol)
        return Standing(
            position=position,
            pending=pending,
            equity=worth(work, account, self.quotes, now, cash).equity,
            exposure=sum(values, ZERO) if len(values) == len(positions) else None,
            currency=account.currency,
            hit_rate=None if position or pending else known_hit_rate(work.decisions.fills(account.id, strategy.name)),
        )

    def _store(self, signal: Signal, drafts: Sequence[_Draft], *, last: bool) -> Taken:
        with self.unit_of_work() as work:
            if not work.signals.add(signal):
                return Taken(work.signals.known(signal), created=False)
            events = [signal_event(signal)]
            for draft in sorted(drafts, key=lambda draft: (draft.strategy.account or "", draft.strategy.name)):
                decision = self._decide(work, draft, last=last)
                work.decisions.add(decision)
                events.append(decision_event(decision))
            work.outbox.add(events)
            failpoint("signal.storing")
            work.commit()
        failpoint("signal.stored")
        return Taken(signal, created=True)

    def _decide(self, work: DecisionWork, draft: _Draft, *, last: bool) -> Decision:
        strategy, request = draft.strategy, draft.request
        sized = size(request, draft.opinion)
        decision = draft.decision(self.clock.now_ms(), sized.quantity)
        decision = replace(decision, risk=sized.risk, reason=sized.why or None)
        if draft.opinion.action is Action.HOLD:
            return decision
        if strategy.account is None or not strategy.enabled:
            why = sized.why if strategy.account is not None and sized.why else None
            off = f"the strategy is off; turn it on with: aitrader strategies enable {strategy.name} --account ID"
            return replace(decision, status=DecisionStatus.OBSERVED, reason=why or off)
        if not sized.quantity:
            return decision
        return self._order(work, draft, decision, last=last)

    def _order(self, work: DecisionWork, draft: _Draft, decision: Decision, *, last: bool) -> Decision:
        strategy, standing = draft.strategy, draft.request.standing
        account = work.accounts.lock(strategy.account or "")
        if _held(work, strategy, decision.symbol) != (standing.position, standing.pending):
            if not last:
                raise _Moved
            return replace(decision, quantity=ZERO, reason="its position kept changing while it decided")
        if decision.created_at > decision.expires_at:
            return replace(decision, quantity=ZERO, reason="the decision came too late to be acted on")
        side = Side.BUY if decision.action is Action.BUY else Side.SELL
        new = NewOrder(
            user_id=strategy.user_id,
            symbol=decision.symbol,
            side=side,
            type=OrderType.MARKET,
            quantity=decision.quantity,
            account=account.id,
            strategy=strategy.name,
            decision_id=decision.id,
            origin=Origin.STRATEGY,
            send_within_ms=max(1, decision.expires_at - decision.created_at),
        )
        actor = f"strategy {strategy.name}"
        try:
            order = self.place.within(work, new, account, actor=actor).order
        except Unavailable:
            raise
        except AITraderError as error:
            self.place.note_refusal(work, new, account, actor, error)
            return replace(decision, status=DecisionStatus.REFUSED, reason=error.detail)
        return replace(decision, status=DecisionStatus.ORDERED, order_id=order.id)


@dataclass(frozen=True, slots=True)
class _Seen:
    strategy: TradingStrategy
    evidence: Sequence[Evidence]
    standing: Standing


@dataclass(frozen=True, slots=True)
class _Draft:
    strategy: TradingStrategy
    request: DecideRequest
    opinion: Opinion
    fallback: bool

    def decision(self, now: int, quantity: Decimal) -> Decision:
        """Return the decision as one that was held."""
        strategy, request, opinion = self.strategy, self.request, self.opinion
        return Decision(
            id=request.decision_id,
            user_id=strategy.user_id,
            strategy_id=strategy.id,
            strategy=strategy.name,
            engine=strategy.engine,
            signal=request.signal.id,
            symbol=request.signal.symbol,
            action=opinion.action,
            quantity=quantity,
            confidence=opinion.confidence,
            rationale=opinion.rationale,
            status=DecisionStatus.HELD,
            as_of=request.as_of,
            expires_at=request.expires_at,
            created_at=now,
            price=request.market.price,
            account=strategy.account,
            fallback=self.fallback,
            inputs=inputs_of(request),
        )


def _held(work: DecisionWork, strategy: TradingStrategy, symbol: str) -> tuple[Decimal, Decimal]:
    """Return a strategy's position in a symbol and what its open orders would add.

    Somebody may have closed the position by hand: it is never more than what the account has left of it.
    """
    account = strategy.account or ""
    own = work.decisions.position(account, strategy.name, symbol)
    whole = work.positions.get(account, symbol).quantity
    held = ZERO if own * whole <= 0 else min(abs(own), abs(whole)).copy_sign(own)
    mine = [order for order in work.orders.open(account) if order.strategy == strategy.name]
    pending = sum((order.side.sign * order.open_quantity for order in mine if order.symbol == symbol), ZERO)
    return held, pending


def _kind(source: str) -> str:
    return source if source in (SENTIMENT, STRATEGY) else PATTERN


def _told_price(signal: Signal) -> float | None:
    """Return the price that the producer saw, where nobody here knows one."""
    told = signal.meta.get("price")
    return float(told) if isinstance(told, (int, float)) and not isinstance(told, bool) and told > 0 else None
