"""An order goes to its broker once, whatever happens on the way; then the book is read until its fate is known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.common.errors import Conflict, Invalid, Unavailable
from domain.trading.brokerage import BrokerFill, BrokerOrder, BrokerUpdate
from domain.trading.changing import DecideApproval
from domain.trading.limits import RiskLimits
from domain.trading.model import Approval, Order, OrderState, OrderType, Side, TimeInForce
from domain.trading.records import Switch
from domain.trading.risk import RiskRefused
from domain.trading.sending import LeaseGone, Turn
from tests.unit.trading.books_world import SYMBOL, Crash, OrderPath
from tests.unit.trading.samples import order as sample

S = OrderState


def test_an_order_is_accepted_and_filled(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    assert path.order(order).status is S.ACCEPTED
    path.venue.fill("B1", Decimal(4))
    path.reconcile()
    partly = path.order(order)
    assert (partly.status, partly.filled_quantity, partly.average_price) == (S.PARTIALLY_FILLED, 4, 100)
    path.venue.fill("B1", Decimal(6))
    path.reconcile()
    assert path.order(order).status is S.FILLED
    with path.work() as work:
        assert [event.status for event in work.orders.history(order.id)] == [
            S.NEW,
            S.SENDING,
            S.ACCEPTED,
            S.PARTIALLY_FILLED,
            S.FILLED,
        ]
        position = work.positions.get("a", SYMBOL)
    assert (position.quantity, position.fees) == (10, 2)


@pytest.mark.parametrize(
    ("fault", "state", "submits"),
    [
        ("reject", S.REJECTED, 1),
        ("not_sent", S.NOT_PLACED, 0),
        ("drop", S.UNKNOWN, 1),
        ("accept_then_drop", S.UNKNOWN, 1),
        ("late", S.UNKNOWN, 1),
        ("odd_error", S.UNKNOWN, 1),
    ],
)
def test_only_what_is_proven_is_believed(path: OrderPath, fault: str, state: OrderState, submits: int) -> None:
    order = path.place()
    path.turn(fault)
    assert path.order(order).status is state
    assert len(path.venue.submits) == submits
    for _ in range(5):
        path.turn()
    assert len(path.venue.submits) == submits


@pytest.mark.parametrize("fault", ["accept_then_drop", "odd_error"])
def test_an_order_whose_answer_was_lost_is_adopted_by_its_tag(path: OrderPath, fault: str) -> None:
    order = path.place()
    path.turn(fault)
    path.reconcile()
    assert (path.order(order).status, path.order(order).broker_order_id) == (S.ACCEPTED, "B1")


def test_absence_is_believed_only_after_the_settle_time_and_three_reads(path: OrderPath) -> None:
    order = path.place()
    path.turn("drop")
    for _ in range(5):
        path.reconcile()
        assert path.order(order).status is S.UNKNOWN
    path.clock.advance(119)
    path.reconcile()
    assert path.order(order).status is S.UNKNOWN
    path.clock.advance(2)
    path.reconcile()
    assert (path.order(order).status, path.order(order).reason_code) == (S.NOT_PLACED, "PROVEN_ABSENT")
    assert path.venue.submits == [order.tag]


def test_a_long_time_with_few_reads_proves_nothing(path: OrderPath) -> None:
    order = path.place()
    path.turn("drop")
    path.clock.advance(10_000)
    path.reconcile()
    path.reconcile()
    assert path.order(order).status is S.UNKNOWN
    path.reconcile()
    assert path.order(order).status is S.NOT_PLACED


def test_an_order_that_shows_up_late_is_not_sent_again(path: OrderPath) -> None:
    order = path.place()
    path.turn("late")
    for _ in range(8):
        path.clock.advance(10)
        path.reconcile()
        assert path.order(order).status is S.UNKNOWN
    path.clock.advance(20)
    path.reconcile()
    assert path.order(order).status is S.ACCEPTED
    assert path.venue.submits == [order.tag]


def test_an_order_taken_for_absent_is_adopted_when_it_shows_up_after_all(path: OrderPath) -> None:
    order = path.place()
    path.turn("late")
    path.venue.hidden_until["B1"] = path.clock.now_ms() + 1_000_000
    path.clock.advance(300)
    for _ in range(3):
        path.reconcile()
    assert path.order(order).status is S.NOT_PLACED
    path.clock.advance(1_000)
    path.reconcile()
    assert path.order(order).status is S.ACCEPTED
    assert any("late order" in subject for subject in path.told)


def test_while_an_order_is_unknown_no_other_opens_in_its_symbol(path: OrderPath) -> None:
    path.place()
    path.turn("drop")
    with pytest.raises(RiskRefused, match="ORDER_UNKNOWN"):
        path.place()


@pytest.mark.parametrize("place", ["order.sending", "order.acknowledged", "order.settled"])
def test_a_crash_around_the_submit_never_leads_to_a_second_one(path: OrderPath, place: str) -> None:
    order = path.place()
    path.crash_at = place
    with pytest.raises(Crash):
        path.turn()
    path.start()
    path.turn()
    path.heal()
    assert len(path.venue.submits) <= 1
    expected = S.NOT_PLACED if place == "order.sending" else S.ACCEPTED
    assert path.order(order).status is expected


def test_nothing_is_sent_before_the_books_were_compared(path: OrderPath) -> None:
    path.place()
    path.remember("a", path.broker.session(), forget=True)
    assert path.send("a", path.broker) is Turn.PARKED
    path.reconcile()
    assert path.send("a", path.broker) is Turn.DONE


def test_an_order_waits_for_a_broker_that_is_away_but_not_for_ever(path: OrderPath) -> None:
    order = path.place()
    path.broker.down = True
    path.remember("a", path.broker.session())
    assert path.send("a", path.broker) is Turn.PARKED
    assert path.order(order).status is S.NEW
    path.clock.advance(3601)
    path.turn()
    assert (path.order(order).status, path.order(order).reason_code) == (S.NOT_PLACED, "SEND_DEADLINE")
    assert path.venue.submits == []


def test_an_order_waits_for_an_instrument_that_cannot_be_looked_up_but_not_for_ever(path: OrderPath) -> None:
    order = path.place()

    def fail() -> None:
        raise Unavailable("the broker does not answer")

    path.broker.before_instrument = fail
    assert path.send("a", path.broker) is Turn.PARKED
    assert path.order(order).status is S.NEW
    path.clock.advance(3601)
    path.turn()
    assert (path.order(order).status, path.order(order).reason_code) == (S.NOT_PLACED, "SEND_DEADLINE")
    assert path.venue.submits == []


def test_nothing_is_locked_while_a_broker_looks_an_instrument_up(path: OrderPath) -> None:
    """It may take seconds; whoever places another order meanwhile must not wait for it."""
    path.place()
    path.broker.before_instrument = lambda: placed.append(path.place())
    placed: list[Order] = []
    path.turn()
    assert len(placed) == 1
    assert len(path.venue.submits) == 1


def test_a_read_that_fails_concludes_nothing(path: OrderPath) -> None:
    order = path.place()
    path.turn("drop")
    path.clock.advance(1000)
    path.broker.down = True
    for _ in range(5):
        with pytest.raises(Exception, match="does not answer"):
            path.reconcile()
    assert (path.order(order).status, path.order(order).absent_reads) == (S.UNKNOWN, 0)


def test_a_sender_that_lost_its_lease_sends_nothing(path: OrderPath) -> None:
    path.place()
    with path.work() as work:
        work.desk.release(path.token)
        work.desk.take("a", token="another", owner="other", ttl_ms=60_000)
        work.commit()
    with pytest.raises(LeaseGone):
        path.turn()
    assert path.venue.submits == []


def test_a_sender_that_was_paused_asks_again_before_it_sends(path: OrderPath) -> None:
    order = path.place()

    def paused() -> None:
        path.clock.advance(30)
        with path.work() as work:
            work.desk.release(path.token)
            work.desk.take("a", token="another", owner="other", ttl_ms=60_000)
            work.commit()

    path.broker.before_place = paused
    path.turn()
    assert path.venue.submits == []
    assert path.order(order).status is S.NOT_PLACED


def test_a_switch_that_changes_before_the_wire_stops_the_order(path: OrderPath) -> None:
    order = path.place()

    def killed() -> None:
        with path.work() as work:
            switch = work.switches.change("global", engaged=True, flatten=False, actor="t", reason="", now_ms=0)
            work.commit()
        path.fence.obey([switch])

    path.broker.before_place = killed
    path.turn()
    assert path.venue.submits == []
    assert path.order(order).status is S.NOT_PLACED


def test_the_switch_of_another_account_stops_nothing_here(path: OrderPath) -> None:
    order = path.place()

    def killed_elsewhere() -> None:
        path.fence.obey([Switch("another", engaged=True, epoch=10**6)])

    path.broker.before_place = killed_elsewhere
    path.turn()
    assert path.order(order).status is S.ACCEPTED


def test_a_kill_switch_refuses_what_waits(path: OrderPath) -> None:
    order = path.place()
    with path.work() as work:
        work.desk.renew(path.token, ["a"], seen_epoch=10**6, ttl_ms=60_000)
        work.commit()
    result = path.kill("global", actor="t", reason="test")
    assert result.effective
    path.turn()
    assert (path.order(order).status, path.order(order).reason_code) == (S.REJECTED, "SWITCH_ENGAGED")
    with pytest.raises(RiskRefused):
        path.place()
    path.release("global", actor="t", reason="test")
    path.place()


def test_a_kill_is_not_effective_while_a_sender_has_not_seen_it(path: OrderPath) -> None:
    assert not path.kill("a", actor="t", reason="test").effective


def test_flattening_cancels_and_closes(path: OrderPath) -> None:
    path.place()
    path.turn()
    path.venue.fill("B1", Decimal(10))
    resting = path.place(price="90")
    path.turn()
    path.reconcile()
    path.kill("a", actor="t", reason="test", flatten=True)
    path.attend()
    path.reconcile()
    assert path.order(resting).status is S.CANCELED
    path.turn()
    closing = path.orders()[0]
    assert (closing.origin.value, closing.side, closing.quantity) == ("flatten", Side.SELL, 10)
    assert closing.status is S.ACCEPTED


def test_a_cancel_before_sending_needs_no_broker(path: OrderPath) -> None:
    order = path.place()
    assert path.cancel(order.id, "u", actor="t").status is S.CANCELED
    path.turn()
    assert path.venue.submits == []


def test_a_cancel_at_the_broker_is_asked_for_and_then_read(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    path.reconcile()
    assert path.cancel(order.id, "u", actor="t").status is S.ACCEPTED
    path.attend()
    path.reconcile()
    assert path.order(order).status is S.CANCELED


def test_a_fill_beats_a_cancel_that_comes_too_late(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    path.cancel(order.id, "u", actor="t")
    path.venue.fill("B1", Decimal(10))
    path.attend()
    path.reconcile()
    assert path.order(order).status is S.FILLED


def test_a_change_is_confirmed_by_the_book(path: OrderPath) -> None:
    from domain.trading.changing import OrderChange

    order = path.place()
    path.turn()
    path.reconcile()
    asked = path.change(order.id, "u", OrderChange(quantity=Decimal(7)), version=None, actor="t")
    assert (asked.quantity, asked.change) == (10, {"quantity": "7", "price": "100"})
    with pytest.raises(Conflict):
        path.change(order.id, "u", OrderChange(price=Decimal(99)), version=None, actor="t")
    path.attend()
    path.reconcile()
    assert (path.order(order).quantity, path.order(order).change) == (7, None)
    with pytest.raises(Invalid):
        path.change(order.id, "u", OrderChange(trigger_price=Decimal(5)), version=None, actor="t")


def test_a_yes_does_not_cover_a_changed_order(path: OrderPath) -> None:
    from domain.trading.changing import OrderChange

    with path.work() as work:
        work.accounts.save(replace(work.accounts.get("a"), approval_required=True))
        work.commit()
    order = path.place()
    path.turn()
    assert path.venue.submits == []
    decide = DecideApproval(path.work, path.clock, lambda account: None)
    assert decide(order.id, "u", approve=True, actor="ann").approval is Approval.APPROVED
    bigger = path.change(order.id, "u", OrderChange(quantity=Decimal(1000)), version=None, actor="t")
    assert bigger.approval is Approval.PENDING
    path.turn()
    assert path.venue.submits == []
    decide(order.id, "u", approve=True, actor="ann")
    path.turn()
    assert path.venue.submits == [order.tag]
    with pytest.raises(Conflict, match="approved"):
        path.change(order.id, "u", OrderChange(quantity=Decimal(2000)), version=None, actor="t")


def test_orders_of_others_are_taken_in(path: OrderPath) -> None:
    path.venue.accept(sample(symbol=SYMBOL, quantity=Decimal(3)), tag="somebody")
    path.venue.fill("B1", Decimal(3))
    path.reconcile()
    (order,) = path.orders()
    assert (order.origin.value, order.status, order.filled_quantity) == ("external", S.FILLED, 3)
    with path.work() as work:
        assert work.positions.get("a", SYMBOL).quantity == 3


def test_positions_from_before_are_taken_over_once(trading_template: object, path: OrderPath) -> None:
    with path.work() as work:
        account = work.accounts.get("a")
        work.accounts.save(replace(account, baseline_at=None))
        work.commit()
    path.venue.held = lambda: {SYMBOL: Decimal(5)}  # type: ignore[method-assign]
    path.reconcile()
    with path.work() as work:
        position = work.positions.get("a", SYMBOL)
    assert (position.quantity, position.opening_quantity) == (5, 5)


def test_another_position_at_the_broker_blocks_opening(path: OrderPath) -> None:
    path.venue.held = lambda: {SYMBOL: Decimal(5)}  # type: ignore[method-assign]
    path.reconcile()
    with pytest.raises(RiskRefused, match="POSITION_MISMATCH"):
        path.place()


def test_two_orders_with_one_tag_engage_the_kill_switch(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    path.venue.accept(order)
    path.reconcile()
    with path.work() as work:
        switches: dict[str, Switch] = {switch.scope: switch for switch in work.switches.list()}
    assert switches["a"].engaged
    assert any("kill switch" in subject for subject in path.told)


def test_more_filled_than_ordered_halts_the_account(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    path.venue.fills.append(BrokerFill("F1", "B1", SYMBOL, Side.BUY, Decimal(11), Decimal(100), path.clock.now_ms()))
    path.reconcile()
    assert path.order(order).remaining == 0
    with pytest.raises(RiskRefused, match="ACCOUNT_HALTED"):
        path.place()


def report(status: OrderState | None, filled: int) -> BrokerOrder:
    return BrokerOrder(
        "B1",
        None,
        SYMBOL,
        Side.BUY,
        OrderType.LIMIT,
        Decimal(10),
        Decimal(filled),
        status,
        TimeInForce.DAY,
        price=Decimal(100),
    )


def applied(path: OrderPath, order: Order, *reports: BrokerOrder) -> OrderState:
    for item in reports:
        with path.work() as work:
            work.accounts.lock("a")
            path.apply(work, "a", BrokerUpdate((item,)))
            work.commit()
    return path.order(order).status


def test_an_end_is_believed_once_its_fills_are_here(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    assert applied(path, order, report(S.CANCELED, 4)) is S.ACCEPTED
    path.venue.fill("B1", Decimal(4))
    path.venue.end("B1", S.CANCELED)
    path.reconcile()
    assert (path.order(order).status, path.order(order).filled_quantity) == (S.CANCELED, 4)


def test_states_do_not_go_back(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    path.venue.fill("B1", Decimal(10))
    path.reconcile()
    old = (report(S.ACCEPTED, 0), report(None, 0), report(S.CANCELED, 0), report(S.PARTIALLY_FILLED, 4))
    assert applied(path, order, *old) is S.FILLED
    assert path.order(order).filled_quantity == 10


def test_a_fill_reported_late_takes_its_place_in_time(path: OrderPath) -> None:
    path.place(quantity=15, price="90")
    path.turn()
    path.place(side=Side.SELL, price="110")
    path.turn()
    now = path.clock.now_ms()
    sell = BrokerFill("F2", "B2", SYMBOL, Side.SELL, Decimal(10), Decimal(110), now)
    for price, quantity, number, at in (("90", 5, "F1", now - 20), ("91", 10, "F0", now - 30)):
        buy = BrokerFill(number, "B1", SYMBOL, Side.BUY, Decimal(quantity), Decimal(price), at)
        with path.work() as work:
            work.accounts.lock("a")
            path.apply(work, "a", BrokerUpdate((), (sell, buy)))
            work.commit()
    with path.work() as work:
        position = work.positions.get("a", SYMBOL)
        fills = work.fills.of_symbol("a", SYMBOL)
    assert [fill.broker_fill_id for fill in fills] == ["F0", "F1", "F2"]
    assert (position.quantity, position.realized_pnl, position.average_price) == (5, 10 * 19, 90)


def test_a_word_we_do_not_know_is_no_end(path: OrderPath) -> None:
    order = path.place()
    path.turn()
    assert applied(path, order, report(None, 0)) is S.ACCEPTED


def test_the_same_key_places_once(path: OrderPath) -> None:
    with path.work() as work:
        from domain.identity.model import Role, User

        work.users.add(User("u", "u", Role.TRADER, 0))
        work.commit()
    one, two = path.place(idempotency_key="k"), path.place(idempotency_key="k")
    assert one.id == two.id
    with pytest.raises(Invalid):
        path.place(quantity=11, idempotency_key="k")


def test_refusals_change_nothing_but_the_audit_log(path: OrderPath) -> None:
    with path.work() as work:
        work.limits.save("a", "", RiskLimits(max_quantity=Decimal(5)))
        work.commit()
    with pytest.raises(RiskRefused):
        path.place()
    assert path.orders() == []
    with path.work() as work:
        line = work.audit.newest(1)[0]
    assert line.action == "order.refuse"
    assert "LIMIT_QUANTITY quantity=10 max=5" in str(line.details)


def test_limits_of_a_strategy_count_only_what_is_its_own(path: OrderPath) -> None:
    with path.work() as work:
        work.limits.save("a", "s", RiskLimits(max_gross_exposure=Decimal(1500)))
        work.commit()
    path.place(quantity=50)
    assert path.place(strategy="s").origin.value == "strategy"
    with pytest.raises(RiskRefused, match="EXPOSURE_GROSS"):
        path.place(strategy="s")
