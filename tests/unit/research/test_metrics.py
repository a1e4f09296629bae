from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.market.model import FloatColumn, TimeColumn
from domain.research.metrics import Activity, Metrics, drawdowns, measure

DAY = 86_400_000


def days(n: int) -> TimeColumn:
    return np.arange(n, dtype=np.int64) * DAY


def column(*values: float) -> FloatColumn:
    return np.array(values, dtype=np.float64)


def of(*equity: float, pnl: tuple[float, ...] = (), n: float = 252.0, rf: float = 0.0) -> Metrics:
    return measure(column(*equity), days(len(equity)), Activity(column(*pnl)), bars_per_year=n, rf=rf)


def test_sharpe_and_volatility_by_hand() -> None:
    # returns 0.1, -0.1, 0.2: mean 0.2/3; deviations 0.1/3, -0.5/3, 0.4/3; sum of squares 0.42/9;
    # variance with n-1: 0.21/9
    metrics = of(100, 110, 99, 118.8, n=4)
    deviation = math.sqrt(0.21 / 9)
    assert metrics.volatility == pytest.approx(deviation * 2, rel=1e-12)
    assert metrics.sharpe == pytest.approx(0.2 / 3 / deviation * 2, rel=1e-12)


def test_sortino_divides_by_all_returns_not_only_losing_ones() -> None:
    # downside: sqrt((0 + 0.01 + 0) / 3)
    metrics = of(100, 110, 99, 118.8, n=4)
    assert metrics.sortino == pytest.approx(0.2 / 3 / math.sqrt(0.01 / 3) * 2, rel=1e-12)


def test_the_risk_free_rate_is_taken_off_per_bar() -> None:
    # rf 0.04 a year over 4 bars a year: 0.01 a bar; the excess returns are 0.09, -0.11, 0.19
    metrics = of(100, 110, 99, 118.8, n=4, rf=0.04)
    assert metrics.sharpe == pytest.approx(0.17 / 3 / math.sqrt(0.21 / 9) * 2, rel=1e-12)
    assert metrics.sortino == pytest.approx(0.17 / 3 / math.sqrt(0.0121 / 3) * 2, rel=1e-12)
    assert metrics.rf == 0.04


def test_cagr_is_by_calendar_time() -> None:
    # 730.5 days are two years: sqrt(1.44) - 1
    time = np.array([0, int(730.5 * DAY)], dtype=np.int64)
    metrics = measure(column(100, 144), time, Activity(column()), bars_per_year=252)
    assert metrics.cagr == pytest.approx(0.2, rel=1e-12)
    assert metrics.total_return == pytest.approx(0.44, rel=1e-12)


def test_drawdown_its_length_and_calmar() -> None:
    # peak 120 at day 1, low 90 at day 2 (-25 %), back at 120 on day 4; then a short dip that never recovers
    metrics = of(100, 120, 90, 100, 120, 119)
    assert metrics.max_drawdown == pytest.approx(-0.25, rel=1e-12)
    assert metrics.max_drawdown_days == 3.0
    assert metrics.cagr is not None
    assert metrics.calmar == pytest.approx(metrics.cagr / 0.25, rel=1e-12)


def test_a_drawdown_that_does_not_recover_lasts_to_the_end() -> None:
    assert of(100, 90, 80, 95).max_drawdown_days == 3.0


def test_drawdowns_are_zero_at_peaks() -> None:
    assert drawdowns(column(100, 50, 100, 200, 150)).tolist() == [0.0, -0.5, 0.0, 0.0, -0.25]


def test_trade_statistics_by_hand() -> None:
    # wins 30 + 10, losses 20: mean 5, deviations 25, -25, 5, -5; variance 1300 / 3
    metrics = of(100, 101, pnl=(30.0, -20.0, 10.0, 0.0))
    assert metrics.n_trades == 4
    assert metrics.win_rate == 0.5
    assert metrics.profit_factor == 2.0
    assert metrics.expectancy == 5.0
    assert metrics.sqn == pytest.approx(2 * 5 / math.sqrt(1300 / 3), rel=1e-12)


