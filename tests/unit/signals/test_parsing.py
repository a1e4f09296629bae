"""Signals are read strictly: money may follow them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.signals.model import Signal, SignalStatus
from domain.signals.parsing import Sender, parse_signal, parse_tradingview

NOW = 1_763_955_901_000
SENDER = Sender("ann", "engine", NOW)
GOOD: dict[str, Any] = {
    "id": "INFY_1",
    "symbol": "INFY",
    "exchange": "NSE",
    "score": 0.42,
    "pattern": "ema_cross",
    "timestamp": NOW / 1000 - 5,
    "ttl_ms": 30_000,
    "meta": {"ema_fast": 1500.5},
}
ALERT: dict[str, Any] = {
    "ticker": "INFY",
    "exchange": "NSE",
    "action": "buy",
    "strategy": "ema-cross",
    "time": "2025-11-24T03:44:59Z",
    "contracts": "10",
}


def parse(**changes: Any) -> Signal:
    return parse_signal({**GOOD, **changes}, SENDER)


def alert(**changes: Any) -> Signal:
    return parse_tradingview({**ALERT, **changes}, SENDER)


def test_a_signal() -> None:
    found = parse()
    assert (found.signal_id, found.source, found.user_id, found.symbol) == ("INFY_1", "engine", "ann", "NSE:INFY")
    assert (found.score, found.pattern, found.time_ms, found.ttl_ms) == (0.42, "ema_cross", NOW - 5_000, 30_000)
    assert (found.received_at, found.meta, found.status) == (NOW, {"ema_fast": 1500.5}, SignalStatus.TAKEN)


def test_what_may_be_left_out() -> None:
    found = parse_signal({"id": "1", "symbol": "NSE:INFY", "score": -1, "pattern": "p"}, SENDER)
    assert (found.time_ms, found.ttl_ms, found.source, found.meta) == (NOW, 60_000, "engine", {})


def test_null_is_left_out() -> None:
    found = parse(exchange=None, symbol="NSE:INFY", timestamp=None, source=None)
    assert (found.symbol, found.time_ms, found.source) == ("NSE:INFY", NOW, "engine")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": None}, "id"),
        ({"id": 5}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": " a"}, "id"),
        ({"symbol": "NSE:IN FY"}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"exchange": 5}, "exchange"),
        ({"score": 1.01}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": float("inf")}, "score"),
        ({"score": "0.5"}, "score"),
        ({"score": True}, "score"),
        ({"score": 10**400}, "score"),
        ({"score": None}, "score"),
        ({"timestamp": NOW / 1000 + 3}, "timestamp"),
        ({"timestamp": NOW}, "timestamp"),
        ({"timestamp": 5}, "timestamp"),
        ({"ttl_ms": 0}, "ttl_ms"),
        ({"ttl_ms": 10**9}, "ttl_ms"),
        ({"pattern": ""}, "pattern"),
        ({"source": "x" * 65}, "source"),
        ({"meta": []}, "meta"),
        ({"meta": {"x": float("nan")}}, "meta"),
        ({"meta": {"x": "y" * 3000}}, "meta"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(**wrong)
    assert caught.value.code == "invalid_signal"
    assert field in [error.field for error in caught.value.errors]


def test_a_signal_that_comes_late_is_kept_and_says_so() -> None:
    assert parse(timestamp=NOW / 1000 - 30).status is SignalStatus.TAKEN
    assert parse(timestamp=NOW / 1000 - 31).status is SignalStatus.EXPIRED


def test_a_clock_that_is_a_little_ahead_is_forgiven() -> None:
    assert parse(timestamp=NOW / 1000 + 1.5).time_ms == NOW + 1_500


class TestTradingView:
    def test_an_alert(self) -> None:
        found = alert()
        assert (found.symbol, found.score, found.pattern, found.source) == (
            "NSE:INFY",
            1.0,
            "ema-cross",
            "tradingview",
        )
        assert found.time_ms == NOW - 2_000
        assert found.meta == {"action": "buy", "contracts": "10"}

    @pytest.mark.parametrize(("action", "score"), [("buy", 1), ("SELL", -1), ("short", -1), ("exit", 0), ("flat", 0)])
    def test_actions_are_scores(self, action: str, score: float) -> None:
        assert alert(action=action).score == score

    def test_the_same_alert_is_the_same_signal(self) -> None:
        assert alert().signal_id == alert(contracts="20").signal_id
        others = [alert(action="sell"), alert(ticker="TCS"), alert(strategy="x"), alert(time="2025-11-24T03:44:58Z")]
        assert len({item.signal_id for item in [alert(), *others]}) == 5

    @pytest.mark.parametrize("field", ["ticker", "time", "contracts", "strategy"])
    def test_a_placeholder_that_was_not_filled_is_refused(self, field: str) -> None:
        with pytest.raises(Invalid) as caught:
            alert(**{field: "{{strategy.order.action}}"})
        assert caught.value.code == "placeholder"
        assert [error.field for error in caught.value.errors] == [field]

    @pytest.mark.parametrize(
        "wrong",
        [{"action": "hold"}, {"ticker": ""}, {"time": "noon"}, {"time": "2025-11-24T03:44:59"}, {"ttl_ms": "x"}],
    )
    def test_what_is_wrong_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Invalid):
            alert(**wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, *ALERT, "x"]), JSON))
def test_anything_else_is_refused_and_never_a_crash(data: dict[str, Any]) -> None:
    for parser, good in ((parse_signal, GOOD), (parse_tradingview, ALERT)):
        for given_data in (data, {**good, **data}):
            with contextlib.suppress(Invalid):
                found = parser(given_data, SENDER)
                assert -1 <= found.score <= 1
                assert found.time_ms <= NOW + 2_000
