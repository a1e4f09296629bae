"""What every `TradingWork` does. Subclass `TradingWorkContract` and override its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from aitrader.testing.trading_samples import NOW, account, fill, order
from aitrader.testing.waiting import together, until
from domain.common.errors import Conflict, NotFound, Unavailable
from domain.common.ids import new_id
from domain.trading.brokerage import (
    Balance,
    BrokerPosition,
    BrokerSession,
    Capabilities,
    Holding,
    Quote,
    SessionState,
)
from domain.trading.limits import RiskLimits
from domain.trading.model import Approval, Lot, Order, OrderState, OrderType, Position, Product, TimeInForce
from domain.trading.records import GLOBAL, Arming, BrokerState, DeskRequest, EquityPoint, OrderFilter
from domain.trading.work import TradingWork

Work = Callable[[], TradingWork]
S = OrderState


def do(work: Work, act: Callable[[TradingWork], Any]) -> Any:
    """Do one thing in a transaction of its own."""
    with work() as unit:
        result = act(unit)
        unit.commit()
    return result


def _add(item: Order, unit: TradingWork) -> None:
    unit.orders.add(item, actor="me")


def _save(item: Order, unit: TradingWork) -> None:
    unit.orders.save(item, actor="x")


def _add_point(point: EquityPoint, unit: TradingWork) -> None:
    unit.equity.add(point)


class TradingWorkContract:
    """Tests for any `TradingWork` over an empty, migrated database."""

    @pytest.fixture
    def work(self) -> Work:
        """Return what makes units of work."""
        raise NotImplementedError("override the work fixture")

    @pytest.fixture(autouse=True)
    def an_account(self, work: Work) -> None:
        do(work, lambda unit: unit.accounts.add(account()))

    def test_an_account_comes_back_as_it_was_stored(self, work: Work) -> None:
        made = account("b", approval_strategies=("s", "t"), options={"fees": {"model": "none"}}, halted="why")
        do(work, lambda unit: unit.accounts.add(made))
        with work() as unit:
            assert unit.accounts.get("b") == unit.accounts.get("b", made.user_id) == unit.accounts.lock("b") == made
            assert [item.id for item in unit.accounts.list()] == ["a", "b"]
            for missing in (("nobody", None), ("b", "somebody else"), ("\x00", None)):
                with pytest.raises(NotFound):
                    unit.accounts.get(*missing)
        with pytest.raises(Conflict):
            do(work, lambda unit: unit.accounts.add(made))

    def test_an_account_is_written_back_once_per_version(self, work: Work) -> None:
        found = account()
        saved = do(work, lambda unit: unit.accounts.save(replace(found, halted="x")))
        assert saved.version == found.version + 1
        with pytest.raises(Conflict):
            do(work, lambda unit: unit.accounts.save(found))

    def test_an_account_is_locked_by_one_at_a_time(self, work: Work) -> None:
        def add(number: int) -> None:
            with work() as unit:
                found = unit.accounts.lock("a")
                unit.accounts.save(replace(found, halted=found.halted + str(number)))
                unit.commit()

        together([partial(add, number) for number in range(8)])
        with work() as unit:
            assert sorted(unit.accounts.get("a").halted) == list("01234567")

    def test_an_order_comes_back_as_it_was_stored(self, work: Work) -> None:
        made = order(
            product=Product.INTRADAY,
            trigger_price=Decimal("99.5"),
            type=OrderType.STOP_LIMIT,
            approval=Approval.PENDING,
            approval_expires_at=NOW,
            change={"price": "5"},
            reference_price=Decimal("1.10"),
            strategy="s",
        )
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        with work() as unit:
            assert unit.orders.get(made.id) == made
            assert [(event.seq, event.status, event.actor) for event in unit.orders.history(made.id)] == [
                (1, S.NEW, "me")
            ]
            with pytest.raises(NotFound):
                unit.orders.get(made.id, "somebody else")

    def test_a_tag_is_taken_once(self, work: Work) -> None:
        made = order()
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        with pytest.raises(Conflict):
            do(work, lambda unit: unit.orders.add(replace(made, id=new_id()), actor="me"))

    def test_an_order_moves_only_forward(self, work: Work) -> None:
        made = order()
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        sending = do(work, lambda unit: unit.orders.save(replace(made, status=S.SENDING), actor="sender"))
        assert sending.version == 2
        for wrong in (made, replace(sending, status=S.NEW), replace(sending, version=1)):
            with pytest.raises(Conflict):
                do(work, partial(_save, wrong))
        filled = replace(sending, status=S.FILLED, filled_quantity=Decimal(10))
        filled = do(work, lambda unit: unit.orders.save(filled, actor="broker"))
        with pytest.raises(Conflict):
            do(work, lambda unit: unit.orders.save(replace(filled, filled_quantity=Decimal(9)), actor="x"))
        with work() as unit:
            assert [event.status for event in unit.orders.history(made.id)] == [S.NEW, S.SENDING, S.FILLED]

    def test_the_oldest_order_that_may_go_is_sent_next(self, work: Work) -> None:
        waits = order(approval=Approval.PENDING, approval_expires_at=NOW + 5)
        first, second = order(approval=Approval.APPROVED), order()
        canceled = order(cancel_requested_at=NOW)
        for item in (waits, canceled, first, second, order(account="other")):
            do(work, partial(_add, item))
        with work() as unit:
            assert unit.orders.next_to_send("a") == first
            assert [item.id for item in unit.orders.late_approvals(NOW + 5)] == [waits.id]
            assert unit.orders.late_approvals(NOW + 4) == []
            assert unit.orders.next_to_send("nobody") is None

    def test_orders_are_found_by_what_the_broker_knows(self, work: Work) -> None:
        made = order(broker_order_id="B1")
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        with work() as unit:
            assert unit.orders.by_tags("a", [made.tag, "none"]) == [made]
            assert unit.orders.by_broker_ids("a", ["B1", *(f"x{n}" for n in range(1200))]) == [made]
            assert unit.orders.by_broker_ids("other", ["B1"]) == unit.orders.by_tags("other", [made.tag]) == []
            assert unit.orders.by_tags("a", []) == []

    def test_pages_are_newest_first_and_filtered(self, work: Work) -> None:
        made = [order(symbol=f"S{number % 2}") for number in range(5)]
        for item in made:
            do(work, partial(_add, item))
        do(work, lambda unit: unit.orders.save(replace(made[0], status=S.CANCELED), actor="me"))
        with work() as unit:
            page = unit.orders.page(OrderFilter(user_id="u"), before_id=None, limit=3)
            rest = unit.orders.page(OrderFilter(user_id="u"), before_id=page[-1].id, limit=3)
            assert [item.id for item in (*page, *rest)] == [item.id for item in reversed(made)]
            assert len(unit.orders.page(OrderFilter(symbol="S1"), before_id=None, limit=9)) == 2
            assert len(unit.orders.page(OrderFilter(open_only=True), before_id=None, limit=9)) == 4
            assert len(unit.orders.page(OrderFilter(status=S.CANCELED), before_id=None, limit=9)) == 1
            assert unit.orders.page(OrderFilter(user_id="x"), before_id=None, limit=9) == []
            assert [item.id for item in unit.orders.open("a")] == [item.id for item in made[1:]]

    def test_orders_that_were_refused_before_they_left_do_not_count(self, work: Work) -> None:
        for item in (order(), order(status=S.REJECTED), order(status=S.FILLED, sent_at=NOW), order(strategy="s")):
            do(work, partial(_add, item))
        with work() as unit:
            assert list(unit.orders.submitted_within("a", NOW + 5, (6, 5))) == [3, 0]
            assert list(unit.orders.submitted_within("a", NOW + 5, (6,), "s")) == [1]

    def test_the_same_order_is_recognised(self, work: Work) -> None:
        made = order()
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        with work() as unit:
            assert unit.orders.last_same(made) is None
            assert unit.orders.last_same(order()) == made.created_at
            for other in (order(price=Decimal(1)), order(quantity=Decimal(11)), order(symbol="X"), order(price=None)):
                assert unit.orders.last_same(other) is None

    def test_a_fill_counts_once(self, work: Work) -> None:
        made = order(strategy="s")
        do(work, lambda unit: unit.orders.add(made, actor="me"))
        late, early = fill(made, filled_at=NOW + 5), fill(made, filled_at=NOW)
        again = replace(late, id=new_id())
        assert do(work, lambda unit: unit.fills.add([late, early, again])) == [late, early]
        assert do(work, lambda unit: unit.fills.add([again])) == []
        with work() as unit:
            assert unit.fills.of_order(made.id) == unit.fills.of_symbol("a", made.symbol) == [early, late]
            assert unit.fills.of_account("a", NOW + 1) == [late]
            assert unit.fills.of_account("a", strategy="s") == [early, late]
            assert unit.fills.of_account("a", strategy="t") == []
            page = unit.fills.page("u", account=None, order_id=None, before_id=None, limit=1)
            rest = unit.fills.page("u", account="a", order_id=made.id, before_id=page[0].id, limit=5)
            assert sorted(item.id for item in (*page, *rest)) == sorted([early.id, late.id])
            assert unit.fills.page("x", account=None, order_id=None, before_id=None, limit=5) == []

    def test_a_position_comes_back_exactly(self, work: Work) -> None:
        lots = (Lot(Decimal("-0.10"), Decimal("1e-7")), Lot(Decimal(-3), Decimal(2)))
        made = Position("a", "X", Decimal("-3.10"), lots, Decimal("0.1"), Decimal(1), updated_at=5)
        do(work, lambda unit: unit.positions.save(replace(made, quantity=Decimal(1))))
        do(work, lambda unit: unit.positions.save(made))
        with work() as unit:
            assert unit.positions.get("a", "X") == made
            assert unit.positions.list("a") == [made]
            assert unit.positions.get("a", "Y") == Position("a", "Y")

    def test_limits_by_strategy(self, work: Work) -> None:
        own, theirs = RiskLimits(max_notional=Decimal("0.50")), RiskLimits(symbols=("X",))
        do(work, lambda unit: unit.limits.save("a", "", own))
        do(work, lambda unit: unit.limits.save("a", "s", theirs))
        with work() as unit:
            assert unit.limits.list("a") == [("", own), ("s", theirs)]
            assert unit.limits.get("a", "t") is None

    def test_each_change_of_a_switch_has_a_higher_epoch(self, work: Work) -> None:
        def change(scope: str, engaged: bool) -> Any:
            values: dict[str, Any] = {
                "engaged": engaged,
                "flatten": False,
                "actor": "me",
                "reason": "r",
                "now_ms": NOW,
            }
            return do(work, lambda unit: unit.switches.change(scope, **values))

        epochs = [change("a", True).epoch, change(GLOBAL, True).epoch, change("a", False).epoch]
        assert epochs == sorted(set(epochs))
        with work() as unit:
            assert {item.scope: item.engaged for item in unit.switches.hold("a")} == {"a": False, GLOBAL: True}
            assert [item.scope for item in unit.switches.list()] == ["a", GLOBAL]
        with pytest.raises(NotFound):
            change("nobody", True)

    def test_a_switch_that_is_not_there_is_not_taken_for_released(self, work: Work) -> None:
        with work() as unit, pytest.raises(Unavailable):
            unit.switches.hold("nobody")

    def test_a_held_switch_does_not_change_meanwhile(self, work: Work) -> None:
        seen: list[bool] = []

        def hold() -> None:
            with work() as unit:
                before = unit.switches.hold("a")
                until(lambda: bool(started), 5)
                seen.append(before == unit.switches.hold("a"))
                unit.commit()

        def change() -> None:
            started.append(True)
            values: dict[str, Any] = {"engaged": True, "flatten": False, "actor": "me", "reason": "", "now_ms": NOW}
            do(work, lambda unit: unit.switches.change("a", **values))

        started: list[bool] = []
        together([hold, change])
        assert seen == [True]

    def test_an_arming_is_there_until_it_is_not(self, work: Work) -> None:
        made = Arming("a", "f" * 64, "me", NOW, NOW + 5)
        do(work, lambda unit: unit.switches.arm(replace(made, armed_by="x")))
        do(work, lambda unit: unit.switches.arm(made))
        with work() as unit:
            assert unit.switches.arming("a") == made
        assert [do(work, lambda unit: unit.switches.disarm("a")) for _ in range(2)] == [True, False]

    def test_one_process_at_a_time_has_an_account(self, work: Work) -> None:
        one, two = new_id(), new_id()
        take: dict[str, Any] = {"owner": "me", "ttl_ms": 60_000}
        assert do(work, lambda unit: unit.desk.take("a", token=one, **take))
        assert not do(work, lambda unit: unit.desk.take("a", token=two, **take))
        with work() as unit:
            assert unit.desk.holds("a", one)
            assert not unit.desk.holds("a", two)
        assert do(work, lambda unit: unit.desk.renew(two, ["a"], seen_epoch=1, ttl_ms=1000)) == []
        assert do(work, lambda unit: unit.desk.renew(one, ["a"], seen_epoch=7, ttl_ms=60_000)) == ["a"]
        with work() as unit:
            (lease,) = unit.desk.leases()
        assert (lease.account, lease.token, lease.seen_epoch) == ("a", one, 7)
        do(work, lambda unit: unit.desk.release(one))
        assert do(work, lambda unit: unit.desk.take("a", token=two, **take))

    def test_two_that_want_an_account_at_once_do_not_both_get_it(self, work: Work) -> None:
        won: list[bool] = []

        def take() -> None:
            won.append(do(work, lambda unit: unit.desk.take("a", token=new_id(), owner="me", ttl_ms=60_000)))

        together([take] * 6)
        assert sum(won) == 1

    def test_a_lease_that_lapsed_is_held_by_nobody(self, work: Work) -> None:
        one, two = new_id(), new_id()
        do(work, lambda unit: unit.desk.take("a", token=one, owner="me", ttl_ms=1))

        def lapsed() -> bool:
            with work() as unit:
                return not unit.desk.holds("a", one) and list(unit.desk.leases()) == []

        until(lapsed, 5)
        assert do(work, lambda unit: unit.desk.renew(one, ["a"], seen_epoch=1, ttl_ms=60_000)) == []
        assert do(work, lambda unit: unit.desk.take("a", token=two, owner="me", ttl_ms=60_000))

    def test_what_was_learnt_of_a_broker_comes_back_exactly(self, work: Work) -> None:
        able = Capabilities(frozenset(OrderType), frozenset(TimeInForce), (Product.MARGIN,), notes=("n",))
        state = BrokerState(
            "a",
            BrokerSession(SessionState.NEEDS_LOGIN, "d", "https://x", "w", "u", 5, 6),
            able,
            Balance("INR", Decimal("0.10"), None, Decimal(1), Decimal(2)),
            (BrokerPosition("X", Decimal("-1.50"), Decimal(2), None, Decimal(-3), Product.DELIVERY),),
            (Holding("X", Decimal(1), None, Decimal("1.5"), None, "INR", "INE009A01021"),),
            {"X": (Decimal("1.0"), Decimal(-2))},
            1,
            2,
            None,
            "why",
        )
        do(work, lambda unit: unit.desk.save_state(state))
        with work() as unit:
            assert unit.desk.state("a") == state
            assert unit.desk.state("b") is None

    def test_questions_are_answered_once(self, work: Work) -> None:
        asked = DeskRequest(new_id(), "a", "login", NOW)
        do(work, lambda unit: unit.desk.ask(asked))
        with work() as unit:
            assert unit.desk.asked(["a"]) == [asked]
            assert unit.desk.asked(["b"]) == unit.desk.asked([]) == []
        do(work, lambda unit: unit.desk.answer(asked.id, result={"state": "x"}, error=None, now_ms=NOW + 1))
        with work() as unit:
            assert unit.desk.asked(["a"]) == []
            assert unit.desk.request(asked.id) == replace(asked, result={"state": "x"}, finished_at=NOW + 1)
        do(work, lambda unit: unit.desk.answer(new_id(), result=None, error="e", now_ms=NOW + 4_000_000))
        with work() as unit, pytest.raises(NotFound):
            unit.desk.request(asked.id)

    def test_an_answered_request_is_forgotten(self, work: Work) -> None:
        asked = DeskRequest(new_id(), "a", "login", NOW)
        do(work, lambda unit: unit.desk.ask(asked))
        do(work, lambda unit: unit.desk.answer(asked.id, result={"state": "x"}, error=None, now_ms=NOW + 1))
        do(work, lambda unit: unit.desk.forget(asked.id))
        do(work, lambda unit: unit.desk.forget(new_id()))
        with work() as unit, pytest.raises(NotFound):
            unit.desk.request(asked.id)

    def test_equity_is_a_history(self, work: Work) -> None:
        points = [EquityPoint("a", at, Decimal(at), None, Decimal(0), None, Decimal("0.1")) for at in (10, 20, 30)]
        for point in points:
            do(work, partial(_add_point, point))
        do(work, lambda unit: unit.equity.add(replace(points[2], equity=Decimal(5))))
        with work() as unit:
            assert unit.equity.page("a", since_ms=20, until_ms=30, limit=5) == [points[1]]
            assert [p.at for p in unit.equity.page("a", since_ms=None, until_ms=None, limit=2)] == [20, 30]
            assert unit.equity.last_before("a", 30) == points[1]
            assert unit.equity.last_before("a", 10) is None

    def test_an_older_quote_changes_nothing(self, work: Work) -> None:
        new, old = Quote("X", Decimal("1.5"), 20, Decimal(1), Decimal(2), None, "s"), Quote("X", Decimal(9), 10)
        do(work, lambda unit: unit.quotes.save([new]))
        do(work, lambda unit: unit.quotes.save([old]))
        with work() as unit:
            assert unit.quotes.get(["X", "Y"]) == [new]
            assert unit.quotes.get([]) == []
            assert unit.quotes.newest(2) == [new]
            assert unit.quotes.newest(0) == []
