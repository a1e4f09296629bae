"""Random orders, fills, cancels, rejects, lost answers, stale news, kills and restarts: the books stay true.

Four machines of 50 runs with 50 steps: 10,000 operations.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.common.errors import AITraderError
from domain.trading.books import equity_point, fold_all
from domain.trading.brokerage import BrokerOrder, BrokerUpdate
from domain.trading.changing import OrderChange
from domain.trading.model import Order, OrderState, Side
from domain.trading.risk import RiskRefused
from tests.unit.trading.books_world import CASH, SYMBOL, Crash, OrderPath
from tests.unit.trading.samples import order as sample
from tests.unit.trading.venue import FAULTS

pytestmark = pytest.mark.once

RUNS, STEPS = 50, 50

places = st.integers(0, 30)
sides = st.sampled_from(Side)


class Machine(RuleBasedStateMachine):
    """Every rule is one operation; every invariant is looked at after each."""

    settle_ms = 120_000
    template: Path
    steps = 0

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = OrderPath(self.template, Path(self.folder.name), settle_ms=self.settle_ms)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("domain.trading.sending.failpoint", self.path.failpoint)
        self.path.reconcile()
        self.stale: list[BrokerOrder] = []
        type(self).steps += 1

    def teardown(self) -> None:
        try:
            self.check_healed()
        finally:
            self.patch.undo()
            self.path.close()
            self.folder.cleanup()

    def pick(self, place: int) -> Order | None:
        orders = self.path.orders()
        return orders[place % len(orders)] if orders else None

    def pick_venue(self, place: int) -> str | None:
        ids = list(self.path.venue.orders)
        return ids[place % len(ids)] if ids else None

    @rule(side=sides, quantity=st.integers(1, 20), price=st.integers(90, 110))
    def place(self, side: Side, quantity: int, price: int) -> None:
        with contextlib.suppress(RiskRefused):
            self.path.place(side, quantity, str(price))

    @rule(fault=st.sampled_from(FAULTS))
    def send(self, fault: str) -> None:
        # A venue that shows orders later than it promised is what ``Slow`` is about.
        self.path.turn("ok" if fault == "late" and self.settle_ms == 0 else fault)

    @rule(where=st.sampled_from(["order.sending", "order.acknowledged", "order.settled"]))
    def crash(self, where: str) -> None:
        self.path.crash_at = where
        try:
            self.path.turn()
        except Crash:
            self.path.start()
        self.path.crash_at = ""

    @rule(place=places, quantity=st.integers(1, 20))
    def fill(self, place: int, quantity: int) -> None:
        if (broker_id := self.pick_venue(place)) is not None:
            self.path.venue.fill(broker_id, Decimal(quantity))

    @rule(place=places, status=st.sampled_from([OrderState.CANCELED, OrderState.EXPIRED]))
    def end_at_the_venue(self, place: int, status: OrderState) -> None:
        if (broker_id := self.pick_venue(place)) is not None:
            self.path.venue.end(broker_id, status)

    @rule()
    def reconcile(self) -> None:
        if not self.path.broker.down:
            self.path.reconcile()

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        self.path.clock.advance(seconds)

    @rule(place=places)
    def cancel(self, place: int) -> None:
        if (order := self.pick(place)) is not None:
            self.path.cancel(order.id, "u", actor="t")

    @rule(place=places, quantity=st.integers(1, 25))
    def change(self, place: int, quantity: int) -> None:
        if (order := self.pick(place)) is None:
            return
        # Refusals are what other tests are about; the invariants hold all the same.
        with contextlib.suppress(AITraderError):
            self.path.change(order.id, "u", OrderChange(quantity=Decimal(quantity)), version=None, actor="t")

    @rule()
    def attend(self) -> None:
        self.path.attend()

    @rule()
    def remember_news(self) -> None:
        self.stale = list(self.path.venue.visible())

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def hear_old_news(self, data: Any) -> None:
        news = data.draw(st.permutations(self.stale))
        fills = [fill for fill in self.path.venue.fills if data.draw(st.booleans())]
        with self.path.work() as work:
            work.accounts.lock("a")
            self.path.apply(work, "a", BrokerUpdate(tuple(news), tuple(fills + fills[:1])))
            work.commit()

    @rule(side=sides, quantity=st.integers(1, 5))
    def somebody_else_trades(self, side: Side, quantity: int) -> None:
        foreign = sample(symbol=SYMBOL, side=side, quantity=Decimal(quantity))
        broker_id = self.path.venue.accept(foreign, tag=None if quantity % 2 else "foreign")
        self.path.venue.orders[broker_id] = self.path.venue.orders[broker_id]
        self.path.venue.fill(broker_id, Decimal(quantity))

    @rule(down=st.booleans())
    def connection(self, down: bool) -> None:
        self.path.broker.down = down
        self.path.remember("a", self.path.broker.session())

    @rule()
    def restart(self) -> None:
        self.path.start()

    @rule(engage=st.booleans())
    def switch(self, engage: bool) -> None:
        with self.path.work() as work:
            switch = work.switches.change("a", engaged=engage, flatten=False, actor="t", reason="", now_ms=0)
            work.commit()
        self.path.fence.obey([switch])

    @invariant()
    def no_order_is_submitted_twice(self) -> None:
        submits = self.path.venue.submits
        assert len(submits) == len(set(submits))

    @invariant()
    def what_is_not_placed_is_not_there(self) -> None:
        if self.settle_ms == Slow.settle_ms:
            return
        there = {order.tag for order in self.path.venue.orders.values()}
        wrong = [
            order for order in self.path.orders() if order.status is OrderState.NOT_PLACED and order.tag in there
        ]
        assert wrong == []

    @invariant()
    def quantities_are_sane(self) -> None:
        for order in self.path.orders():
            assert 0 <= order.filled_quantity <= order.quantity, order
            assert order.remaining >= 0
            assert (order.average_price is None) == (order.filled_quantity == 0)

    @invariant()
    def positions_and_cash_are_the_fold_of_the_fills(self) -> None:
        with self.path.work() as work:
            fills = list(work.fills.of_account("a"))
            positions = list(work.positions.list("a"))
            account = work.accounts.get("a")
        assert len({fill.broker_fill_id for fill in fills}) == len(fills)
        folded = fold_all("a", fills)
        assert {item.symbol: item.lots for item in positions} == {name: item.lots for name, item in folded.items()}
        cash = CASH - sum(fill.side.sign * fill.quantity * fill.price + fill.fees for fill in fills)
        assert equity_point(account, positions, {}, 0).cash == cash

    @invariant()
    def states_never_go_back(self) -> None:
        orders = self.path.orders()
        with self.path.work() as work:
            histories = [[event.status for event in work.orders.history(order.id)] for order in orders]
        for states in histories:
            for before, after in itertools.pairwise(states):
                assert before is after or before.may_become(after), states

    def check_healed(self) -> None:
        self.path.heal()
        self.positions_and_cash_are_the_fold_of_the_fills()
        self.states_never_go_back()
        self.no_order_is_submitted_twice()
        venue = self.path.venue
        ours = {order.broker_order_id: order for order in self.path.orders() if order.broker_order_id}
        for broker_id, theirs in venue.orders.items():
            assert ours[broker_id].filled_quantity == theirs.filled_quantity, broker_id
            assert ours[broker_id].status is theirs.status, (broker_id, ours[broker_id].status, theirs.status)
        assert set(ours) == set(venue.orders)
        assert not [order for order in self.path.orders() if order.status.is_unproven]
        with self.path.work() as work:
            held = {item.symbol: item.quantity for item in work.positions.list("a") if item.quantity}
            state = work.desk.state("a")
        assert held == venue.held()
        assert state is not None
        assert state.mismatches == {}


class Sure(Machine):
    settle_ms = 0


class Slow(Machine):
    settle_ms = 60_000


class Slower(Machine):
    settle_ms = 180_000


@pytest.fixture
def prepared(trading_template: Path) -> None:
    Machine.template = trading_template


@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", [Machine, Sure, Slow, Slower])
def test_the_books_stay_true(machine: type[Machine], prepared: None) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine.steps = 0
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert machine.steps >= RUNS