def test_activity_by_hand() -> None:
    # notional 300 over a mean equity of 100, within 3 of 252 periods a year
    activity = Activity(column(), traded_notional=300.0, fees=1.5, slippage=0.5, bars_in_market=1)
    metrics = measure(column(100, 90, 100, 110), days(4), activity, bars_per_year=252)
    assert metrics.turnover == pytest.approx(3.0 * 84, rel=1e-12)
    assert (metrics.exposure, metrics.fees, metrics.slippage) == (0.25, 1.5, 0.5)


def test_without_trades_the_trade_statistics_are_undefined() -> None:
    metrics = of(100, 100, 100)
    assert metrics.n_trades == 0
    for name in ("win_rate", "profit_factor", "expectancy", "sqn", "sharpe", "sortino", "calmar"):
        assert getattr(metrics, name) is None, name
    assert (metrics.total_return, metrics.cagr, metrics.max_drawdown, metrics.volatility) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("pnl", "missing"), [((5.0,), "sqn"), ((5.0, 5.0), "sqn"), ((5.0, 6.0), "profit_factor")])
def test_trade_statistics_that_need_spread_or_losses(pnl: tuple[float, ...], missing: str) -> None:
    assert getattr(of(100, 101, pnl=pnl), missing) is None


def test_only_losses_give_a_profit_factor_of_zero() -> None:
    assert of(100, 99, pnl=(-1.0, -2.0)).profit_factor == 0.0


def test_steady_growth_has_no_variance_and_no_sharpe() -> None:
    metrics = of(*(100 * 1.01**i for i in range(50)))
    assert metrics.sharpe is None
    assert metrics.sortino is None
    assert metrics.volatility == pytest.approx(0.0, abs=1e-12)


def test_one_bar_defines_nothing_that_needs_time() -> None:
    metrics = of(100)
    assert (metrics.total_return, metrics.max_drawdown) == (0.0, 0.0)
    for name in ("cagr", "sharpe", "sortino", "volatility", "turnover", "calmar"):
        assert getattr(metrics, name) is None, name


def test_after_ruin_ratios_of_returns_are_undefined() -> None:
    metrics = of(100, 50, -20, -20)
    for name in ("cagr", "sharpe", "sortino", "volatility", "calmar"):
        assert getattr(metrics, name) is None, name
    assert metrics.total_return == pytest.approx(-1.2)
    assert metrics.max_drawdown == pytest.approx(-1.2)


def test_a_gain_too_fast_to_compound_over_a_year_has_no_cagr() -> None:
    time = np.array([0, 60_000], dtype=np.int64)
    assert measure(column(100, 200), time, Activity(column()), bars_per_year=252).cagr is None


def test_what_the_numbers_depend_on_travels_with_them() -> None:
    values = of(100, 101, n=365.0, rf=0.01).as_dict()
    assert (values["bars_per_year"], values["ddof"], values["rf"]) == (365.0, 1, 0.01)


@pytest.mark.parametrize("equity", [(), (0.0, 1.0), (1.0, math.nan), (1.0, math.inf), (-1.0, 1.0)])
def test_refuses_what_is_no_curve(equity: tuple[float, ...]) -> None:
    with pytest.raises(Invalid):
        of(*equity)


def test_refuses_times_that_do_not_fit() -> None:
    with pytest.raises(Invalid):
        measure(column(1, 2), days(3), Activity(column()), bars_per_year=252)


@given(
    st.lists(st.floats(1.0, 1e6), min_size=1, max_size=40),
    st.lists(st.floats(-1e6, 1e6), max_size=20),
)
def test_every_metric_is_finite_or_none_and_in_range(equity: list[float], pnl: list[float]) -> None:
    metrics = of(*equity, pnl=tuple(pnl))
    for name, value in metrics.as_dict().items():
        assert value is None or math.isfinite(value), name
    assert metrics.max_drawdown is not None
    assert -1.0 <= metrics.max_drawdown <= 0.0
    assert metrics.win_rate is None or 0.0 <= metrics.win_rate <= 1.0
    slow = max((time_under_water(equity, i) for i in range(len(equity))), default=0)
    assert metrics.max_drawdown_days == slow


def time_under_water(equity: list[float], peak: int) -> int:
    """Days from a bar that is the highest so far until one as high; 0 when the next bar is as high."""
    if equity[peak] < max(equity[: peak + 1]):
        return 0
    for later in range(peak + 1, len(equity)):
        if equity[later] >= equity[peak]:
            return later - peak if later - peak > 1 else 0
    return len(equity) - 1 - peak
