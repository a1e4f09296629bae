"""From a signal to a fill, in a whole application: once, within limits, off until somebody says so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aitrader.bootstrap import Application
from aitrader.settings import Settings
from aitrader.testing.signal_work import signal
from domain.common.errors import Unavailable
from domain.common.ids import new_id
from domain.decisions.model import Action, Decision, DecisionFilter, DecisionStatus
from domain.decisions.ports import DecideRequest, Opinion, Reward
from domain.identity.users import OWNER
from domain.signals.model import Signal, SignalStatus
from domain.trading.brokerage import Quote
from domain.trading.limits import RiskLimits
from domain.trading.model import Order, OrderState, Side
from domain.trading.records import OrderFilter
from tests.processes import eventually

SYMBOL = "NSE:INFY"
PRICE = Decimal(100)


class Decider:
    """An application, and a person who sends signals."""

    def __init__(self, application: Application) -> None:
        self.parts = application.container
        self.user = self.parts.find_user()(OWNER).id
        self.quote()

    def quote(self, price: Decimal = PRICE) -> None:
        self.parts.save_quotes()([Quote(SYMBOL, price, self.parts.clock().now_ms())])

    def enable(self, name: str = "evidence", **params: Any) -> None:
        self.parts.find_account()(self.user)
        self.parts.change_strategy()(
            name, self.user, actor="test", enabled=True, account="paper", params={"decision_ttl_ms": 60_000, **params}
        )

    def signal(self, score: float = 0.8, **changes: Any) -> Signal:
        now = self.parts.clock().now_ms()
        asked = {"signal_id": new_id(), "score": score, "user_id": self.user, "time_ms": now, "received_at": now}
        return signal(**{**asked, **changes})

    def send(self, score: float = 0.8, **changes: Any) -> Decision:
        """Send a signal; return what was decided on it."""
        taken = self.parts.act_on_signal()(self.signal(score, **changes))
        (decision,) = self.decisions(signal=taken.signal.id)
        return decision

    def decisions(self, **wanted: Any) -> list[Decision]:
        found, _ = self.parts.read_decisions().page(DecisionFilter(self.user, **wanted), before_id=None, limit=200)
        return list(found)

    def orders(self) -> list[Order]:
        with self.parts.read_work() as work:
            return list(work.orders.page(OrderFilter(account="paper"), before_id=None, limit=1000))

    def ended(self) -> list[Order]:
        def all_ended() -> list[Order] | None:
            found = self.orders()
            return found if all(order.status.is_terminal for order in found) else None

        return eventually(all_ended, 30, 0.02, "every order has ended")


@pytest.fixture(params=["sqlite", "postgresql"])
def decider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Decider]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    settings = Settings(database_url=url, data_dir=tmp_path / "data", plugins_only=("paper",), threads=1, processes=1)
    application = Application(settings, role="up", works=True)
    application.container.migrations().upgrade()
    application.start()
    yield Decider(application)
    application.stop(drain_s=0)


def test_a_strategy_observes_until_it_is_enabled(decider: Decider) -> None:
    decision = decider.send()
    assert (decision.action, decision.status, decision.quantity) == (Action.BUY, DecisionStatus.OBSERVED, 0)
    assert "aitrader strategies enable evidence" in (decision.reason or "")
    assert decider.orders() == []


def test_a_signal_becomes_a_fill_and_the_opposite_one_closes_it(decider: Decider) -> None:
    decider.enable()
    bought = decider.send(0.8)
    (order,) = decider.ended()
    assert (bought.status, bought.order_id, bought.quantity) == (DecisionStatus.ORDERED, order.id, Decimal(200))
    assert (order.side, order.status, order.strategy, order.decision_id) == (
        Side.BUY,
        OrderState.FILLED,
        "evidence",
        bought.id,
    )
    again = decider.send(0.9)
    assert (again.status, again.quantity, again.reason) == (DecisionStatus.HELD, 0, "it is long already")
    sold = decider.send(-0.9)
    assert (sold.action, sold.quantity) == (Action.SELL, 200)
    assert [order.side for order in decider.ended()] == [Side.SELL, Side.BUY]
    (position,) = decider.parts.read_trading().positions(decider.user, flat=True)
    assert position.position.quantity == 0
    inputs = decider.parts.read_decisions().get(sold.id, decider.user).inputs
    assert (inputs["standing"]["position"], inputs["signal"]["score"]) == ("200", -0.9)


def test_the_same_signal_at_once_from_many_is_acted_on_once(decider: Decider) -> None:
    decider.enable()
    sent = [decider.signal(0.8, signal_id="same") for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(decider.parts.act_on_signal(), sent))
    assert sum(item.created for item in taken) == 1
    assert len({item.signal.id for item in taken}) == 1
    assert len(decider.decisions()) == len(decider.ended()) == 1


def test_different_signals_at_once_open_one_position(decider: Decider) -> None:
    decider.enable()
    sent = [decider.signal(0.8, pattern=f"p{number}") for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(decider.parts.act_on_signal(), sent))
    assert all(item.created for item in taken)
    assert len(decider.ended()) == 1
    assert [item.status for item in decider.decisions()].count(DecisionStatus.ORDERED) == 1


def test_a_late_signal_is_kept_and_not_acted_on(decider: Decider) -> None:
    decider.enable()
    late = decider.signal()
    late = replace(late, time_ms=late.time_ms - late.ttl_ms - 1)
    taken = decider.parts.act_on_signal()(late)
    assert (taken.created, taken.signal.status) == (True, SignalStatus.EXPIRED)
    assert decider.decisions() == []


def test_the_gate_refuses_and_the_decision_says_which_rule(decider: Decider) -> None:
    decider.enable()
    with decider.parts.unit_of_work() as work:
        work.limits.save("paper", "", RiskLimits(max_quantity=Decimal(5)))
        work.commit()
    decision = decider.send()
    assert decision.status is DecisionStatus.REFUSED
    assert decision.reason is not None
    assert "LIMIT_QUANTITY quantity=200 max=5" in decision.reason
    assert decider.orders() == []
    with decider.parts.read_work() as work:
        actions = [event.action for event in work.audit.newest(5)]
    assert "order.refuse" in actions


def test_a_kill_switch_stops_decisions_from_trading(decider: Decider) -> None:
    decider.enable()
    decider.parts.engage_kill()("global", actor="test", reason="test")
    assert decider.send().status is DecisionStatus.REFUSED
    assert decider.orders() == []


def test_an_account_that_asks_has_its_orders_wait_for_a_yes(decider: Decider) -> None:
    decider.enable()
    decider.parts.change_account()("paper", actor="test", approval_strategies=("evidence",))
    decision = decider.send()
    assert decision.status is DecisionStatus.ORDERED
    (order,) = decider.orders()
    assert (order.status, order.approval.value) == (OrderState.NEW, "pending")


def test_a_position_closed_by_hand_is_not_sold_again(decider: Decider) -> None:
    from domain.trading.model import OrderType
    from domain.trading.placing import NewOrder

    decider.enable()
    decider.send(0.8)
    decider.ended()
    by_hand = NewOrder(decider.user, SYMBOL, Side.SELL, OrderType.MARKET, Decimal(150), account="paper")
    decider.parts.place_order()(by_hand, actor="test")
    decider.ended()
    assert decider.send(-0.8).quantity == 50
    decider.ended()
    assert decider.send(-0.8).quantity == 0


class Unreachable:
    """An engine that fails in a way."""

    name = "evidence"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def decide(self, request: DecideRequest) -> Opinion:
        raise self._error

    def reward(self, reward: Reward) -> None:
        raise self._error


@pytest.mark.parametrize("error", [Unavailable("it is away"), RuntimeError("a bug")])
def test_an_engine_that_fails_means_hold(decider: Decider, error: Exception) -> None:
    decider.enable()
    acting = replace(decider.parts.act_on_signal(), engines={"evidence": Unreachable(error)})
    acting(decider.signal())
    (decision,) = decider.decisions()
    assert (decision.action, decision.status, decision.fallback) == (Action.HOLD, DecisionStatus.HELD, True)
    assert "gave no answer, so hold" in decision.rationale
    assert decider.orders() == []


def test_the_remote_engine_that_is_not_set_up_says_how(decider: Decider) -> None:
    decider.parts.create_strategy()(decider.user, "far", actor="test", engine="remote")
    decider.parts.act_on_signal()(decider.signal())
    (decision,) = decider.decisions(strategy="far")
    assert decision.fallback
    assert "STRATEGY_ENGINE_URL" in decision.rationale


def test_each_strategy_that_looks_at_the_symbol_decides(decider: Decider) -> None:
    decider.parts.create_strategy()(decider.user, "other", actor="test", symbols=["NSE:TCS"])
    decider.parts.create_strategy()(decider.user, "picky", actor="test", params={"threshold": 0.9})
    decider.parts.act_on_signal()(decider.signal(0.8))
    found = {item.strategy: item.action for item in decider.decisions()}
    assert found == {"evidence": Action.BUY, "picky": Action.HOLD}


def test_only_evidence_that_is_still_alive_counts(decider: Decider) -> None:
    now = decider.parts.clock().now_ms()
    old = decider.signal(1.0, pattern="old", time_ms=now - 50_000, ttl_ms=50_500, received_at=now - 49_000)
    decider.parts.act_on_signal()(old)
    decider.parts.act_on_signal()(replace(decider.signal(0.5, pattern="dead"), time_ms=now - 70_000))
    eventually(lambda: decider.parts.clock().now_ms() > now + 501, 5, 0.01)
    decision = decider.send(0.4)
    evidence = decider.parts.read_decisions().get(decision.id, decider.user).inputs["evidence"]
    assert [item["score"] for item in evidence] == [0.4]
    decision = decider.send(-0.4, pattern="second")
    assert (decision.action, decision.confidence) == (Action.HOLD, 0.0)
