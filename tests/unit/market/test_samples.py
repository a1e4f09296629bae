from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from adapters.marketdata.parquet_store import ParquetBarStore
from adapters.marketdata.samples import install_samples, sample_datasets
from aitrader.testing.bar_store import assert_same_bars, make_bars
from domain.common.time import rfc3339
from domain.market.model import Bars, Dataset, Session, Timeframe
from domain.market.services import check_timeframe
from domain.market.validation import check_bars

FACTS = {
    "FX:EURUSD": (
        "1h",
        "forex",
        6225,
        "2017-01-01T22:00",
        "2017-12-29T21:00",
        "d06faff4a2444c63",
        "gym-anytrading 2.0.0",
    ),
    "INDEX:SPX": ("1d", "exchange", 5031, "1999-01-04T00:00", "2018-12-31T00:00", "0928851b6774fe85", "arch 8.0.0"),
    "NASDAQ:MSFT": (
        "1d",
        "exchange",
        7983,
        "1986-03-13T00:00",
        "2017-11-10T00:00",
        "b6296d01453672d2",
        "pmdarima 2.1.1",
    ),
}


class TickingClock:
    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a bar store does not wait")


@pytest.fixture
def store(tmp_path: Path) -> ParquetBarStore:
    return ParquetBarStore(tmp_path, TickingClock())


def test_ships_the_three_samples() -> None:
    assert [dataset.symbol for dataset in sample_datasets()] == list(FACTS)


@pytest.mark.parametrize("dataset", sample_datasets(), ids=lambda dataset: dataset.symbol)
def test_each_sample_is_what_its_provenance_says(dataset: Dataset, store: ParquetBarStore) -> None:
    timeframe, session, rows, first, last, data_hash, package = FACTS[dataset.symbol]
    assert (dataset.timeframe, dataset.session) == (Timeframe(timeframe), Session(session))
    assert (dataset.rows, dataset.currency) == (rows, "USD")
    assert (rfc3339(dataset.first_ms)[:16], rfc3339(dataset.last_ms)[:16]) == (first, last)
    assert dataset.data_hash.startswith(data_hash)
    assert package in dataset.source

    provenance = (files("adapters.marketdata") / "samples" / "SOURCES.md").read_text(encoding="utf-8")
    for fact in (dataset.data_hash, package, f"{rows:,}", f"`{dataset.symbol}` {timeframe}"):
        assert fact in provenance

    install_samples(store)
    bars = store.read(dataset.symbol, dataset.timeframe)
    assert bars.data_hash() == dataset.data_hash
    check_bars(bars)
    check_timeframe(bars.time, dataset.timeframe)


def test_the_prices_are_the_exact_numbers_of_the_source(store: ParquetBarStore) -> None:
    install_samples(store)

    def row(bars: Bars, index: int) -> list[float]:
        return [float(column[index]) for column in bars.columns()[1:]]

    spx = store.read("INDEX:SPX", Timeframe.D1)
    assert row(spx, 0) == [1229.22998, 1248.810059, 1219.099976, 1228.099976, 877000000]
    assert row(store.read("NASDAQ:MSFT", Timeframe.D1), -1) == [83.79, 84.095, 83.23, 83.87, 19396301]
    assert row(store.read("FX:EURUSD", Timeframe.H1), 0) == [1.05236, 1.05253, 1.05221, 1.05227, 143539993.3]


def test_installing_again_writes_nothing(store: ParquetBarStore) -> None:
    first = install_samples(store)
    assert install_samples(store) == first
    assert store.list() == first


def test_your_own_data_stays_unless_forced(store: ParquetBarStore) -> None:
    mine = make_bars(5)
    written = store.write("INDEX:SPX", Timeframe.D1, mine)
    assert written in install_samples(store)
    assert_same_bars(store.read("INDEX:SPX", Timeframe.D1), mine)
    install_samples(store, force=True)
    assert store.describe("INDEX:SPX", Timeframe.D1).rows == 5031
