"""What fills add up to, worked out by hand, and what must hold for any fills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decisions.performance import measure_by_symbol, measure_fills, performance_view
from domain.decisions.trades import ENOUGH_TRADES, StrategyFill, known_hit_rate, trades_of
from domain.trading.model import Side

DAY = 86_400_000
MONDAY = 1_732_492_800_000  # 2024-11-25


def fill(side: str, quantity: int, price: str, day: float, symbol: str = "A", **more: object) -> StrategyFill:
    values = {"fees": Decimal(0), "time_ms": MONDAY + round(day * DAY), "decision_id": None, "confidence": None}
    return StrategyFill(symbol, Side(side), Decimal(quantity), Decimal(price), **{**values, **more})  # type: ignore[arg-type]


FILLS = [
    fill("buy", 10, "100", 0, fees=Decimal(1), decision_id="d1", confidence=0.5),
    fill("sell", 4, "110", 1, fees=Decimal(2)),
    fill("sell", 6, "90", 2),
    fill("sell", 5, "80", 3, decision_id="d2", confidence=0.3),
    fill("buy", 5, "70", 4),
]


def test_trades_are_first_in_first_out() -> None:
    trades, still = trades_of(FILLS)
    assert [(trade.long, trade.quantity, trade.pnl, trade.fees, trade.decision_id) for trade in trades] == [
        (True, 4, Decimal("37.6"), Decimal("2.4"), "d1"),
        (True, 6, Decimal("-60.6"), Decimal("0.6"), "d1"),
        (False, 5, Decimal(50), 0, "d2"),
    ]
    assert still == []
    assert trades[0].result == pytest.approx(37.6 / 400)


def test_a_position_is_turned_around_by_one_fill() -> None:
    trades, still = trades_of([fill("buy", 2, "10", 0, fees=Decimal(2)), fill("sell", 5, "12", 1, fees=Decimal(5))])
    assert [(trade.quantity, trade.pnl) for trade in trades] == [(2, Decimal(4) - 2 - 2)]
    assert [(item.side, item.quantity, item.fees) for item in still] == [(Side.SELL, 3, 3)]


def test_figures_by_hand() -> None:
    found = measure_fills(FILLS, {"A": Decimal(120)}, MONDAY + 4 * DAY)
    assert (found.fills, found.trades, found.hit_rate) == (5, 3, 2 / 3)
    assert found.realized_pnl == found.pnl == Decimal(27)
    assert (found.unrealized_pnl, found.fees, found.expectancy) == (0, 3, 9)
    assert found.profit_factor == pytest.approx(87.6 / 60.6)
    assert found.max_drawdown == Decimal("60.6")
    assert found.time_in_market == pytest.approx(3 / 4)
    assert found.buy_and_hold == 200
    assert found.no_signal == 150
    daily = [0, 37.6, -60.6, 0, 50]
    mean = sum(daily) / 5
    spread = (sum((value - mean) ** 2 for value in daily) / 4) ** 0.5
    assert found.sharpe == pytest.approx(mean / spread * 252**0.5)
    bins = [(item.low, item.trades, item.mean_confidence, item.hit_rate) for item in found.calibration]
    assert bins == [(0.2, 1, 0.3, 1.0), (0.4, 2, 0.5, 0.5)]


def test_what_is_open_counts_at_the_last_price() -> None:
    fills = [fill("buy", 10, "100", 0, fees=Decimal(10))]
    found = measure_fills(fills, {"A": Decimal(105)}, MONDAY + DAY)
    assert (found.realized_pnl, found.unrealized_pnl, found.pnl) == (0, 40, 40)
    assert found.time_in_market == 1
    nobody = measure_fills(fills, {}, MONDAY + DAY)
    assert nobody.unrealized_pnl is nobody.pnl is nobody.buy_and_hold is nobody.no_signal is None


def test_what_is_not_defined_is_none() -> None:
    found = measure_fills([], {}, MONDAY)
    assert found.hit_rate is found.sharpe is found.expectancy is found.profit_factor is found.time_in_market is None
    assert (found.trades, found.pnl, found.calibration) == (0, 0, ())
    assert measure_fills(FILLS, {}, MONDAY + 3 * DAY + DAY).sharpe is not None
    assert measure_fills(FILLS[:2], {}, MONDAY + DAY).sharpe is None, "two days say nothing"


def test_weekends_count_only_when_something_was_traded() -> None:
    two_weeks = measure_fills(FILLS, {}, MONDAY + 13 * DAY)
    again = measure_fills(FILLS, {}, MONDAY + 11 * DAY)
    assert two_weeks.sharpe == again.sharpe


def test_a_hit_rate_of_few_trades_is_not_known() -> None:
    pair = [fill("buy", 1, "10", 0), fill("sell", 1, "11", 0)]
    assert known_hit_rate(pair * (ENOUGH_TRADES - 1)) is None
    assert known_hit_rate(pair * ENOUGH_TRADES) == 1.0


amounts = st.integers(1, 50)
some_fills = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), amounts, amounts, st.sampled_from(["A", "B"]), st.integers(0, 3)),
    max_size=30,
)


@given(some_fills)
def test_nothing_is_gained_from_nowhere(rows: Sequence[tuple[str, int, int, str, int]]) -> None:
    fills = [
        fill(side, quantity, str(price), number / 10, symbol, fees=Decimal(fee))
        for number, (side, quantity, price, symbol, fee) in enumerate(rows)
    ]
    prices = {"A": Decimal(7), "B": Decimal(31)}
    found = measure_fills(fills, prices, MONDAY + 4 * DAY)
    cash = sum((-item.quantity * item.price * item.side.sign - item.fees for item in fills), Decimal(0))
    worth = sum((item.quantity * item.side.sign * prices[item.symbol] for item in fills), Decimal(0))
    assert found.pnl is not None
    assert found.pnl == pytest.approx(cash + worth, abs=Decimal("1e-15"))
    parts = measure_by_symbol(fills, prices, MONDAY + 4 * DAY)
    assert sum(item.trades for item in parts.values()) == found.trades
    assert sum((item.pnl or 0 for item in parts.values()), Decimal(0)) == pytest.approx(
        found.pnl, abs=Decimal("1e-15")
    )
    json.dumps(performance_view(found))
    assert found.max_drawdown >= 0
