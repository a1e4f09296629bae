from __future__ import annotations

import gzip
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.marketdata.files import ImportedFile, read_bars_file, write_bars_file
from aitrader.testing.bar_store import assert_same_bars, make_bars
from domain.common.errors import Invalid, NotFound, TooLarge
from domain.common.time import rfc3339
from domain.market.model import Bars, Timeframe

PRICES = "10,12,9,11,100"


def read_text(tmp_path: Path, text: str, name: str = "bars.csv", **options: Any) -> ImportedFile:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_bars_file(path, **options)


def refused(tmp_path: Path, text: str, **options: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read_text(tmp_path, text, **options)
    return caught.value


def fields(problem: Invalid) -> list[str]:
    return [error.field for error in problem.errors]


@pytest.mark.parametrize(
    "header",
    [
        "time,open,high,low,close,volume",
        "Date,Open,High,Low,Close,Volume",
        "DATETIME,OPEN,HIGH,LOW,CLOSE,VOL",
        "timestamp,o,h,l,c,v",
        "Gmt time,Open,High,Low,Close,Volume",
        "ts,1. open,2. high,3. low,4. close,5. volume",
        '"Open time",open,high,low,last,tick_volume',
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>",
        "__index_level_0__,open,high,low,close,volume",
        "Unnamed: 0,open,high,low,close,volume",
        ",open,high,low,close,volume",
        "index,open,high,low,close,Volume (BTC)",
        "\ufeffDate,Open,High,Low,Close/Last,Qty",
    ],
)
def test_knows_the_spellings_of_columns(tmp_path: Path, header: str) -> None:
    bars = read_text(tmp_path, f"{header}\n2024-01-31,{PRICES}\n").bars
    assert [rfc3339(ms) for ms in bars.time.tolist()] == ["2024-01-31T00:00:00.000Z"]
    assert [column[0] for column in bars.columns()[1:]] == [10, 12, 9, 11, 100]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31", "2024-01-31T00:00:00.000Z"),
        ("2024-01-31 09:30", "2024-01-31T09:30:00.000Z"),
        ("2024-01-31T09:30:15", "2024-01-31T09:30:15.000Z"),
        ("2024-01-31T09:30:15.123Z", "2024-01-31T09:30:15.123Z"),
        ("2024-01-31T09:30:15.123456789Z", "2024-01-31T09:30:15.123Z"),
        ("2024-01-31 09:30:15+05:30", "2024-01-31T04:00:15.000Z"),
        ("2024-01-31 09:30:15-0500", "2024-01-31T14:30:15.000Z"),
        ("2024-01-31 09:30:15 UTC", "2024-01-31T09:30:15.000Z"),
        ("2024/1/31 9:30", "2024-01-31T09:30:00.000Z"),
        ("2024.01.31 09:30", "2024-01-31T09:30:00.000Z"),
        ("1/31/2024", "2024-01-31T00:00:00.000Z"),
        ("1/31/2024 4:05:06 PM", "2024-01-31T16:05:06.000Z"),
        ("1/31/2024 12:05 AM", "2024-01-31T00:05:00.000Z"),
        ("31/01/2024 16:05", "2024-01-31T16:05:00.000Z"),
        ("31-01-2024", "2024-01-31T00:00:00.000Z"),
        ("01.02.2024 22:00:00.500", "2024-02-01T22:00:00.500Z"),
        ("31.01.2024 22:00:00.000 GMT+0100", "2024-01-31T21:00:00.000Z"),
        ("31-Jan-2024", "2024-01-31T00:00:00.000Z"),
        ("31 January 2024 10:00", "2024-01-31T10:00:00.000Z"),
        ('"Jan 31, 2024"', "2024-01-31T00:00:00.000Z"),
        ("20240131", "2024-01-31T00:00:00.000Z"),
        ("20240131 093015", "2024-01-31T09:30:15.000Z"),
        ("20240131093015", "2024-01-31T09:30:15.000Z"),
        ("202401310930", "2024-01-31T09:30:00.000Z"),
        ("20240131 09:30", "2024-01-31T09:30:00.000Z"),
        ("1706693415", "2024-01-31T09:30:15.000Z"),
        ("1706693415.25", "2024-01-31T09:30:15.250Z"),
        ("1706693415123", "2024-01-31T09:30:15.123Z"),
        ("1706693415123456", "2024-01-31T09:30:15.123Z"),
        ("1706693415123456789", "2024-01-31T09:30:15.123Z"),
        ("-86400", "1969-12-31T00:00:00.000Z"),
    ],
)
def test_knows_the_formats_of_times(tmp_path: Path, text: str, expected: str) -> None:
    bars = read_text(tmp_path, f"time,open,high,low,close,volume\n{text},{PRICES}\n").bars
    assert rfc3339(int(bars.time[0])) == expected


