"""The paper broker: money, margin, days, and a journal that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.testing.broker import BrokerContract, Fence
from aitrader.testing.broker_context import FakeContext, MemoryJournal
from domain.common.errors import Unavailable
from domain.trading.brokerage import BrokerUpdate, SessionState
from domain.trading.model import Account, Mode, Order, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.ports import BrokerRejected, NotSent, OutcomeUnknown
from plugins.paper.broker import PaperBroker
from plugins.paper.options import PaperOptions

D = Decimal
INFY = "NSE:INFY"
order = BrokerContract().order


def opened(context: FakeContext, cash: int = 100_000, **options: Any) -> PaperBroker:
    account = Account("a", "u", "paper", Mode.PAPER, "INR", 0, starting_cash=D(cash))
    return PaperBroker(account, PaperOptions(**options), context)


@pytest.fixture
def context() -> FakeContext:
    context = FakeContext()
    context.quotes.set(INFY, "1500")
    return context


def place(broker: PaperBroker, **changes: Any) -> Order:
    made = order(**{"type": OrderType.MARKET, "price": None, **changes})
    return replace(made, broker_order_id=broker.place(made, Fence()).broker_order_id)


def status(broker: PaperBroker, made: Order) -> OrderState | None:
    return next(item.status for item in broker.orders() if item.broker_order_id == made.broker_order_id)


def test_what_the_money_does_not_carry_is_rejected(context: FakeContext) -> None:
    broker = opened(context)
    place(broker, quantity=D(60))
    with pytest.raises(BrokerRejected, match="worth"):
        place(broker, quantity=D(7))
    place(broker, quantity=D(6))
    with pytest.raises(BrokerRejected):
        place(broker, quantity=D(1), type=OrderType.LIMIT, price=D(1400))
    place(broker, side=Side.SELL, quantity=D(66))


def test_resting_orders_bind_money(context: FakeContext) -> None:
    broker = opened(context)
    place(broker, quantity=D(50), type=OrderType.LIMIT, price=D(1400))
    with pytest.raises(BrokerRejected):
        place(broker, quantity=D(30))


def test_leverage_and_the_margin_call(context: FakeContext) -> None:
    broker = opened(context, leverage="5")
    seen: list[BrokerUpdate] = []
    broker.listen(seen.append)
    place(broker, quantity=D(300))
    assert broker.balance().margin_used == 90_000
    context.quotes.set(INFY, "1400")
    assert broker.positions()[0].quantity == 300
    context.clock.advance(1)
    context.quotes.set(INFY, "1250")
    assert broker.positions() == []
    assert broker.balance().cash == 100_000 - 300 * 250
    closing = [item for update in seen for item in update.orders if item.tag is None]
    assert closing[-1].status is OrderState.FILLED


def test_a_short_gains_when_the_price_falls(context: FakeContext) -> None:
    broker = opened(context)
    place(broker, side=Side.SELL)
    context.quotes.set(INFY, "1400")
    assert broker.balance().equity == 101_000
    with pytest.raises(BrokerRejected, match="short"):
        place(opened(with_quotes_of(context), shorting=False), side=Side.SELL)


def with_quotes_of(other: FakeContext) -> FakeContext:
    context = FakeContext()
    context.quotes = other.quotes
    return context


def test_without_a_price_nothing_is_bought(context: FakeContext) -> None:
    with pytest.raises(BrokerRejected, match="aitrader quote"):
        place(opened(context), symbol="NSE:NEW")


@pytest.mark.parametrize("changes", [{"quantity": D("1.5")}, {"type": OrderType.LIMIT, "price": D("1500.03")}])
def test_off_increments_are_rejected(context: FakeContext, changes: dict[str, Any]) -> None:
    with pytest.raises(BrokerRejected, match="multiple"):
        place(opened(context, tick_size="0.05"), **changes)


def test_a_tag_is_taken_once(context: FakeContext) -> None:
    broker = opened(context)
    made = place(broker)
    with pytest.raises(BrokerRejected, match="already"):
        broker.place(made, Fence())


def test_prices_trade_resting_orders(context: FakeContext) -> None:
    broker = opened(context)
    seen: list[BrokerUpdate] = []
    broker.listen(seen.append)
    made = place(broker, type=OrderType.STOP, trigger_price=D(1550))
    context.quotes.set(INFY, "1549")
    assert seen == []
    context.quotes.set(INFY, "1551", volume=D(40))
    assert [(fill.quantity, fill.price) for fill in seen[0].fills] == [(4, 1551)]
    context.quotes.set(INFY, "1552")
    assert status(broker, made) is OrderState.FILLED
    broker.close()
    context.quotes.set(INFY, "1")


def test_a_day_order_ends_with_its_day_and_gtc_does_not(context: FakeContext) -> None:
    broker = opened(context, day_ends="22:00")
    far = {"type": OrderType.LIMIT, "price": D(1000), "quantity": D(1)}
    day, gtc = place(broker, **far), place(broker, time_in_force=TimeInForce.GTC, **far)
    context.clock.advance(24 * 3600)
    assert (status(broker, day), status(broker, gtc)) == (OrderState.EXPIRED, OrderState.ACCEPTED)


def test_an_intraday_position_is_closed_at_the_end_of_the_day(context: FakeContext) -> None:
    broker = opened(context)
    place(broker, product=Product.INTRADAY)
    place(broker, quantity=D(3))
    context.clock.advance(24 * 3600)
    assert [item.quantity for item in broker.positions()] == [3]


def test_indian_charges_depend_on_the_product(context: FakeContext) -> None:
    context.clock.jump(60_000_000)
    context.quotes.set(INFY, "1500")
    broker = opened(context, fees={"model": "india_equity"})
    place(broker, product=Product.DELIVERY)
    place(broker, product=Product.INTRADAY)
    delivery, intraday = (fill.fees or D(0) for fill in broker.fills())
    assert delivery > intraday > 0
    assert broker.balance().cash == 100_000 - 30_000 - delivery - intraday


class BadJournal(MemoryJournal):
    """Fails when told, before or after it stored the entries."""

    fails = ""

    def append(self, after: int, entries: Sequence[dict[str, Any]]) -> int:
        if self.fails == "before":
            raise Unavailable("the disk is away")
        last = super().append(after, entries)
        if self.fails == "after":
            raise Unavailable("the answer is lost")
        return last


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_journal_decides_what_happened(context: FakeContext, moment: str) -> None:
    journal = context.journal = BadJournal()
    broker = opened(context)
    journal.fails = moment
    with pytest.raises(OutcomeUnknown):
        place(broker)
    journal.fails = ""
    assert len(broker.orders()) == len(broker.fills()) == (moment == "after")
    place(broker)
    assert broker.positions()[0].quantity == (20 if moment == "after" else 10)


def test_who_lost_the_account_trades_no_more(context: FakeContext) -> None:
    old, new = opened(context), opened(context)
    old.session()
    place(new)
    with pytest.raises(NotSent):
        place(old)
    with pytest.raises(Unavailable):
        old.orders()
    assert old.session().state is SessionState.DOWN
    assert len(new.orders()) == 1


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(Side),
            st.sampled_from(OrderType),
            st.integers(1, 20),
            st.integers(95, 105),
        ),
        st.tuples(st.just("price"), st.integers(90, 110), st.integers(0, 300)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 90_000)),
    ),
    max_size=20,
)
OPTIONS: dict[str, Any] = {
    "fees": {"model": "bps", "bps": "3"},
    "slippage_bps": "4",
    "slippage_jitter_bps": "4",
    "leverage": "3",
}


def play(actions: list[Any], crash_at: int | None) -> tuple[Any, ...]:
    context = FakeContext()
    context.quotes.set(INFY, "100")
    broker = opened(context, 5000, **OPTIONS)
    broker.listen(lambda update: None)
    made: list[Order] = []
    for at, action in enumerate(actions):
        if at == crash_at:
            broker.close()
            broker = opened(context, 5000, **OPTIONS)
            broker.listen(lambda update: None)
        act(broker, context, made, action)
    fills = broker.fills()
    cash = 5000 - sum(fill.side.sign * fill.quantity * fill.price + (fill.fees or 0) for fill in fills)
    held = sum(fill.side.sign * fill.quantity for fill in fills)
    assert broker.balance().cash == cash
    assert sum(item.quantity for item in broker.positions()) == held
    for item in broker.orders():
        mine = [fill.quantity for fill in fills if fill.broker_order_id == item.broker_order_id]
        assert sum(mine) == item.filled_quantity <= item.quantity
    return [replace(item, tag=None) for item in broker.orders()], fills, broker.positions(), broker.balance()


def act(broker: PaperBroker, context: FakeContext, made: list[Order], action: tuple[Any, ...]) -> None:
    if action[0] == "place":
        _, side, kind, quantity, price = action
        prices = {
            "price": D(price) if kind.needs_price else None,
            "trigger_price": D(price) if kind.needs_trigger else None,
        }
        try:
            made.append(place(broker, side=side, type=kind, quantity=D(quantity), **prices))
        except BrokerRejected:
            return
    elif action[0] == "price":
        context.clock.advance(1)
        context.quotes.set(INFY, str(action[1]), volume=D(action[2]))
    elif action[0] == "wait":
        context.clock.advance(action[1])
    elif made:
        try:
            broker.cancel(made[action[1] % len(made)])
        except BrokerRejected:
            return


@given(steps, st.integers(0, 20))
def test_a_crash_at_any_moment_changes_nothing(actions: list[Any], crash_at: int) -> None:
    assert play(actions, crash_at) == play(actions, None)
