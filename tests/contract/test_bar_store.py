from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from adapters.marketdata.parquet_store import ParquetBarStore
from aitrader.testing.bar_store import BarStoreContract, assert_same_bars, make_bars
from domain.common.errors import AITraderError, Invalid, NotFound, Unavailable
from domain.market.model import Bars, Timeframe


class FixedClock:
    def now_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a bar store does not wait")


@pytest.fixture
def store(tmp_path: Path) -> ParquetBarStore:
    return ParquetBarStore(tmp_path / "bars", FixedClock())


class TestParquetBarStore(BarStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ParquetBarStore:
        return ParquetBarStore(tmp_path / "bars", FixedClock())


def test_the_files_are_where_the_docs_say(store: ParquetBarStore, tmp_path: Path) -> None:
    store.write("NSE:RELIANCE", Timeframe.D1, make_bars(2))
    store.write("^NSEI", Timeframe.H1, make_bars(2))
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["bars/NSE/RELIANCE/1d.parquet", "bars/_/%5ENSEI/1h.parquet"]


def test_tells_when_it_was_imported(store: ParquetBarStore) -> None:
    assert store.write("X", Timeframe.D1, make_bars(2)).imported_ms == 1_700_000_000_000


def test_a_bare_symbol_finds_the_only_exchange(store: ParquetBarStore) -> None:
    store.write("NSE:TCS", Timeframe.D1, make_bars(3))
    assert store.describe("TCS", Timeframe.D1).symbol == "NSE:TCS"
    assert len(store.read("tcs", Timeframe.D1)) == 3
    store.write("BSE:TCS", Timeframe.D1, make_bars(4))
    with pytest.raises(Invalid, match="BSE:TCS, NSE:TCS"):
        store.read("TCS", Timeframe.D1)
    store.write("TCS", Timeframe.D1, make_bars(5))
    assert len(store.read("TCS", Timeframe.D1)) == 5


def test_an_exchange_that_is_named_is_meant(store: ParquetBarStore) -> None:
    store.write("TCS", Timeframe.D1, make_bars(3))
    with pytest.raises(NotFound):
        store.read("NSE:TCS", Timeframe.D1)


def test_says_which_timeframes_there_are(store: ParquetBarStore) -> None:
    store.write("X", Timeframe.D1, make_bars(3))
    store.write("X", Timeframe.M5, make_bars(3))
    with pytest.raises(NotFound, match=r"stored: 5m, 1d"):
        store.read("X", Timeframe.H1)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_a_damaged_file_is_named_and_others_go_on(
    store: ParquetBarStore, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.write("BAD", Timeframe.D1, make_bars(1000))
    store.write("GOOD", Timeframe.D1, make_bars(3))
    path = tmp_path / "bars" / "_" / "BAD" / "1d.parquet"
    data = path.read_bytes()
    flipped = data[:3000] + bytes([data[3000] ^ 1]) + data[3001:]
    path.write_bytes({"truncated": data[:-100], "empty": b"", "text": b"a,b\n" * 100, "flipped": flipped}[damage])
    with pytest.raises(AITraderError, match=r"BAD/1d\.parquet is damaged") as caught:
        store.read("BAD", Timeframe.D1)
    assert caught.value.code == "damaged_file"
    with caplog.at_level(logging.WARNING):
        listed = [dataset.symbol for dataset in store.list()]
    if damage != "flipped":
        assert listed == ["GOOD"]
        assert "BAD/1d.parquet" in caplog.text
    store.write("BAD", Timeframe.D1, make_bars(3))
    assert len(store.list()) == 2


def test_a_parquet_file_of_someone_else_is_refused(store: ParquetBarStore, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    store.write("X", Timeframe.D1, make_bars(3))
    path = tmp_path / "bars" / "_" / "X" / "1d.parquet"
    pq.write_table(pa.table({"time": [1]}), path)
    with pytest.raises(AITraderError, match="not written by AITrader"):
        store.describe("X", Timeframe.D1)
    table = pa.table({"time": [1]})
    for about in ({"format": 2}, {"format": 1}, {"format": 1, "timeframe": "9h"}, [], "x"):
        stamped = table.replace_schema_metadata({b"aitrader.dataset": json.dumps(about).encode()})
        pq.write_table(stamped, path)
        with pytest.raises(AITraderError, match="damaged"):
            store.read("X", Timeframe.D1)


def test_a_file_that_was_moved_is_not_listed_twice(store: ParquetBarStore, tmp_path: Path) -> None:
    store.write("X", Timeframe.D1, make_bars(3))
    copy = tmp_path / "bars" / "_" / "X" / "1h.parquet"
    copy.write_bytes((tmp_path / "bars" / "_" / "X" / "1d.parquet").read_bytes())
    assert [dataset.timeframe for dataset in store.list()] == [Timeframe.D1]


def test_a_failed_write_leaves_the_old_bars_and_no_litter(
    store: ParquetBarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_bars(3)
    store.write("X", Timeframe.D1, old)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(Unavailable, match="No space left"):
            store.write("X", Timeframe.D1, make_bars(9))
    assert_same_bars(store.read("X", Timeframe.D1), old)
    assert [path.name for path in (tmp_path / "bars" / "_" / "X").iterdir()] == ["1d.parquet"]


def test_reads_a_range_across_row_groups(store: ParquetBarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.marketdata.bar_file._ROWS_PER_GROUP", 64)
    bars = make_bars(1000, start_ms=-500 * Timeframe.D1.ms)
    store.write("X", Timeframe.D1, bars)
    for first, last in ((0, 1000), (63, 65), (64, 128), (100, 101), (990, 1000), (0, 1)):
        start_ms = int(bars.time[first])
        end_ms = int(bars.time[last - 1]) + 1
        read = store.read("X", Timeframe.D1, start_ms=start_ms, end_ms=end_ms)
        assert_same_bars(read, bars.take(slice(first, last)))


def test_accepts_columns_of_other_number_types(store: ParquetBarStore) -> None:
    column = np.array([1, 2], dtype=np.int32)
    bars = Bars(column, column, column, column, column, column)  # type: ignore[arg-type]
    store.write("X", Timeframe.D1, bars)
    assert store.read("X", Timeframe.D1).close.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("currency", ["", "U", "US$", "DOLLARS AND", "../.."])
def test_refuses_what_is_no_currency(store: ParquetBarStore, currency: str) -> None:
    with pytest.raises(Invalid, match="not a currency"):
        store.write("X", Timeframe.D1, make_bars(2), currency=currency)
