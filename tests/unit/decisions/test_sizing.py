"""Sizes: what is risked, what is bounded, and what is not done."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.testing.strategy_engine import request
from domain.common.errors import Invalid
from domain.decisions.model import Action
from domain.decisions.params import RANGES, StrategyParams, parse_params
from domain.decisions.ports import MarketNow, Opinion, Standing
from domain.decisions.sizing import size
from domain.market.model import Timeframe

BUY = Opinion(Action.BUY, 0.5, "")
SELL = Opinion(Action.SELL, 0.5, "")
SHORT = StrategyParams(allow_short=True)


def standing(position: int = 0, pending: int = 0, equity: int = 100_000) -> Standing:
    return Standing(Decimal(position), Decimal(pending), Decimal(equity), Decimal(abs(position) * 1500), "INR")


def test_the_stop_risks_a_share_of_equity() -> None:
    known = request(params=StrategyParams(max_position=10))
    known = replace(known, standing=replace(known.standing, hit_rate=0.5))
    sized = size(known, BUY)
    assert sized.quantity == 20  # 1 % of 100,000 over twice the range of 25
    assert (sized.risk.stop, sized.risk.target) == (1450.0, 1600.0)
    assert sized.risk.expected_r == pytest.approx(0.5)  # 0.5 · 2 − 0.5 · 1
    assert sized.risk.exposure_after == pytest.approx(20 * 1500 / 100_000)
    assert sized.risk.var_contribution == pytest.approx(1.645 * 0.0158 * 20 * 1500)
    assert sized.risk.volatility == 0.25


def test_a_short_one_has_its_stop_above() -> None:
    sized = size(request(params=SHORT), SELL)
    assert (sized.risk.stop, sized.risk.target, sized.quantity) == (1550.0, 1400.0, 13)
    assert sized.risk.expected_r is None


def test_without_bars_the_stop_is_a_share_of_the_price_and_what_is_not_known_is_null() -> None:
    sized = size(request(market=MarketNow(1500.0, 0, Timeframe.D1)), BUY)
    assert (sized.quantity, sized.risk.stop) == (13, 1470.0)
    assert (sized.risk.volatility, sized.risk.var_contribution) == (None, None)


@pytest.mark.parametrize(
    ("opinion", "changes", "why"),
    [
        (Opinion(Action.HOLD, 0.1, ""), {}, "hold"),
        (BUY, {"standing": standing(5)}, "long already"),
        (BUY, {"standing": standing(0, 5)}, "long already"),
        (SELL, {"standing": standing(-5)}, "short already"),
        (SELL, {}, "may not go short"),
        (BUY, {"market": MarketNow(None, None, Timeframe.D1)}, "no price"),
        (BUY, {"standing": Standing()}, "worth is not known"),
        (BUY, {"standing": standing(equity=100)}, "one unit"),
        (BUY, {"standing": standing(equity=-100)}, "one unit"),
        (replace(BUY, stop=1600.0), {}, "wrong side"),
        (replace(SELL, stop=1400.0), {"params": SHORT}, "wrong side"),
    ],
)
def test_nothing_is_done(opinion: Opinion, changes: dict[str, Any], why: str) -> None:
    sized = size(request(**changes), opinion)
    assert sized.quantity == 0
    assert why in sized.why


@pytest.mark.parametrize(("position", "opinion"), [(7, SELL), (-7, BUY)])
def test_a_position_is_closed_whole_and_not_turned_around(position: int, opinion: Opinion) -> None:
    sized = size(request(standing=standing(position), params=SHORT), opinion)
    assert sized.quantity == 7
    assert sized.risk.exposure_after == 0
    assert sized.risk.var_contribution is not None
    assert sized.risk.var_contribution < 0


def test_what_the_engine_says_of_size_and_stop_counts() -> None:
    sized = size(request(), Opinion(Action.BUY, 1, "", Decimal(3), 1499.0, 1510.0))
    assert (sized.quantity, sized.risk.stop, sized.risk.target) == (3, 1499.0, 1510.0)


@given(
    price=st.floats(0.01, 1e5),
    equity=st.integers(1, 10**9),
    spread=st.none() | st.floats(1e-6, 1e4),
    risk=st.floats(0.0001, 0.5),
    share=st.floats(0.001, 10),
    fractional=st.booleans(),
)
def test_never_more_than_the_bounds(
    price: float, equity: int, spread: float | None, risk: float, share: float, fractional: bool
) -> None:
    params = StrategyParams(risk_fraction=risk, max_position=share, fractional=fractional)
    market = MarketNow(price, 0, Timeframe.D1, average_range=spread)
    sized = size(request(market=market, params=params, standing=standing(equity=equity)), BUY)
    assert sized.quantity >= 0
    assert sized.risk.stop is not None
    assert 0 <= sized.risk.stop < price or sized.risk.stop == pytest.approx(price)
    assert float(sized.quantity) * price <= equity * share * (1 + 1e-9)
    assert float(sized.quantity) * (price - sized.risk.stop) <= equity * risk * (1 + 1e-6)
    if not fractional:
        assert sized.quantity == sized.quantity.to_integral_value()


def test_parameters_come_back_as_they_were() -> None:
    params = StrategyParams(threshold=0.5, timeframe=Timeframe.M5, allow_short=True)
    assert parse_params(params.to_json()) == params
    assert parse_params({"threshold": 1}, params) == replace(params, threshold=1)


@pytest.mark.parametrize(
    "values",
    [
        {"unknown": 1},
        {"threshold": "0.5"},
        {"threshold": True},
        {"threshold": float("nan")},
        {"decision_ttl_ms": 1.5},
        {"timeframe": "2d"},
        {"allow_short": 1},
        *({name: RANGES[name][1] * 2 + 1} for name in RANGES),
        *({name: -1} for name in RANGES),
    ],
)
def test_parameters_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_params(values)
    assert [error.field for error in caught.value.errors] == [f"params.{name}" for name in values]
