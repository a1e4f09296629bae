"""What every `DecisionWork` does. Subclass `DecisionWorkContract` and override its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aitrader.testing.trading_samples import account, fill, order
from domain.common.errors import Conflict, NotFound
from domain.common.ids import new_id
from domain.decisions.model import (
    Action,
    Decision,
    DecisionFilter,
    DecisionStatus,
    RiskMetrics,
    TradingStrategy,
)
from domain.decisions.params import StrategyParams
from domain.decisions.trades import StrategyFill
from domain.decisions.work import DecisionWork
from domain.market.model import Timeframe
from domain.trading.model import Side

NOW = 1_763_955_901_000

Work = Callable[[], DecisionWork]


def strategy(name: str = "evidence", **changes: Any) -> TradingStrategy:
    """Return a strategy of Ann's."""
    values: dict[str, Any] = {
        "id": new_id(),
        "user_id": "ann",
        "name": name,
        "engine": "evidence",
        "created_at": NOW,
        "updated_at": NOW,
        "symbols": ("NSE:INFY",),
        "params": StrategyParams(threshold=0.25, timeframe=Timeframe.M5, allow_short=True),
        "account": "paper",
        "enabled": True,
    }
    return TradingStrategy(**{**values, **changes})


def decision(**changes: Any) -> Decision:
    """Return a decision of Ann's."""
    values: dict[str, Any] = {
        "id": new_id(),
        "user_id": "ann",
        "strategy_id": "s1",
        "strategy": "evidence",
        "engine": "evidence",
        "signal": new_id(),
        "symbol": "NSE:INFY",
        "action": Action.BUY,
        "quantity": Decimal("1.50"),
        "confidence": 0.36,
        "rationale": "combined=+0.360 ä",
        "status": DecisionStatus.ORDERED,
        "as_of": NOW,
        "expires_at": NOW + 60_000,
        "created_at": NOW + 3,
        "price": 1500.25,
        "risk": RiskMetrics(stop=1470.0, exposure_after=0.2),
        "account": "paper",
        "order_id": new_id(),
        "inputs": {"market": {"price": 1500.25}, "evidence": []},
    }
    return Decision(**{**values, **changes})


