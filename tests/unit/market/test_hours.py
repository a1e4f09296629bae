from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.marketdata.hours import MarketHours

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
