from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.marketdata.hours import MarketHours
from domain.market.building import FOREVER

HOURS = MarketHours()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("symbol", "time", "expected"),
    [
        ("NSE:INFY", "2024-11-28T03:45", True),  # 9:15 in India
        ("NSE:INFY", "2024-11-28T03:44:59", False),
        ("NSE:INFY", "2024-11-28T10:00", False),  # 15:30: closed from then on
        ("BSE:INFY", "2024-11-28T09:59:59", True),
        ("NSE:INFY", "2024-01-26T05:00", False),  # Republic Day
        ("NSE:INFY", "2024-11-30T05:00", False),  # a Saturday
        ("NSE:INFY", "2024-01-20T05:00", True),  # a Saturday with trading
        ("BSE:INFY", "2025-02-01T09:59:59", True),  # the budget's Saturday
        ("NSE:INFY", "2026-02-01T05:00", True),  # the budget's Sunday
        ("NSE:INFY", "2024-11-01T12:45", True),  # Muhurat
        ("NSE:INFY", "2024-11-01T05:00", False),  # Diwali, but for that hour
        ("NSE:INFY", "2024-03-02T05:00", False),  # between its two sessions
        ("NASDAQ:MSFT", "2024-11-29T17:59:59", True),  # the day after Thanksgiving ends at 13:00 in New York
        ("NASDAQ:MSFT", "2024-11-29T18:00", False),
        ("NYSE:IBM", "2024-07-01T13:30", True),  # summer time
        ("NYSE:IBM", "2024-01-02T13:30", False),  # winter time
        ("TSE:7203", "2024-07-01T02:45", False),  # lunch in Tokyo
        ("TSE:7203", "2024-07-01T03:30", True),
        ("BINANCE:BTCUSDT", "2024-12-25T03:00", True),
        ("FX:EURUSD", "2024-06-30T21:59:59", False),
        ("FX:EURUSD", "2024-06-30T22:00", True),
        ("FX:EURUSD", "2024-06-28T21:59:59", True),
        ("FX:EURUSD", "2024-06-28T22:00", False),
        ("NYSE:IBM", "2090-01-02T15:00", None),
        ("MARS:X", "2024-07-01T13:30", None),
        ("INFY", "2024-07-01T13:30", None),
    ],
)
def test_when_exchanges_trade(symbol: str, time: str, expected: bool | None) -> None:
    assert HOURS.is_open(symbol, at(time)) is expected


def test_special_sessions_are_added() -> None:
    muhurat = (at("2024-11-03T12:30"), at("2024-11-03T13:30"))  # a Sunday
    assert not HOURS.is_open("NSE:INFY", muhurat[0])
    special = MarketHours({"XBOM": [muhurat]})
    assert special.is_open("NSE:INFY", muhurat[0])
    assert not special.is_open("NSE:INFY", muhurat[1])


def test_the_session_around_a_moment() -> None:
    def session(symbol: str, time: str) -> tuple[int, int]:
        return HOURS.session(symbol, at(time))

    assert session("NSE:INFY", "2024-11-28T05:00") == (at("2024-11-28T03:45"), at("2024-11-28T10:00"))
    assert session("NSE:INFY", "2024-11-01T12:31") == (at("2024-11-01T12:30"), at("2024-11-01T13:30"))
    assert session("NSE:INFY", "2024-11-30T05:00") == (at("2024-11-30T05:00"),) * 2
    assert session("NSE:INFY", "2024-11-28T10:00") == (at("2024-11-28T10:00"),) * 2
    for symbol in ("CRYPTO:BTC", "FX:EURUSD", "INFY", "NOWHERE:X"):
        assert session(symbol, "2024-11-28T05:00") == FOREVER
    assert session("FX:EURUSD", "2024-11-30T05:00") == (at("2024-11-30T05:00"),) * 2
