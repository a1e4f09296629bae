from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.api import Bars, FloatColumn, Invalid
from aitrader.testing.bars import random_bars
from plugins.backtest.engine import Costs, Simulation, simulate

DAY = 86_400_000
FREE = Costs()
# 1 % commission and 2 % slippage: a unit bought at an open of 100 costs 102 + 1.02, one sold brings 98 - 0.98.
DEAR = Costs(commission_bps=100, slippage_bps=200)


def bars_of(opens: list[float], closes: list[float]) -> Bars:
    o, c = np.array(opens, dtype=np.float64), np.array(closes, dtype=np.float64)
    time = np.arange(len(o), dtype=np.int64) * DAY
    return Bars(time, o, np.maximum(o, c), np.minimum(o, c), c, np.ones(len(o)))


def targets_of(*values: float) -> FloatColumn:
    return np.array(values, dtype=np.float64)


def test_a_long_trade_to_the_cent() -> None:
    bars = bars_of([100, 100, 120, 120], [100, 110, 120, 125])
    result = simulate(bars, targets_of(1, 0, 0, 0), cash=10_302.0, costs=DEAR)
    # Bar 1, open 100: a unit costs 100 * 1.02 * 1.01 = 103.02, so 10302 buys 100 units.
    #   fee 100 * 102 * 1 % = 102; slippage 100 * 2 = 200; cash 0; marked at the close of 110: 11000.
    # Bar 2, open 120: 100 units sold at 117.60 bring 11760, less a fee of 117.60: cash 11642.40.
    #   slippage 100 * 2.40 = 240; P&L 11642.40 - 10302 = 1340.40.
    assert result.equity.tolist() == pytest.approx([10_302, 11_000, 11_642.40, 11_642.40], abs=1e-8)
    assert result.position.tolist() == pytest.approx([0, 100, 0, 0], abs=1e-10)
    assert result.cash.tolist() == pytest.approx([10_302, 0, 11_642.40, 11_642.40], abs=1e-8)
    assert result.trades.pnl.tolist() == pytest.approx([1340.40], abs=1e-8)
    assert result.trades.entry_price.tolist() == pytest.approx([102.0])
    assert result.trades.exit_price.tolist() == pytest.approx([117.6])
    assert (result.trades.entry_bar.tolist(), result.trades.exit_bar.tolist()) == ([1], [2])
    assert result.fees == pytest.approx(219.60, abs=1e-8)
    assert result.slippage == pytest.approx(440.0, abs=1e-8)
    assert result.traded_notional == pytest.approx(10_200 + 11_760, abs=1e-8)
    assert result.trades.pnl_fraction.tolist() == pytest.approx([1340.40 / 10_200])
    assert result.bars_in_market == 1


def test_a_short_trade_to_the_cent() -> None:
    bars = bars_of([100, 100, 80], [100, 90, 80])
    result = simulate(bars, targets_of(-1, 0, 0), cash=10_298.0, costs=DEAR)
    # Bar 1, open 100: a unit sold brings 98 - 0.98 = 97.02, so each costs 2.98 of equity at the open:
    #   10298 - 2.98 q = 100 q gives q = 100. Cash 10298 + 9702 = 20000; at the close of 90: 20000 - 9000 = 11000.
    # Bar 2, open 80: 100 units bought at 81.60 cost 8160 and a fee of 81.60: cash 11758.40, P&L 1460.40.
    assert result.equity.tolist() == pytest.approx([10_298, 11_000, 11_758.40], abs=1e-8)
    assert result.position.tolist() == pytest.approx([0, -100, 0], abs=1e-10)
    assert result.trades.side.tolist() == [-1]
    assert result.trades.pnl.tolist() == pytest.approx([1460.40], abs=1e-8)
    assert result.fees == pytest.approx(98 + 81.60, abs=1e-8)
    assert result.slippage == pytest.approx(200 + 160, abs=1e-8)


