"""The format of stored bars: one Parquet file per symbol and timeframe, what it is about in its footer."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from domain.market.model import Bars, Dataset, Session, Timeframe

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"aitrader.dataset"
_FORMAT = 1
_VALUES = ("open", "high", "low", "close", "volume")
_ROWS_PER_GROUP = 1 << 18


class DamagedFileError(Exception):
    """A bar file cannot be read. The message says why, without the name of the file."""


def write_bar_file(file: IO[bytes], dataset: Dataset, bars: Bars) -> None:
    """Write bars and what they are to an open binary file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    time = pa.array(bars.time).cast(pa.timestamp("ms", "UTC"))
    table = pa.table({"time": time, **dict(zip(_VALUES, bars.columns()[1:], strict=True))})
    about = json.dumps({"format": _FORMAT, **asdict(dataset)}, sort_keys=True)
    pq.write_table(
        table.replace_schema_metadata({_KEY: about.encode()}),
        file,
        compression="zstd",
        # Quoted prices repeat their digits: zstd finds that in plain bytes, not in split or dictionary ones.
        use_dictionary=False,
        column_encoding={"time": "DELTA_BINARY_PACKED"},
        row_group_size=_ROWS_PER_GROUP,
        write_page_checksum=True,
    )


def read_footer(file: IO[bytes]) -> Dataset:
    """Return what a bar file says it holds, from its footer alone.

    Raises:
        DamagedFileError: it is no bar file, or of a newer version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _dataset(pq.read_metadata(file).metadata)
    except (pa.ArrowException, OSError) as problem:
        raise DamagedFileError(str(problem).splitlines()[0]) from problem


def read_bar_file(file: IO[bytes], *, start_ms: int | None = None, end_ms: int | None = None) -> Bars:
    """Return the bars of a file with start_ms ≤ time < end_ms, reading only the row groups they are in.

    Raises:
        DamagedFileError: it is no bar file, or a page does not match its checksum.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            dataset = _dataset(parquet.metadata.metadata)
            wanted = _row_groups(parquet.metadata, start_ms, end_ms)
            table = parquet.read_row_groups(wanted, columns=["time", *_VALUES])
    except (pa.ArrowException, OSError) as problem:
        raise DamagedFileError(str(problem).splitlines()[0]) from problem
    whole = start_ms is None and end_ms is None
    if table.num_columns != len(_VALUES) + 1 or (whole and table.num_rows != dataset.rows):
        raise DamagedFileError("its bars do not match its footer")
    return _bars(table).slice(start_ms, end_ms)


def _dataset(metadata: dict[bytes, bytes] | None) -> Dataset:
    about = (metadata or {}).get(_KEY)
    if about is None:
        raise DamagedFileError("it was not written by AITrader")
    try:
        return _decoded(json.loads(about))
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise DamagedFileError("its footer cannot be understood") from problem


def _decoded(about: dict[str, Any]) -> Dataset:
    if about.pop("format") != _FORMAT:
        raise DamagedFileError("it was written by a newer version of AITrader")
    about["timeframe"] = Timeframe(about["timeframe"])
    about["session"] = Session(about["session"])
    return Dataset(**about)


def _row_groups(footer: pa.FileMetaData, start_ms: int | None, end_ms: int | None) -> list[int]:
    first = np.datetime64(start_ms, "ms") if start_ms is not None else None
    end = np.datetime64(end_ms, "ms") if end_ms is not None else None
    wanted = []
    for i in range(footer.num_row_groups):
        times = footer.row_group(i).column(0).statistics
        if times is None or not times.has_min_max:
            wanted.append(i)
            continue
        low, high = (np.datetime64(moment.replace(tzinfo=None), "ms") for moment in (times.min, times.max))
        if (first is None or high >= first) and (end is None or low < end):
            wanted.append(i)
    return wanted


def _bars(table: pa.Table) -> Bars:
    import pyarrow as pa

    columns = [table.column("time").cast(pa.int64()), *(table.column(name) for name in _VALUES)]
    return Bars(*(column.to_numpy() for column in columns))
