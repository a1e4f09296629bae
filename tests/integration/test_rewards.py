"""Engines are told of each closed trade once, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.decision_work import NOW, decision, strategy
from aitrader.testing.trading_samples import account, fill, order
from domain.common.errors import Unavailable
from domain.decisions.ports import DecideRequest, Opinion, Reward
from domain.decisions.scoring import SendRewards
from domain.trading.model import Side


class Engine:
    name = "evidence"

    def __init__(self) -> None:
        self.heard: list[Reward] = []
        self.down_after = 99

    def decide(self, request: DecideRequest) -> Opinion:
        raise NotImplementedError

    def reward(self, reward: Reward) -> None:
        if len(self.heard) >= self.down_after:
            raise Unavailable("not now")
        self.heard.append(reward)


@pytest.fixture
def work(tmp_path: Path) -> Callable[[], SqlUnitOfWork]:
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'r.db'}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return lambda: SqlUnitOfWork(engine)


def trade(work: Callable[[], SqlUnitOfWork], name: str, price: str, at: int) -> str:
    made = decision()
    bought = order(strategy=name, decision_id=made.id)
    sold = order(strategy=name, side=Side.SELL)
    with work() as unit:
        unit.decisions.add(made)
        for item in (bought, sold):
            unit.orders.add(item, actor="test")
        both = (fill(bought, price=Decimal(100), filled_at=at), fill(sold, price=Decimal(price), filled_at=at + 1))
        unit.fills.add(both)
        unit.commit()
    return made.id


def test_each_closed_trade_is_told_once(work: Callable[[], SqlUnitOfWork]) -> None:
    engine = Engine()
    send = SendRewards(work, work, {"evidence": engine})
    with work() as unit:
        unit.accounts.add(account())
        unit.strategies.add(strategy("mine", account="a"))
        unit.strategies.add(strategy("elsewhere", account="a", engine="other"))
        unit.commit()
    assert send() == 0
    first = trade(work, "mine", "110", NOW)
    trade(work, "elsewhere", "110", NOW)
    assert (send(), send()) == (1, 0)
    (heard,) = engine.heard
    assert (heard.symbol, heard.strategy, heard.decision_id) == ("NSE:INFY", "mine", first)
    assert heard.reward == pytest.approx((10 - 0.02) / 100)

    engine.down_after = 2
    ids = [first, trade(work, "mine", "90", NOW + 5), trade(work, "mine", "101", NOW + 9)]
    assert (send(), send()) == (1, 0)
    engine.down_after = 99
    assert (send(), send()) == (1, 0)
    assert [item.decision_id for item in engine.heard] == ids