def test_a_reversal_ends_one_trade_and_starts_the_next() -> None:
    bars = bars_of([100, 100, 120, 120], [100, 110, 120, 108])
    result = simulate(bars, targets_of(1, -1, -1, -1), cash=10_302.0, costs=DEAR)
    # At the open of 120, equity is 12000, all of it long. Selling costs 1 - 0.98 * 0.99 = 2.98 % of what is sold:
    #   x = -(12000 - 0.0298 * (12000 - x)), so -x = 11642.40 / 1.0298 = 11305.4962..., and that is the equity left.
    short = 11_642.40 / 1.0298
    assert result.position[2] == pytest.approx(-short / 120, rel=1e-12)
    assert result.equity[2] == pytest.approx(short, rel=1e-12)
    # 10 % lower the short has earned 10 %.
    assert result.equity[3] == pytest.approx(short * 1.1, rel=1e-12)
    assert result.trades.pnl.tolist() == pytest.approx([1340.40], abs=1e-8)
    assert result.open_trade is not None
    assert result.open_trade.position == result.position[-1]
    assert result.open_trade.entry_price == pytest.approx(117.6)


def test_a_target_that_repeats_trades_nothing() -> None:
    bars = random_bars(50, seed=3)
    result = simulate(bars, np.full(50, 0.5), cash=1000.0, costs=DEAR)
    assert result.fills.bar.tolist() == [1]


def test_the_last_target_is_never_traded() -> None:
    result = simulate(bars_of([10, 10], [10, 10]), targets_of(0, 1), cash=1000.0, costs=FREE)
    assert len(result.fills) == 0
    assert result.open_trade is None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_very_few_bars(n: int) -> None:
    result = simulate(random_bars(n), np.ones(n), cash=1000.0, costs=DEAR)
    assert (len(result.equity), len(result.cash), len(result.position)) == (n, n, n)
    assert len(result.trades) == 0


def test_adding_and_reducing_stay_one_trade() -> None:
    bars = bars_of([100] * 6, [100] * 6)
    result = simulate(bars, targets_of(0.5, 1, 0.25, 0, 0, 0), cash=1000.0, costs=FREE)
    # Bought 5 and 5, sold 7.5 and 2.5.
    assert result.fills.quantity.tolist() == pytest.approx([5, 5, -7.5, -2.5])
    assert len(result.trades) == 1
    assert result.trades.quantity.tolist() == pytest.approx([10])
    assert (result.trades.entry_bar.tolist(), result.trades.exit_bar.tolist()) == ([1], [4])


def test_ruin_at_a_close_is_liquidated_at_the_next_open() -> None:
    bars = bars_of([100, 100, 150, 220, 220, 220], [100, 100, 250, 220, 220, 220])
    result = simulate(bars, targets_of(-1, -1, -1, 1, -1, 1), cash=10_000.0, costs=FREE)
    # Short 100 units, cash 20000. At the close of 250: 20000 - 25000 = -5000. Bought back at 220: -2000 stay.
    assert result.ruined
    assert result.equity.tolist() == pytest.approx([10_000, 10_000, -5000, -2000, -2000, -2000])
    assert result.fills.bar.tolist() == [1, 3]
    assert result.trades.pnl.tolist() == pytest.approx([-12_000])


def test_ruin_at_an_open_is_liquidated_there() -> None:
    bars = bars_of([100, 100, 300, 300], [100, 100, 300, 300])
    result = simulate(bars, targets_of(-1, 1, -1, 1), cash=10_000.0, costs=FREE)
    # The order to go long is due at an open where 20000 - 30000 is left: only the short is closed.
    assert result.ruined
    assert result.position.tolist() == pytest.approx([0, -100, 0, 0])
    assert result.equity[-1] == pytest.approx(-10_000)


