"""The venue's rules, one by one, and as properties."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Conflict
from domain.trading.brokerage import Quote
from domain.trading.matching import Ended, Executed, FillRules, MatchEvent, MatchingEngine, Triggered, Working
from domain.trading.model import OrderState, OrderType, Side, TimeInForce

D = Decimal
X = "NSE:X"


def order(name: str = "1", **changes: Any) -> Working:
    values: dict[str, Any] = {
        "symbol": X,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": D(10),
        "price": D(100),
    }
    values.update(changes)
    if values["type"] in (OrderType.MARKET, OrderType.STOP):
        values["price"] = None
    return Working(name, **values)


def quote(price: str, **more: str) -> Quote:
    return Quote(X, D(price), 5, **{name: D(value) for name, value in more.items()})


def fills(events: list[MatchEvent]) -> list[tuple[str, Decimal, Decimal, str]]:
    return [(e.order_id, e.quantity, e.price, e.liquidity) for e in events if isinstance(e, Executed)]


def ends(events: list[MatchEvent]) -> list[tuple[str, OrderState]]:
    return [(e.order_id, e.status) for e in events if isinstance(e, Ended)]


def bar(engine: MatchingEngine, *ohlc: str, volume: str = "1000", opened_at: int = 10) -> list[MatchEvent]:
    opened, high, low, close = (D(value) for value in ohlc)
    return engine.on_bar(
        X,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=D(volume),
        opened_at=opened_at,
        closed_at=opened_at + 60,
    )


def engine(**rules: Any) -> MatchingEngine:
    return MatchingEngine(FillRules(**rules))


def test_a_market_order_takes_the_touch() -> None:
    assert fills(engine().submit(order(type=OrderType.MARKET), quote("100", bid="99", ask="101"), 5)) == [
        ("1", D(10), D(101), "taker")
    ]
    sell = order(type=OrderType.MARKET, side=Side.SELL)
    assert fills(engine().submit(sell, quote("100", bid="99", ask="101"), 5)) == [("1", D(10), D(99), "taker")]


def test_slippage_and_rounding_go_against_the_taker() -> None:
    rules = {"slippage_bps": D(10), "tick_size": D("0.05")}
    assert fills(engine(**rules).submit(order(type=OrderType.MARKET), quote("100.02"), 5))[0][2] == D("100.15")
    sell = order(type=OrderType.MARKET, side=Side.SELL)
    assert fills(engine(**rules).submit(sell, quote("100.02"), 5))[0][2] == D("99.90")


def test_a_market_order_without_a_price_waits_for_one() -> None:
    venue = engine()
    assert venue.submit(order(type=OrderType.MARKET), None, 5) == []
    assert fills(venue.on_quote(quote("7"))) == [("1", D(10), D(7), "taker")]


def test_a_limit_never_pays_more() -> None:
    taker = fills(engine(slippage_bps=D(100)).submit(order(price=D("100.5")), quote("100"), 5))
    assert taker == [("1", D(10), D("100.5"), "taker")]
    venue = engine(slippage_bps=D(100))
    assert venue.submit(order(), quote("101"), 5) == []
    assert venue.on_quote(quote("100.01")) == []
    assert fills(venue.on_quote(quote("98"))) == [("1", D(10), D(100), "maker")]


@pytest.mark.parametrize(
    ("ohlc", "price"),
    [
        (("101", "102", "100", "101"), "100"),
        (("98", "99", "97", "98"), "98"),
        (("101", "102", "100.01", "101"), None),
    ],
)
def test_a_resting_limit_in_a_bar(ohlc: tuple[str, ...], price: str | None) -> None:
    venue = engine()
    venue.submit(order(), quote("105"), 5)
    found = fills(bar(venue, *ohlc))
    assert [item[2] for item in found] == ([] if price is None else [D(price)])


@pytest.mark.parametrize(
    ("ohlc", "price"),
    [
        (("100", "111", "99", "105"), "110"),
        (("115", "120", "112", "118"), "115"),
        (("100", "109.99", "99", "105"), None),
    ],
)
def test_a_stop_fills_at_its_trigger_or_the_gap(ohlc: tuple[str, ...], price: str | None) -> None:
    venue = engine()
    venue.submit(order(type=OrderType.STOP, trigger_price=D(110)), quote("100"), 5)
    events = bar(venue, *ohlc)
    assert [item[2] for item in fills(events)] == ([] if price is None else [D(price)])
    assert any(isinstance(event, Triggered) for event in events) == (price is not None)


def test_a_stop_limit_that_gapped_beyond_its_limit_rests() -> None:
    venue = engine()
    venue.submit(order(type=OrderType.STOP_LIMIT, trigger_price=D(110), price=D(112)), quote("100"), 5)
    assert fills(bar(venue, "115", "116", "111", "113")) == []
    assert fills(bar(venue, "113", "114", "111", "112", opened_at=70)) == [("1", D(10), D(112), "maker")]


def test_a_bar_concerns_only_orders_that_were_there() -> None:
    venue = engine()
    venue.submit(order(entered_at=11), None, 11)
    assert bar(venue, "90", "91", "89", "90", opened_at=10) == []
    assert fills(bar(venue, "90", "91", "89", "90", opened_at=11)) != []


def test_volume_is_shared_best_price_first_then_oldest() -> None:
    venue = engine(participation=D("0.1"))
    for name, price in (("old", 100), ("new", 100), ("best", 101)):
        venue.submit(order(name, price=D(price), entered_at=1), quote("105"), 1)
    first = fills(venue.on_quote(quote("99", volume="150")))
    assert first == [("best", D(10), D(101), "maker"), ("old", D(5), D(100), "maker")]
    assert [item.remaining for item in venue.working()] == [5, 10]


def test_ioc_and_fok() -> None:
    events = engine().submit(order(time_in_force=TimeInForce.IOC), quote("99", volume="40"), 5)
    assert (fills(events)[0][1], ends(events)) == (4, [("1", OrderState.CANCELED)])
    for offered in ("99", "101"):
        venue = engine()
        volume = {"volume": "40"} if offered == "99" else {}
        events = venue.submit(order(time_in_force=TimeInForce.FOK), quote(offered, **volume), 5)
        assert (fills(events), ends(events), venue.working()) == ([], [("1", OrderState.CANCELED)], [])
    assert fills(engine().submit(order(time_in_force=TimeInForce.FOK), quote("99"), 5)) != []
    assert ends(engine().submit(order(time_in_force=TimeInForce.IOC), None, 5)) == [("1", OrderState.CANCELED)]


def test_day_orders_end_with_the_day() -> None:
    venue = engine()
    venue.submit(order("day"), None, 1)
    venue.submit(order("gtc", time_in_force=TimeInForce.GTC), None, 1)
    assert ends(venue.end_session(9, ["NSE:Y"])) == []
    assert ends(venue.end_session(9)) == [("day", OrderState.EXPIRED)]
    assert [item.id for item in venue.working()] == ["gtc"]


def test_a_change_loses_its_place_and_may_trade() -> None:
    venue = engine()
    venue.submit(order("a"), None, 1)
    venue.submit(order("b"), None, 2)
    change = {"quantity": D(5), "price": D(100), "trigger_price": None}
    assert venue.replace("a", **change, quote=quote("105"), at=3) == []
    assert [item.id for item in venue.working()] == ["b", "a"]
    assert fills(venue.replace("a", **{**change, "price": D(106)}, quote=quote("105"), at=4)) != []
    with pytest.raises(Conflict):
        venue.replace("a", **change, quote=None, at=5)
    assert venue.cancel("a", 6) == []
    assert ends(venue.cancel("b", 6)) == [("b", OrderState.CANCELED)]


prices = st.integers(90, 110).map(D)
bars = st.tuples(prices, prices, prices, prices).map(lambda p: (p[0], max(p), min(p), p[3]))
orders = st.builds(
    order,
    st.uuids().map(str),
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from([TimeInForce.DAY, TimeInForce.GTC]),
    quantity=st.integers(1, 30).map(D),
    price=prices,
    trigger_price=prices,
)
moments = st.lists(
    st.one_of(orders, st.tuples(bars, st.integers(0, 300)), st.tuples(prices, st.integers(0, 300))), max_size=25
)
RULES = FillRules(slippage_bps=D(5), slippage_jitter_bps=D(5), participation=D("0.1"), tick_size=D("0.01"), seed=7)


def play(steps: list[Any], resume_at: int | None = None) -> list[tuple[int, Decimal | None, list[MatchEvent]]]:
    venue, played = MatchingEngine(RULES), []
    for at, step in enumerate(steps):
        if at == resume_at:
            venue = MatchingEngine.resumed(RULES, venue.working(), venue.draws)
        volume: Decimal | None = None
        if isinstance(step, Working):
            events = venue.submit(step, None, at)
        elif isinstance(step[0], tuple):
            (opened, high, low, close), amount = step
            volume = D(amount)
            values = {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
            events = venue.on_bar(X, **values, opened_at=at, closed_at=at)
        else:
            volume = D(step[1])
            events = venue.on_quote(Quote(X, step[0], at, volume=volume))
        played.append((at, volume, events))
    return played


@given(moments, st.integers(0, 25))
def test_an_interruption_changes_nothing(steps: list[Any], at: int) -> None:
    assert play(steps, resume_at=at) == play(steps)


@given(moments, st.integers(0, 25))
def test_the_future_changes_nothing_of_the_past(steps: list[Any], at: int) -> None:
    assert play(steps[:at]) == play(steps)[:at]


@given(moments)
def test_nothing_fills_too_much_or_too_dear(steps: list[Any]) -> None:
    known = {step.id: step for step in steps if isinstance(step, Working)}
    filled = dict.fromkeys(known, D(0))
    for _, volume, events in play(steps):
        executed = [event for event in events if isinstance(event, Executed)]
        for event in executed:
            filled[event.order_id] += event.quantity
            limit = known[event.order_id].price
            assert limit is None or (event.price - limit) * event.side.sign <= 0
            assert event.quantity > 0
            assert event.price > 0
        if volume is not None:
            assert sum(event.quantity for event in executed) <= volume / 10
    assert all(filled[name] <= item.quantity for name, item in known.items())
