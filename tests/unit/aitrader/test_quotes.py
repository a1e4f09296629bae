from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

import migrations
from adapters.bus.in_process import InProcessBus
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.marketdata.parquet_store import ParquetBarStore
from aitrader.quotes import STORED, QuoteBoard
from aitrader.testing.waiting import until
from domain.common.time import SystemClock
from domain.market.model import Bars, Timeframe
from domain.trading.brokerage import Quote

CLOCK = SystemClock()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'q.db'}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return engine


def board(engine: Engine, folder: Path, bus: InProcessBus) -> QuoteBoard:
    work = lambda: SqlUnitOfWork(engine)  # noqa: E731
    read = lambda: SqlUnitOfWork(engine, read_only=True)  # noqa: E731
    return QuoteBoard(work, read, ParquetBarStore(folder / "bars", CLOCK), bus, CLOCK)


def quote(price: str, at: int) -> Quote:
    return Quote("NSE:INFY", Decimal(price), at, Decimal("1"), None, Decimal(5), "me")


def test_a_pushed_price_is_known_everywhere(engine: Engine, tmp_path: Path) -> None:
    bus = InProcessBus()
    one, two, later = (board(engine, tmp_path, bus) for _ in range(3))
    heard: list[Quote] = []
    stop = two.start()
    two.listen(heard.append)
    now = CLOCK.now_ms()
    one.save([quote("1500.50", now)])
    until(lambda: heard, 5)
    assert heard == [quote("1500.50", now)]
    assert one.last("NSE:INFY") == two.last("NSE:INFY") == later.last("NSE:INFY") == heard[0]
    stop()
    bus.close()


def test_an_older_price_is_not_news(engine: Engine, tmp_path: Path) -> None:
    found = board(engine, tmp_path, InProcessBus())
    heard: list[Quote] = []
    found.listen(heard.append)
    found.save([quote("2", 20)])
    found.save([quote("1", 10)])
    assert [item.price for item in heard] == [2]
    assert found.last("NSE:INFY") == quote("2", 20)


def test_the_close_of_the_last_bar_stands_in_and_says_so(engine: Engine, tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path / "bars", CLOCK)
    for timeframe, closes in ((Timeframe.D1, [10.0, 11.0]), (Timeframe.H1, [5.0, 12.34])):
        time = np.arange(2, dtype=np.int64) * timeframe.ms + 86_400_000 * (timeframe is Timeframe.H1)
        column = np.array(closes)
        store.write("NSE:INFY", timeframe, Bars(time, column, column, column, column, column))
    found = board(engine, tmp_path, InProcessBus()).last("NSE:INFY")
    assert found == Quote("NSE:INFY", Decimal("11.0"), 2 * 86_400_000, source=STORED)
    assert board(engine, tmp_path, InProcessBus()).last("NSE:NONE") is None