class DecisionWorkContract:
    """Tests for any `DecisionWork` over an empty, migrated database."""

    @pytest.fixture
    def work(self) -> Work:
        """Return what makes units of work."""
        raise NotImplementedError("override the work fixture")

    def test_a_strategy_comes_back_as_it_was(self, work: Work) -> None:
        item = strategy()
        with work() as unit:
            unit.strategies.add(item)
            unit.commit()
        with work() as unit:
            assert unit.strategies.get(item.id, "ann") == item
            assert unit.strategies.get("evidence", "ann") == item
            with pytest.raises(NotFound):
                unit.strategies.get(item.id, "bob")

    def test_names_are_unique_for_each_user(self, work: Work) -> None:
        with work() as unit:
            for item in (strategy("b"), strategy("a", symbols=(), account=None), strategy("a", user_id="bob")):
                unit.strategies.add(item)
            unit.commit()
        with work() as unit:
            assert [item.name for item in unit.strategies.list("ann")] == ["a", "b"]
        with work() as unit, pytest.raises(Conflict):
            unit.strategies.add(strategy("a"))

    def test_a_strategy_that_changed_meanwhile_is_not_overwritten(self, work: Work) -> None:
        item = strategy()
        with work() as unit:
            unit.strategies.add(item)
            saved = unit.strategies.save(replace(item, enabled=False))
            unit.commit()
        assert saved.version == item.version + 1
        with work() as unit:
            assert unit.strategies.get(item.id, "ann") == saved
            with pytest.raises(Conflict):
                unit.strategies.save(replace(item, enabled=True))

    def test_a_decision_comes_back_as_it_was(self, work: Work) -> None:
        made = decision()
        held = decision(status=DecisionStatus.HELD, action=Action.HOLD, order_id=None, price=None, reason="why")
        with work() as unit:
            unit.decisions.add(made)
            unit.decisions.add(held)
            unit.commit()
        with work() as unit:
            assert unit.decisions.get(made.id, "ann") == made
            assert unit.decisions.get(held.id, "ann") == held
            with pytest.raises(NotFound):
                unit.decisions.get(made.id, "bob")

    def test_a_strategy_decides_once_on_a_signal(self, work: Work) -> None:
        first = decision()
        with work() as unit:
            unit.decisions.add(first)
            unit.decisions.add(decision(signal=first.signal, strategy_id="s2"))
            unit.commit()
        with work() as unit, pytest.raises(Conflict):
            unit.decisions.add(decision(signal=first.signal))

    def test_pages_and_filters(self, work: Work) -> None:
        made = [
            decision(),
            decision(symbol="NSE:TCS", action=Action.SELL, as_of=NOW - 9),
            decision(strategy="other", strategy_id="s2", status=DecisionStatus.REFUSED),
            decision(user_id="bob"),
        ]
        with work() as unit:
            for item in made:
                unit.decisions.add(item)
            unit.commit()
        mine = [replace(item, inputs={}) for item in made[:3]]

        def page(before_id: str | None = None, limit: int = 50, **wanted: Any) -> list[Decision]:
            with work() as unit:
                return list(unit.decisions.page(DecisionFilter("ann", **wanted), before_id=before_id, limit=limit))

        assert page() == mine[::-1]
        assert page(limit=1) == [mine[2]]
        assert page(before_id=mine[2].id) == [mine[1], mine[0]]
        assert page(symbol="NSE:TCS") == page(action=Action.SELL) == [mine[1]]
        assert page(strategy="other") == page(status=DecisionStatus.REFUSED) == [mine[2]]
        assert page(signal=mine[0].signal) == [mine[0]]
        assert page(since_ms=NOW) == [mine[2], mine[0]]

    def test_position_is_what_the_fills_of_the_strategy_add_up_to(self, work: Work) -> None:
        mine, other = order(strategy="evidence"), order()
        bought = fill(mine, quantity=Decimal("2.5"))
        with work() as unit:
            unit.accounts.add(account())
            unit.orders.add(mine, actor="test")
            unit.orders.add(other, actor="test")
            unit.fills.add([bought, fill(other, quantity=Decimal(7))])
            assert unit.decisions.position(mine.account, "evidence", mine.symbol) == Decimal("2.5")
            assert unit.decisions.position(mine.account, "evidence", "NSE:NONE") == 0
            sold = order(strategy="evidence", side=Side.SELL)
            unit.orders.add(sold, actor="test")
            unit.fills.add([fill(sold, side=Side.SELL, quantity=Decimal(3))])
            assert unit.decisions.position(mine.account, "evidence", mine.symbol) == Decimal("-0.5")

    def test_fills_come_with_the_decision_behind_them(self, work: Work) -> None:
        made = decision()
        mine, by_hand, other = order(strategy="evidence", decision_id=made.id), order(strategy="evidence"), order()
        fills = [
            fill(by_hand, filled_at=NOW + 5),
            fill(mine, quantity=Decimal("2.5"), filled_at=NOW),
            fill(other, filled_at=NOW + 1),
        ]
        with work() as unit:
            unit.accounts.add(account())
            unit.decisions.add(made)
            for item in (mine, by_hand, other):
                unit.orders.add(item, actor="test")
            unit.fills.add(fills)
            found = unit.decisions.fills(mine.account, "evidence")
            assert not unit.decisions.fills("b", "evidence")
        first = (mine.symbol, Side.BUY, Decimal("2.5"), Decimal("100.05"), Decimal("0.01"), NOW, made.id, 0.36)
        assert found[0] == StrategyFill(*first)
        assert [(item.time_ms, item.decision_id, item.confidence) for item in found[1:]] == [(NOW + 5, None, None)]

    def test_strategies_with_an_account_trade(self, work: Work) -> None:
        with_account, enabled = strategy("a", enabled=False), strategy("b", user_id="bob")
        with work() as unit:
            for item in (with_account, enabled, strategy("c", account=None, enabled=False)):
                unit.strategies.add(item)
            assert {item.id for item in unit.strategies.trading()} == {with_account.id, enabled.id}

    def test_what_was_told_is_counted_once(self, work: Work) -> None:
        with work() as unit:
            assert unit.strategies.rewarded("s", "a") == 0
            assert unit.strategies.set_rewarded("s", "a", 0, 2)
            assert not unit.strategies.set_rewarded("s", "a", 0, 1)
            assert not unit.strategies.set_rewarded("s", "a", 1, 2)
            unit.commit()
        with work() as unit:
            assert (unit.strategies.rewarded("s", "a"), unit.strategies.rewarded("s", "b")) == (2, 0)
            assert unit.strategies.set_rewarded("s", "a", 2, 1)
            assert not unit.strategies.set_rewarded("s", "b", 3, 4)
            assert unit.strategies.rewarded("s", "a") == 1