def test_ruin_at_the_last_close_leaves_the_position_open() -> None:
    result = simulate(bars_of([100, 100], [100, 250]), targets_of(-1, -1), cash=10_000.0, costs=FREE)
    assert result.ruined
    assert result.open_trade is not None


@pytest.mark.parametrize(
    "targets", [targets_of(0, 2), targets_of(0, np.nan), targets_of(0, -1.5), targets_of(0), np.zeros((2, 1))]
)
def test_refuses_targets_that_are_no_exposure(targets: FloatColumn) -> None:
    with pytest.raises(Invalid) as caught:
        simulate(random_bars(2), targets, cash=1000.0, costs=FREE)
    assert caught.value.code == "invalid_targets"


def test_refuses_prices_and_cash_that_are_not_above_zero() -> None:
    with pytest.raises(Invalid):
        simulate(bars_of([1, 0], [1, 1]), targets_of(1, 1), cash=1.0, costs=FREE)
    with pytest.raises(Invalid):
        simulate(random_bars(2), targets_of(1, 1), cash=0.0, costs=FREE)


def test_refuses_prices_beyond_float64() -> None:
    tiny, huge = 5e-324, 1.7e308
    with pytest.raises(Invalid) as caught:
        simulate(bars_of([tiny] * 3, [tiny, huge, huge]), targets_of(1, 1, 0), cash=1e5, costs=FREE)
    assert caught.value.code == "invalid_bars"


def test_the_same_input_gives_the_same_bytes() -> None:
    bars, targets = random_bars(500, seed=5), random_targets(500, seed=6)
    first, second = (simulate(bars, targets, cash=1e5, costs=DEAR) for _ in range(2))
    assert first.equity.tobytes() == second.equity.tobytes()
    assert first.trades.pnl.tobytes() == second.trades.pnl.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_nothing_depends_on_later_bars(seed: int) -> None:
    n = 300
    bars, targets = random_bars(n, seed=seed), random_targets(n, seed=seed)
    whole = simulate(bars, targets, cash=1e5, costs=DEAR)
    for cut in (1, 2, 17, 150, n - 1):
        start = simulate(bars.slice(None, int(bars.time[cut])), targets[:cut], cash=1e5, costs=DEAR)
        assert start.equity.tobytes() == whole.equity[:cut].tobytes()
        assert start.position.tobytes() == whole.position[:cut].tobytes()
        closed = whole.trades.exit_bar < cut
        assert start.trades.pnl.tobytes() == whole.trades.pnl[closed].tobytes()


def random_targets(n: int, seed: int) -> FloatColumn:
    random = np.random.default_rng(seed)
    held = random.choice([-1.0, -0.4, 0.0, 0.0, 0.7, 1.0], n)
    return held[np.maximum.accumulate(np.where(random.random(n) < 0.3, np.arange(n), 0))]


@dataclass
class Case:
    bars: Bars
    targets: FloatColumn
    costs: Costs


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(0, 25))
    prices = st.integers(50, 400).map(float)
    opens = draw(st.lists(prices, min_size=n, max_size=n))
    closes = draw(st.lists(prices, min_size=n, max_size=n))
    exposures = st.sampled_from([-1.0, -0.75, -0.3, 0.0, 0.25, 0.6, 1.0])
    targets = draw(st.lists(exposures, min_size=n, max_size=n))
    costs = Costs(draw(st.sampled_from([0.0, 10.0, 100.0])), draw(st.sampled_from([0.0, 5.0, 200.0])))
    return Case(bars_of(opens, closes), targets_of(*targets), costs)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_agrees_with_a_slow_reference_in_decimals(case: Case) -> None:
    result = simulate(case.bars, case.targets, cash=10_000.0, costs=case.costs)
    expected = reference(case, Decimal(10_000))
    assert result.equity.tolist() == pytest.approx([float(value) for value in expected.equity], rel=1e-9, abs=1e-6)
    assert result.position.tolist() == pytest.approx(
        [float(value) for value in expected.position], rel=1e-9, abs=1e-9
    )
    assert result.fees == pytest.approx(float(expected.fees), rel=1e-9, abs=1e-6)
    assert result.ruined == expected.ruined