@pytest.mark.parametrize(
    ("date_text", "time_text"), [("20240131", "93015"), ("2024.01.31", "09:30:15"), ("31/01/2024", "9:30:15")]
)
def test_joins_a_date_and_a_time_column(tmp_path: Path, date_text: str, time_text: str) -> None:
    text = f"Date,Time,Open,High,Low,Close,Volume\n{date_text},{time_text},{PRICES}\n"
    assert rfc3339(int(read_text(tmp_path, text).bars.time[0])) == "2024-01-31T09:30:15.000Z"


def test_reads_files_without_a_header(tmp_path: Path) -> None:
    histdata = read_text(tmp_path, "20170102 020000;10;12;9;11;0\n20170102 020100;10;12;9;11;0\n").bars
    metatrader = read_text(tmp_path, f"2017.01.02,02:00,{PRICES}\n2017.01.02,02:01,{PRICES}\n").bars
    assert histdata.time.tolist() == metatrader.time.tolist()
    problem = refused(tmp_path, f"2017.01.02,02:00,{PRICES}\n2017.01.02,02:01,10,12,x,11,1\n")
    assert fields(problem) == ["rows.2.low"]


def test_reads_the_three_header_lines_of_yfinance(tmp_path: Path) -> None:
    text = "Price,Close,High,Low,Open,Volume\nTicker,A,A,A,A,A\nDate,,,,,\n2024-01-02,11,12,9,10,100\n"
    bars = read_text(tmp_path, text).bars
    assert (bars.open[0], bars.close[0]) == (10, 11)
    assert fields(refused(tmp_path, text + "2024-01-03,11,12,9,x,100\n")) == ["rows.5.open"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_finds_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    text = f"Date,Open,High,Low,Close,Volume\n2024-01-02,{PRICES}\n".replace(",", delimiter)
    assert len(read_text(tmp_path, text).bars) == 1


def test_ignores_blank_lines_extra_columns_and_windows_line_ends(tmp_path: Path) -> None:
    text = f"Date,Ticker,Open,High,Low,Close,Volume,Note\r\n\r\n2024-01-02,A,{PRICES},x\r\n\r\n"
    assert len(read_text(tmp_path, text).bars) == 1


def test_a_missing_volume_is_zero_and_noted(tmp_path: Path) -> None:
    read = read_text(tmp_path, "Date,Open,High,Low,Close\n2024-01-02,10,12,9,11\n")
    assert read.bars.volume.tolist() == [0.0]
    assert "no volume" in read.notes[0]
    read = read_text(tmp_path, "Date,Open,High,Low,Close,Volume\n2024-01-02,10,12,9,11,-\n")
    assert read.bars.volume.tolist() == [0.0]
    assert read.notes == ("1 empty volumes were read as 0",)


def test_scales_by_the_adjusted_close_only_when_asked(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,10,12,9,11,5.5,100\n"
    assert read_text(tmp_path, text).bars.close.tolist() == [11]
    bars = read_text(tmp_path, text, adjusted=True).bars
    assert [column[0] for column in bars.columns()[1:]] == [5, 6, 4.5, 5.5, 100]
    problem = refused(tmp_path, "Date,Open,High,Low,Close\n2024-01-02,10,12,9,11\n", adjusted=True)
    assert fields(problem) == ["adjusted"]


def test_decides_the_order_of_day_and_month_from_the_whole_column(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume\n"
    american = read_text(tmp_path, f"{header}1/4/2024,{PRICES}\n1/16/2024,{PRICES}\n").bars
    assert [rfc3339(ms)[:10] for ms in american.time.tolist()] == ["2024-01-04", "2024-01-16"]
    british = read_text(tmp_path, f"{header}4/1/2024,{PRICES}\n16/1/2024,{PRICES}\n").bars
    assert british.time.tolist() == american.time.tolist()


def test_asks_when_the_order_of_day_and_month_cannot_be_told(tmp_path: Path) -> None:
    text = f"Date,Open,High,Low,Close,Volume\n1/4/2024,{PRICES}\n1/5/2024,{PRICES}\n"
    problem = refused(tmp_path, text)
    assert problem.code == "ambiguous_dates"
    assert 'date_order="mdy" or date_order="dmy"' in problem.detail
    first = [read_text(tmp_path, text, date_order=order).bars.time[0] for order in ("mdy", "dmy")]
    assert [rfc3339(int(ms))[:10] for ms in first] == ["2024-01-04", "2024-04-01"]
    mixed = refused(tmp_path, f"Date,Open,High,Low,Close,Volume\n1/14/2024,{PRICES}\n15/1/2024,{PRICES}\n")
    assert "mixes both" in mixed.detail


def test_takes_naive_times_in_the_zone(tmp_path: Path) -> None:
    text = f"time,open,high,low,close,volume\n2024-01-31 09:15,{PRICES}\n2024-01-31T09:15:00Z,{PRICES}\n"
    bars = read_text(tmp_path, text, timezone="Asia/Kolkata").bars
    assert [rfc3339(ms)[11:16] for ms in bars.time.tolist()] == ["03:45", "09:15"]
    assert refused(tmp_path, text, timezone="Mars/Base").code == "unknown_timezone"
    assert refused(tmp_path, text, timezone="../etc/passwd").code == "unknown_timezone"


def test_dates_stay_the_dates_they_are(tmp_path: Path) -> None:
    text = f"Date,open,high,low,close,volume\n2024-01-31,{PRICES}\n2024-02-01 00:00:00,{PRICES}\n"
    bars = read_text(tmp_path, text, timezone="Asia/Kolkata").bars
    assert [rfc3339(ms) for ms in bars.time.tolist()] == ["2024-01-31T00:00:00.000Z", "2024-02-01T00:00:00.000Z"]


@pytest.mark.parametrize("backwards", [False, True])
def test_the_hour_that_happens_twice_happens_twice(tmp_path: Path, backwards: bool) -> None:
    local = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    rows = [f"2024-11-03 {text},{PRICES}" for text in local]
    lines = ["time,open,high,low,close,volume", *(reversed(rows) if backwards else rows)]
    bars = read_text(tmp_path, "\n".join(lines) + "\n", timezone="America/New_York").bars
    utc = [rfc3339(ms)[11:16] for ms in bars.time.tolist()]
    assert utc == ["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"]


def test_the_hour_that_the_clocks_skip_is_refused(tmp_path: Path) -> None:
    text = f"time,open,high,low,close,volume\n2024-03-10 01:30,{PRICES}\n2024-03-10 02:30,{PRICES}\n"
    problem = refused(tmp_path, text, timezone="America/New_York")
    assert fields(problem) == ["rows.3.time"]
    assert "does not exist in America/New_York" in problem.detail


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ('"$1,010.5","$1,012","$1,009","$1,011","1,234,567"', [1010.5, 1012, 1009, 1011, 1234567]),
        ("10.5,12,9,11,1.5M", [10.5, 12, 9, 11, 1_500_000]),
        (" 10 , 12,9.0,1.1e1,2K", [10, 12, 9, 11, 2000]),
        ('"10,5","12,25","9,75","11,0",100', [10.5, 12.25, 9.75, 11, 100]),
    ],
)
def test_reads_numbers_as_people_write_them(tmp_path: Path, row: str, numbers: list[float]) -> None:
    bars = read_text(tmp_path, f"Date,Open,High,Low,Close,Volume\n2024-01-02,{row}\n").bars
    assert [column[0] for column in bars.columns()[1:]] == numbers


def test_asks_what_a_comma_means(tmp_path: Path) -> None:
    text = "Date;Open;High;Low;Close\n2024-01-02;1,010;1,012;1,009;1,011\n"
    assert refused(tmp_path, text).code == "ambiguous_numbers"


def test_names_bad_cells_by_the_rows_of_the_file(tmp_path: Path) -> None:
    text = (
        "Date,Open,High,Low,Close,Volume\n"
        f"2024-01-02,{PRICES}\n"
        "\n"
        "2024-01-03,abc,12,9,11,100\n"
        "2024-01-04,10,,9,11,100\n"
        f"someday,{PRICES}\n"
        "2024-01-08,10,12\n"
        "2024-13-09,10,12,9,11,x\n"
    )
    problem = refused(tmp_path, text)
    assert problem.code == "invalid_bars"
    assert fields(problem) == [
        "rows.4.open",
        "rows.5.high",
        "rows.6.time",
        "rows.7.cells",
        "rows.8.time",
        "rows.8.volume",
    ]
    assert problem.errors[0].message == "'abc' is not a number"
    assert "6 problems" in problem.detail


def test_names_bad_bars_by_the_rows_of_the_file(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume\n"
    text = f"{header}2024-01-02,{PRICES}\n2024-01-03,10,8,9,11,1\n2024-01-02,{PRICES}\n"
    assert fields(refused(tmp_path, text)) == ["rows.3.high", "rows.4.time", "rows.4.time"]
    newest_first = f"{header}2024-01-03,{PRICES}\n2024-01-02,10,8,9,11,1\n2024-01-01,{PRICES}\n"
    assert fields(refused(tmp_path, newest_first)) == ["rows.3.high"]


def test_turns_a_file_round_that_runs_backwards(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close\n2024-01-03,10,12,9,11\n2024-01-02,1,1,1,1\n"
    read = read_text(tmp_path, text)
    assert read.bars.close.tolist() == [1, 11]
    assert any("turned round" in note for note in read.notes)


def test_drops_bad_rows_and_repeats_when_told_to(tmp_path: Path) -> None:
    text = (
        "Date,Open,High,Low,Close,Volume\n"
        "2024-01-05,5,5,5,5,5\n"
        "2024-01-02,2,2,2,2,2\n"
        "2024-01-03,null,null,null,null,null\n"
        "2024-01-04,10,8,9,11,1\n"
        "never,1,1,1,1,1\n"
        "2024-01-02,3,3,3,3,3\n"
        "2024-01-09,1\n"
    )
    read = read_text(tmp_path, text, on_error="drop")
    assert read.bars.close.tolist() == [3, 5]
    assert (read.rows_read, read.rows_dropped) == (7, 5)
    assert any("sorted" in note for note in read.notes)
    assert any("3 bad rows" in note for note in read.notes)
    assert any("1 rows with a repeated time" in note for note in read.notes)
    assert (
        "every row is bad"
        in refused(tmp_path, "Date,Open,High,Low,Close\nx,1,1,1,1\n2024-01-01,,,,\n", on_error="drop").detail
    )


def test_lists_the_columns_when_one_is_missing(tmp_path: Path) -> None:
    problem = refused(tmp_path, "When,Open,High,Low,Price2\n1,2,3,4,5\n")
    assert problem.code == "missing_columns"
    assert "'When', 'Open', 'High', 'Low', 'Price2'" in problem.detail
    assert fields(problem) == ["time", "close"]
    assert "datetime" in problem.errors[0].message
    assert "last" in problem.errors[1].message


@pytest.mark.parametrize("text", ["", "\n", "Date,Open,High,Low,Close\n", "hello"])
def test_refuses_empty_files(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_refuses_times_of_no_known_format(tmp_path: Path) -> None:
    problem = refused(tmp_path, "Date,Open,High,Low,Close\nyesterday,1,1,1,1\n")
    assert "'yesterday'" in problem.detail
    assert "ISO 8601" in problem.detail


def test_refuses_a_declared_timeframe_that_contradicts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_bars_file(make_bars(30), path)
    assert len(read_bars_file(path, timeframe=Timeframe.D1).bars) == 30
    with pytest.raises(Invalid, match="they look like 1d bars"):
        read_bars_file(path, timeframe=Timeframe.W1)


def test_refuses_what_is_too_large(tmp_path: Path) -> None:
    header = ",".join(["Date", "Open", "High", "Low", "Close", *(f"x{i}" for i in range(300))])
    with pytest.raises(TooLarge, match="305 columns"):
        read_text(tmp_path, f"{header}\n")
    for name in ("x.csv", "x.csv.gz", "x.parquet", "x.feather"):
        write_bars_file(make_bars(1000), tmp_path / name)
        with pytest.raises(TooLarge):
            read_bars_file(tmp_path / name, max_bytes=5000)
    bomb = tmp_path / "bomb.csv.gz"
    bomb.write_bytes(gzip.compress(b"0" * 1_000_000))
    with pytest.raises(TooLarge):
        read_bars_file(bomb, max_bytes=100_000)


@pytest.mark.parametrize("name", ["x.csv.gz", "x.parquet", "x.feather", "x.csv"])
def test_refuses_damaged_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"Date,Open,High,Low,Close\n\xff\xfe,1,1,1,1\n")
    with pytest.raises(Invalid, match=f"{name} cannot be read") as caught:
        read_bars_file(path)
    assert caught.value.code == "unreadable_file"


def test_refuses_missing_files_and_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        read_bars_file(tmp_path / "none.csv")
    for name in ("x.xlsx", "x.parquet.gz", "x"):
        with pytest.raises(Invalid, match="no known format"):
            read_bars_file(tmp_path / name)
        with pytest.raises(Invalid, match="no known format"):
            write_bars_file(make_bars(1), tmp_path / name)


def table_of(time: pa.Array, **extra: pa.Array) -> pa.Table:
    count = len(time)
    prices = {name: np.full(count, 10.0) for name in ("open", "high", "low", "close")}
    return pa.table({"time": time, **prices, **extra})


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (pa.array([date(2024, 1, 31)]), "2024-01-31T00:00:00.000Z"),
        (pa.array([date(2024, 1, 31)], pa.date64()), "2024-01-31T00:00:00.000Z"),
        (pa.array([datetime(2024, 1, 31, 9, 30)], pa.timestamp("ns")), "2024-01-31T04:00:00.000Z"),  # noqa: DTZ001
        (pa.array([1706693400], pa.timestamp("s", "America/New_York")), "2024-01-31T09:30:00.000Z"),
        (pa.array([1706693400], pa.int32()), "2024-01-31T09:30:00.000Z"),
        (pa.array([1706693400000.0]), "2024-01-31T09:30:00.000Z"),
        (pa.array([20240131]), "2024-01-31T00:00:00.000Z"),
        (pa.array(["2024-01-31 09:30"]), "2024-01-31T04:00:00.000Z"),
        (pa.array(["2024-01-31 09:30"]).dictionary_encode(), "2024-01-31T04:00:00.000Z"),
        (pa.array(["2024-01-31 09:30"], pa.large_string()), "2024-01-31T04:00:00.000Z"),
    ],
)
@pytest.mark.parametrize("name", ["x.parquet", "x.feather"])
def test_reads_typed_times(tmp_path: Path, time: pa.Array, expected: str, name: str) -> None:
    write = pq.write_table if name == "x.parquet" else feather.write_feather
    write(table_of(time), str(tmp_path / name))
    read = read_bars_file(tmp_path / name, timezone="Asia/Kolkata")
    assert rfc3339(int(read.bars.time[0])) == expected


def test_reads_typed_numbers_and_reports_empty_ones(tmp_path: Path) -> None:
    time = pa.array([1706693400, 1706693460, None], pa.int64())
    volume = pa.array([1, None, 3], pa.decimal128(10, 2))
    table = table_of(time, volume=volume).set_column(1, "open", pa.array([10, None, 10], pa.int8()))
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(Invalid) as caught:
        read_bars_file(tmp_path / "x.parquet")
    assert [error.field for error in caught.value.errors] == ["rows.2.open", "rows.3.time"]
    read = read_bars_file(tmp_path / "x.parquet", on_error="drop")
    assert read.bars.volume.tolist() == [1.0]


@pytest.mark.parametrize("column", ["time", "close"])
def test_refuses_columns_of_a_wrong_type(tmp_path: Path, column: str) -> None:
    table = table_of(pa.array([1706693400]))
    table = table.set_column(table.column_names.index(column), column, pa.array([[1]]))
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(Invalid, match=f"the {column} column holds list"):
        read_bars_file(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.tsv", "x.parquet", "x.pq", "x.feather", "x.arrow"])
def test_writes_what_it_reads(tmp_path: Path, name: str) -> None:
    bars = make_bars(300, step_ms=Timeframe.H1.ms, start_ms=1_706_693_400_123)
    write_bars_file(bars, tmp_path / name)
    assert_same_bars(read_bars_file(tmp_path / name).bars, bars)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_writes_iso_times(tmp_path: Path) -> None:
    write_bars_file(make_bars(1), tmp_path / "x.csv")
    header, row = (tmp_path / "x.csv").read_text().splitlines()
    assert header == "time,open,high,low,close,volume"
    assert row.startswith("1970-01-01T00:00:00.000Z,")


price = st.floats(min_value=5e-324, max_value=1e308, allow_subnormal=True)


@st.composite
def bars_strategy(draw: st.DrawFn) -> Bars:
    times = sorted(draw(st.sets(st.integers(-(2**40), 2**42), min_size=1, max_size=8)))
    rows = [sorted(draw(st.tuples(price, price, price, price))) for _ in times]
    low, opens, close, high = (np.array(column) for column in zip(*rows, strict=True))
    volume = draw(st.lists(st.floats(0, 1e308), min_size=len(times), max_size=len(times)))
    return Bars(np.array(times, dtype=np.int64), opens, high, low, close, np.array(volume, dtype=np.float64))


@settings(max_examples=60, deadline=None)
@given(bars=bars_strategy(), suffix=st.sampled_from([".csv", ".csv.gz", ".parquet", ".feather"]))
def test_round_trips_any_bars(tmp_path_factory: pytest.TempPathFactory, bars: Bars, suffix: str) -> None:
    path = tmp_path_factory.mktemp("round") / f"x{suffix}"
    write_bars_file(bars, path)
    assert_same_bars(read_bars_file(path).bars, bars)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    path.write_bytes(("Date,Open,High,Low,Close,Volume\n" + text).encode("utf-8", "surrogatepass"))
    for on_error in ("refuse", "drop"):
        with suppress(Invalid):
            read_bars_file(path, on_error=on_error)
