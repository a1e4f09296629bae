from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import talib
from pydantic import ValidationError

from aitrader.api import Bars, FloatColumn, Strategy
from aitrader.testing.bars import random_bars
from plugins.backtest.strategies import (
    STRATEGIES,
    DonchianBreakout,
    DonchianParams,
    RsiMeanReversion,
    RsiParams,
    SmaCross,
    SmaCrossParams,
    moving_average,
    wilder_rsi,
)

DAY = 86_400_000
BY_NAME = {strategy.name: strategy for strategy in STRATEGIES}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("sma_cross", {"fast": 3, "slow": 8}),
    ("sma_cross", {"fast": 1, "slow": 2, "direction": "long_short"}),
    ("rsi_mean_reversion", {"period": 5, "oversold": 40, "overbought": 60, "direction": "long_short"}),
    ("rsi_mean_reversion", {}),
    ("donchian_breakout", {"entry": 5, "exit": 3, "direction": "long_short"}),
    ("donchian_breakout", {}),
]


def of_closes(*closes: float) -> Bars:
    close = np.array(closes, dtype=np.float64)
    return Bars(np.arange(len(close), dtype=np.int64) * DAY, close, close, close, close, np.ones(len(close)))


def run(strategy: Strategy, bars: Bars, params: dict[str, Any]) -> FloatColumn:
    return strategy.targets(bars, strategy.params_type(**params))


@pytest.mark.parametrize(("name", "params"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_depends_on_later_bars(name: str, params: dict[str, Any], seed: int) -> None:
    bars = random_bars(250, seed=seed)
    whole = run(BY_NAME[name], bars, params)
    for cut in range(250):
        start = run(BY_NAME[name], bars.slice(None, int(bars.time[cut])), params)
        assert start.tobytes() == whole[:cut].tobytes(), cut


@pytest.mark.parametrize(("name", "params"), CASES)
def test_targets_are_exposures(name: str, params: dict[str, Any]) -> None:
    targets = run(BY_NAME[name], random_bars(2000, seed=9), params)
    assert targets.shape == (2000,)
    assert targets.dtype == np.float64
    allowed = {-1.0, 0.0, 1.0} if params.get("direction") == "long_short" else {0.0, 1.0}
    assert set(targets.tolist()) == allowed


@pytest.mark.parametrize(("name", "params"), CASES)
@pytest.mark.parametrize("n", [0, 1])
def test_too_few_bars_stay_flat(name: str, params: dict[str, Any], n: int) -> None:
    assert run(BY_NAME[name], random_bars(n), params).tolist() == [0.0] * n


@pytest.mark.parametrize(("name", "params"), CASES)
def test_prices_that_never_move_are_no_signal(name: str, params: dict[str, Any]) -> None:
    bars = of_closes(*[0.1] * 500)
    assert not run(BY_NAME[name], bars, params).any()


def test_sma_cross_by_hand() -> None:
    # averages of 1: the close; of 2: -, 1.5, 2.5, 2.5, 1.5, 1
    targets = run(SmaCross(), of_closes(1, 2, 3, 2, 1, 1), {"fast": 1, "slow": 2, "direction": "long_short"})
    assert targets.tolist() == [0, 1, 1, -1, -1, 0]


def test_moving_average_is_the_mean_of_each_window() -> None:
    close = random_bars(100).close
    expected = [close[i - 6 : i + 1].mean() for i in range(6, 100)]
    assert moving_average(close, 7)[6:].tolist() == pytest.approx(expected, rel=1e-12)
    assert np.isnan(moving_average(close, 7)[:6]).all()


@pytest.mark.parametrize("period", [2, 5, 14])
def test_rsi_agrees_with_talib(period: int) -> None:
    close = random_bars(400, seed=period).close
    np.testing.assert_allclose(wilder_rsi(close, period), talib.RSI(close, period), rtol=1e-9)


def test_rsi_by_hand() -> None:
    # period 2, changes +1 -1 +2: G 0.5 then (0.5 + 2) / 2 = 1.25; L 0.5 then 0.25; 100 * 1.25 / 1.5
    assert wilder_rsi(np.array([1.0, 2, 1, 3]), 2)[2:].tolist() == pytest.approx([50.0, 100 * 1.25 / 1.5])


def test_rsi_is_undefined_while_nothing_moves() -> None:
    assert np.isnan(wilder_rsi(np.full(30, 5.0), 14)).all()


def test_rsi_mean_reversion_agrees_with_a_bar_by_bar_reading() -> None:
    bars = random_bars(3000, seed=11)
    params = {"period": 6, "oversold": 35, "overbought": 65, "exit": 50, "direction": "long_short"}
    held, expected = 0, []
    for rsi in wilder_rsi(bars.close, 6).tolist():
        if (held == 1 and rsi >= 50) or (held == -1 and rsi <= 50):
            held = 0
        if rsi < 35:
            held = 1
        if rsi > 65:
            held = -1
        expected.append(held)
    assert run(RsiMeanReversion(), bars, params).tolist() == expected


@pytest.mark.parametrize(("entry", "leave"), [(20, 10), (5, 5), (1, 1), (7, 3)])
def test_donchian_agrees_with_a_bar_by_bar_reading(entry: int, leave: int) -> None:
    bars = random_bars(1500, seed=12)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    held, expected = 0, []
    for i in range(len(bars)):
        if i >= leave and held == 1 and close[i] < min(low[i - leave : i]):
            held = 0
        if i >= leave and held == -1 and close[i] > max(high[i - leave : i]):
            held = 0
        if i >= entry and close[i] > max(high[i - entry : i]):
            held = 1
        if i >= entry and close[i] < min(low[i - entry : i]):
            held = -1
        expected.append(held)
    params = {"entry": entry, "exit": leave, "direction": "long_short"}
    assert run(DonchianBreakout(), bars, params).tolist() == expected


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (SmaCrossParams, {"fast": 30, "slow": 10}),
        (SmaCrossParams, {"fast": 0}),
        (SmaCrossParams, {"speed": 1}),
        (RsiParams, {"oversold": 60}),
        (RsiParams, {"exit": float("nan")}),
        (DonchianParams, {"entry": 5, "exit": 6}),
        (DonchianParams, {"direction": "up"}),
    ],
)
def test_refuses_parameters_that_contradict(model: type[Any], params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(**params)