@given(cases())
@settings(max_examples=200, deadline=None)
def test_money_is_conserved(case: Case) -> None:
    result = simulate(case.bars, case.targets, cash=10_000.0, costs=case.costs)
    assert_conserved(result, case.bars)


def assert_conserved(result: Simulation, bars: Bars) -> None:
    assert result.equity.tolist() == pytest.approx((result.cash + result.position * bars.close).tolist())
    if not len(bars):
        return
    fills, trades, still_open = result.fills, result.trades, result.open_trade
    paid = float((fills.quantity * fills.price + fills.fee).sum())
    assert result.cash[-1] == pytest.approx(10_000 - paid, abs=1e-6)
    assert result.position[-1] == pytest.approx(float(fills.quantity.sum()), abs=1e-9)
    unrealized = still_open.cash_flow + still_open.position * bars.close[-1] if still_open else 0.0
    assert result.equity[-1] == pytest.approx(10_000 + trades.pnl.sum() + unrealized, abs=1e-6)
    assert result.fees == pytest.approx(trades.fees.sum() + (still_open.fees if still_open else 0.0), abs=1e-6)
    assert result.slippage == pytest.approx(
        trades.slippage.sum() + (still_open.slippage if still_open else 0.0), abs=1e-6
    )


@dataclass
class Reference:
    equity: list[Decimal]
    position: list[Decimal]
    fees: Decimal
    ruined: bool


class Account:
    """One bar at a time, sizes by iteration instead of a formula."""

    def __init__(self, cash: Decimal, costs: Costs) -> None:
        self.cash, self.position, self.fees = cash, Decimal(0), Decimal(0)
        self.commission = Decimal(costs.commission_bps) / 10_000
        self.slippage = Decimal(costs.slippage_bps) / 10_000

    def worth(self, price: Decimal) -> Decimal:
        return self.cash + self.position * price

    def cost(self, value: Decimal) -> Decimal:
        """What trading so much value at the open (negative: sold) takes off equity."""
        price = 1 + self.slippage if value > 0 else 1 - self.slippage
        paid = value * price + abs(value) * price * self.commission
        return paid - value

    def wanted(self, target: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """The value to hold and the equity left, found by repeating x = t * (equity - cost of getting to x)."""
        left = self.worth(price)
        for _ in range(80):
            left = self.worth(price) - self.cost(target * left - self.position * price)
        return target * left, left

    def move_to(self, position: Decimal, open_price: Decimal) -> None:
        quantity = position - self.position
        price = open_price * (1 + self.slippage if quantity > 0 else 1 - self.slippage)
        fee = abs(quantity) * price * self.commission
        self.cash -= quantity * price + fee
        self.fees += fee
        self.position = position


def reference(case: Case, cash: Decimal) -> Reference:
    account, stopped = Account(cash, case.costs), False
    equity: list[Decimal] = []
    positions: list[Decimal] = []
    targets = [Decimal(0), *(Decimal(target) for target in case.targets.tolist())]
    for i, (open_price, close) in enumerate(zip(case.bars.open.tolist(), case.bars.close.tolist(), strict=True)):
        price = Decimal(open_price)
        if i and not stopped and equity[-1] <= 0:
            account.move_to(Decimal(0), price)
            stopped = True
        elif i and not stopped and targets[i] != targets[i - 1]:
            value, left = account.wanted(targets[i], price)
            stopped = account.worth(price) <= 0 or left <= 0
            account.move_to(Decimal(0) if stopped else value / price, price)
        equity.append(account.worth(Decimal(close)))
        positions.append(account.position)
    return Reference(equity, positions, account.fees, stopped or any(value <= 0 for value in equity))
