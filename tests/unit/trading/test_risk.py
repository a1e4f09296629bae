"""Every check of the risk gate: what it refuses, by which code, and what it lets through."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.trading.brokerage import SessionState
from domain.trading.limits import LIVE_LIMITS, PAPER_LIMITS, RiskLimits, parse_limits
from domain.trading.model import Mode, Order, OrderType, Origin, Product, Side
from domain.trading.risk import OpenOrder, RiskPicture, check, reduces, worst_exposure
from tests.unit.trading.samples import NOW, order, picture, quote

INFY = "NSE:INFY"
LONG = {"positions": {INFY: Decimal(10)}}


def waiting(side: str, quantity: str, price: str = "100", **changes: Any) -> OpenOrder:
    return OpenOrder(INFY, Side(side), Decimal(quantity), Decimal(price), **changes)


def code(item: Order, limits: RiskLimits, seen: RiskPicture, **options: Any) -> str | None:
    refusal = check(item, limits, seen, **options)
    return None if refusal is None else refusal.code


REFUSED = [
    ("SWITCH_ENGAGED", {}, {}, {"switches": ("global",)}),
    ("LIVE_NOT_ARMED", {}, {}, {"mode": Mode.LIVE, "armed": False}),
    ("SESSION_DOWN", {}, {}, {"session": SessionState.NEEDS_LOGIN}),
    ("RECONCILE_PENDING", {}, {}, {"reconciled": False}),
    ("INSTRUMENT_NOT_ALLOWED", {"symbols": ("NSE:TCS",)}, {}, {}),
    ("LIMIT_QUANTITY", {"max_quantity": Decimal(9)}, {}, {}),
    ("LIMIT_NOTIONAL", {"max_notional": Decimal(999)}, {}, {}),
    ("PRICE_UNKNOWN", {"max_notional": Decimal(999)}, {"type": OrderType.MARKET, "price": None}, {"quote": None}),
    ("DATA_MISSING", {"max_price_age_ms": 1000}, {}, {"quote": None}),
    ("DATA_STALE", {"max_price_age_ms": 1000}, {}, {"quote": quote("100", age_ms=1001)}),
    ("PRICE_COLLAR", {"price_collar_bps": Decimal(100)}, {"price": Decimal("101.01")}, {}),
    ("PRICE_COLLAR", {"price_collar_bps": Decimal(100)}, {"price": Decimal("98.99")}, {}),
    ("RATE_SECOND", {"max_orders_per_second": 5}, {}, {"submitted": (5, 5, 5)}),
    ("RATE_MINUTE", {"max_orders_per_minute": 5}, {}, {"submitted": (0, 5, 5)}),
    ("RATE_DAY", {"max_orders_per_day": 5}, {}, {"submitted": (0, 0, 5)}),
    ("MARKET_CLOSED", {"market_hours": True}, {}, {"market_open": False}),
    ("MARKET_CLOSED", {"market_hours": True}, {}, {"market_open": None}),
    ("SHORT_NOT_ALLOWED", {}, {"side": Side.SELL}, {"shorting": False}),
    ("SHORT_NOT_ALLOWED", {}, {"side": Side.SELL, "product": Product.DELIVERY}, {}),
    ("DUPLICATE_ORDER", {"duplicate_window_ms": 2000}, {}, {"same_order_ago_ms": 1999}),
    ("ACCOUNT_HALTED", {}, {}, {"halted": "look at it"}),
    ("POSITION_MISMATCH", {}, {}, {"mismatched": {"NSE:TCS": Decimal(1)}}),
    ("ORDER_UNKNOWN", {}, {}, {"open_orders": (waiting("sell", "1", unproven=True),)}),
    ("EXPOSURE_GROSS", {"max_gross_exposure": Decimal(1999)}, {}, {"open_orders": (waiting("buy", "10"),)}),
    ("EXPOSURE_NET", {"max_net_exposure": Decimal(1999)}, {}, LONG),
    ("LOSS_DAILY", {"max_daily_loss": Decimal(50)}, {}, {"daily_pnl": Decimal(-50)}),
    ("LOSS_UNKNOWN", {"max_daily_loss": Decimal(50)}, {}, {"daily_pnl": None}),
    ("ORDERS_OPEN", {"max_open_orders": 1}, {}, {"open_orders": (waiting("buy", "1"),)}),
]


@pytest.mark.parametrize(("expected", "limits", "changes", "seen"), REFUSED)
def test_each_limit_refuses_by_its_code(
    expected: str, limits: dict[str, Any], changes: dict[str, Any], seen: dict[str, Any]
) -> None:
    assert code(order(**changes), RiskLimits(**limits), picture(**seen)) == expected


PASSED = [
    ({"max_quantity": Decimal(10)}, {}, {}),
    ({"max_notional": Decimal(1000)}, {}, {}),
    ({"price_collar_bps": Decimal(100)}, {"price": Decimal("101")}, {}),
    ({"max_price_age_ms": 1000}, {}, {"quote": quote("100", age_ms=1000)}),
    ({"max_orders_per_second": 5}, {}, {"submitted": (4, 4, 4)}),
    ({"market_hours": True}, {}, {"market_open": True}),
    ({"duplicate_window_ms": 2000}, {}, {"same_order_ago_ms": 2000}),
    ({"max_gross_exposure": Decimal(2000)}, {}, {"open_orders": (waiting("buy", "10"),)}),
    ({"max_daily_loss": Decimal(50)}, {}, {"daily_pnl": Decimal("-49.99")}),
    ({}, {}, {"mode": Mode.LIVE, "armed": True, "session": SessionState.CONNECTED}),
    ({}, {"side": Side.SELL, "product": Product.DELIVERY}, LONG),
]


@pytest.mark.parametrize(("limits", "changes", "seen"), PASSED)
def test_at_the_limit_an_order_passes(limits: dict[str, Any], changes: dict[str, Any], seen: dict[str, Any]) -> None:
    assert code(order(**changes), RiskLimits(**limits), picture(**seen)) is None


def test_a_refusal_says_its_facts() -> None:
    refusal = check(order(), RiskLimits(max_notional=Decimal("999.50")), picture())
    assert str(refusal) == "LIMIT_NOTIONAL notional=1000 max=999.50"


def test_a_meant_duplicate_passes() -> None:
    limits = RiskLimits(duplicate_window_ms=2000)
    assert code(order(), limits, picture(same_order_ago_ms=5), allow_duplicate=True) is None


TROUBLE = {
    **LONG,
    "halted": "look",
    "daily_pnl": Decimal(-1000),
    "mismatched": {"NSE:TCS": Decimal(1)},
    "open_orders": (waiting("buy", "5", unproven=True),),
}
STRICT = RiskLimits(max_daily_loss=Decimal(1), max_gross_exposure=Decimal(1), max_open_orders=0)


def test_a_smaller_position_is_never_stopped_by_trouble() -> None:
    assert code(order(side=Side.SELL), STRICT, picture(**TROUBLE)) is None


def test_turning_a_position_round_is_not_making_it_smaller() -> None:
    assert code(order(side=Side.SELL, quantity=Decimal(11)), STRICT, picture(**TROUBLE)) == "ACCOUNT_HALTED"


def test_two_closing_orders_cannot_turn_a_position_round() -> None:
    seen = picture(**{**TROUBLE, "open_orders": (waiting("sell", "1"),)})
    assert not reduces(order(side=Side.SELL), seen)
    assert reduces(order(side=Side.SELL, quantity=Decimal(9)), seen)


@pytest.mark.parametrize(
    ("theirs", "expected"), [("4", False), ("10", True), ("12", True), ("0", False), ("-3", False)]
)
def test_where_the_broker_disagrees_the_smaller_position_counts(theirs: str, expected: bool) -> None:
    assert reduces(order(side=Side.SELL), picture(**LONG, mismatched={INFY: Decimal(theirs)})) is expected


def test_a_kill_switch_lets_only_its_own_closing_orders_through() -> None:
    seen = picture(**LONG, switches=("global",), flattening=True)
    assert code(order(side=Side.SELL, origin=Origin.FLATTEN), RiskLimits(), seen) is None
    assert code(order(side=Side.SELL), RiskLimits(), seen) == "SWITCH_ENGAGED"
    assert (
        code(order(side=Side.SELL, origin=Origin.FLATTEN), RiskLimits(), replace(seen, flattening=False)) is not None
    )


def test_exposure_is_that_of_the_worst_fills() -> None:
    seen = picture(positions={INFY: Decimal(10)})
    gross, net = worst_exposure(seen, (waiting("buy", "5"), waiting("sell", "30")))
    assert (gross, net) == (Decimal(2000), Decimal(2000))


quantities = st.integers(1, 50).map(Decimal)
orders = st.lists(
    st.builds(OpenOrder, st.just(INFY), st.sampled_from(Side), quantities, st.integers(50, 150).map(Decimal)),
    max_size=6,
)


@given(orders, st.integers(-50, 50).map(Decimal), st.data())
def test_no_set_of_fills_is_worse_than_the_worst(waits: list[OpenOrder], held: Decimal, data: st.DataObject) -> None:
    seen = picture(positions={INFY: held} if held else {})
    gross, net = worst_exposure(seen, tuple(waits))
    filled = data.draw(st.lists(st.booleans(), min_size=len(waits), max_size=len(waits)))
    value = held * 100
    value += sum(
        (w.side.sign * w.remaining * w.price for w, done in zip(waits, filled, strict=True) if done), Decimal(0)
    )
    assert abs(value) <= gross
    assert abs(value) <= net


def test_limits_survive_json() -> None:
    for limits in (PAPER_LIMITS, LIVE_LIMITS, RiskLimits(symbols=("A", "B"), max_notional=Decimal("0.10"))):
        assert parse_limits(limits.to_json(), RiskLimits()) == limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_notional", 1.5),
        ("max_notional", "NaN"),
        ("max_notional", "-1"),
        ("max_notional", True),
        ("max_open_orders", "5"),
        ("max_open_orders", -1),
        ("max_open_orders", True),
        ("market_hours", None),
        ("symbols", "NSE:INFY"),
        ("unheard_of", 1),
    ],
)
def test_a_limit_that_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        parse_limits({name: value}, RiskLimits())
    assert [error.field for error in caught.value.errors] == [name]


def test_paper_orders_need_no_arming_and_live_ones_do() -> None:
    assert code(order(), PAPER_LIMITS, picture()) is None
    live = picture(mode=Mode.LIVE, market_open=True)
    assert code(order(mode=Mode.LIVE), LIVE_LIMITS, live) == "LIVE_NOT_ARMED"
    assert live.now == NOW
