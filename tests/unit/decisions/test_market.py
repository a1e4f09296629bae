"""What is known of the market at a moment: nothing that came later, nothing that is stale."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import talib

from adapters.marketdata.parquet_store import ParquetBarStore
from domain.common.time import SystemClock
from domain.decisions.market import BARS, StoredMarket, shape_of
from domain.market.model import Bars, Session, Timeframe
from domain.trading.brokerage import Quote

DAY = 86_400_000
START = 1_700_006_400_000
SYMBOL = "NSE:INFY"


class SaidQuotes:
    def __init__(self) -> None:
        self.said: Quote | None = None

    def last(self, symbol: str) -> Quote | None:
        return self.said

    def listen(self, callback: Callable[[Quote], None]) -> Callable[[], None]:
        return lambda: None


def bars(count: int, seed: int = 0) -> Bars:
    draw = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, count)))
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close) * 1.005, np.minimum(opens, close) * 0.995
    time = START + DAY * np.arange(count, dtype=np.int64)
    return Bars(time, opens, high, low, close, np.full(count, 1000.0))


@pytest.fixture
def store(tmp_path: Path) -> ParquetBarStore:
    return ParquetBarStore(tmp_path, SystemClock())


def test_only_bars_that_had_closed_are_seen(store: ParquetBarStore) -> None:
    whole = bars(60)
    store.write(SYMBOL, Timeframe.D1, whole)
    now = START + 50 * DAY + 5000
    seen = StoredMarket(store, SaidQuotes(), SystemClock()).at(SYMBOL, now, Timeframe.D1)
    assert seen.bars is not None
    assert len(seen.bars) == BARS
    assert int(seen.bars.time[-1]) == START + 49 * DAY
    store.write("NSE:CUT", Timeframe.D1, whole.take(slice(0, 50)))
    cut = StoredMarket(store, SaidQuotes(), SystemClock()).at("NSE:CUT", now, Timeframe.D1)
    assert (cut.average_range, cut.volatility) == (seen.average_range, seen.volatility)


def test_a_price_of_later_is_not_seen(store: ParquetBarStore) -> None:
    quotes = SaidQuotes()
    quotes.said = Quote(SYMBOL, Decimal("10.5"), START)
    market = StoredMarket(store, quotes, SystemClock())
    assert market.at(SYMBOL, START, Timeframe.D1).price == 10.5
    assert market.at(SYMBOL, START - 1, Timeframe.D1).price is None


def test_bars_of_long_ago_say_nothing(store: ParquetBarStore) -> None:
    store.write(SYMBOL, Timeframe.D1, bars(40))
    market = StoredMarket(store, SaidQuotes(), SystemClock())
    assert market.at(SYMBOL, START + 45 * DAY, Timeframe.D1).volatility is not None
    late = market.at(SYMBOL, START + 80 * DAY, Timeframe.D1)
    assert (late.bars, late.average_range, late.volatility) == (None, None, None)
    assert market.at("NSE:OTHER", START, Timeframe.D1).bars is None


def test_range_and_volatility_are_what_others_compute(store: ParquetBarStore) -> None:
    known = bars(BARS + 1)
    shape = shape_of(known, Timeframe.D1, Session.EXCHANGE)
    assert shape.average_range == pytest.approx(talib.ATR(known.high, known.low, known.close, 14)[-1])
    returns = np.diff(np.log(known.close))
    assert shape.volatility == pytest.approx(np.std(returns, ddof=1) * np.sqrt(252))
    assert shape.daily_volatility == pytest.approx(np.std(returns, ddof=1))
    few = bars(10)
    shape = shape_of(few, Timeframe.D1, Session.EXCHANGE)
    assert (shape.average_range, shape.volatility) == (None, None)
