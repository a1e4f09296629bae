"""Opens CSV, Parquet and Feather files: first their column names, then the columns asked for."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.common.errors import Invalid, NotFound, TooLarge
from domain.market.validation import RowProblem, Rows

if TYPE_CHECKING:
    import pyarrow as pa

MAX_COLUMNS = 256
MAX_BYTES = 2 << 30
FORMATS = ".csv, .tsv, .txt, .csv.gz, .parquet, .pq, .feather or .arrow"

_POSITIONAL = {
    5: ("time", "open", "high", "low", "close"),
    6: ("time", "open", "high", "low", "close", "volume"),
    7: ("date", "time", "open", "high", "low", "close", "volume"),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The columns asked for, the source's number of each row, and the rows that did not split into cells."""

    columns: list[pa.ChunkedArray]
    rows: Rows
    ragged: list[RowProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """A file with its column names; ``load`` reads the columns at the given positions."""

    names: list[str]
    load: Callable[[Sequence[int]], Loaded]


def format_of(path: Path) -> str:
    """Return ``csv``, ``parquet`` or ``feather`` by the suffix of the name.

    Raises:
        Invalid: code ``unknown_format``.
    """
    name = path.name.lower().removesuffix(".gz")
    for suffixes, kind in (
        ((".csv", ".tsv", ".txt"), "csv"),
        ((".parquet", ".pq"), "parquet"),
        ((".feather", ".arrow", ".ipc"), "feather"),
    ):
        if name.endswith(suffixes) and (kind == "csv" or not path.name.lower().endswith(".gz")):
            return kind
    raise Invalid(f"{path.name!r} is of no known format; expected {FORMATS}", code="unknown_format")


def open_source(path: Path, max_bytes: int = MAX_BYTES) -> Source:
    """Open a file of bars.

    Args:
        path: the file; its suffix names the format.
        max_bytes: the largest size allowed, after decompression.

    Raises:
        NotFound: there is no such file.
        Invalid: the format is unknown, or the file is damaged or empty.
        TooLarge: the file has more than 256 columns or is larger than ``max_bytes``.
    """
    import pyarrow as pa

    openers = {"csv": _open_csv, "parquet": _open_parquet, "feather": _open_feather}
    opener = openers[format_of(path)]
    try:
        if path.stat().st_size > max_bytes:
            raise _too_large(path, max_bytes)
        source = opener(path, max_bytes)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (pa.ArrowException, gzip.BadGzipFile, EOFError, OSError, UnicodeError) as problem:
        raise _unreadable(path, problem) from problem
    if len(source.names) > MAX_COLUMNS:
        raise TooLarge(f"{path.name} has {len(source.names)} columns; at most {MAX_COLUMNS} are allowed")
    return Source(source.names, _guarded(path, source.load))


def _guarded(path: Path, load: Callable[[Sequence[int]], Loaded]) -> Callable[[Sequence[int]], Loaded]:
    def guarded(positions: Sequence[int]) -> Loaded:
        import pyarrow as pa

        try:
            return load(positions)
        except (pa.ArrowException, OSError) as problem:
            raise _unreadable(path, problem) from problem

    return guarded


def _unreadable(path: Path, problem: BaseException) -> Invalid:
    reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
    return Invalid(f"{path.name} cannot be read as {format_of(path)}: {reason}", code="unreadable_file")


def _too_large(path: Path, max_bytes: int) -> TooLarge:
    return TooLarge(f"{path.name} is larger than {max_bytes} bytes when unpacked; split it")


def _open_parquet(path: Path, max_bytes: int) -> Source:
    import pyarrow.parquet as pq

    footer = pq.read_metadata(path)
    unpacked = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    if unpacked > max_bytes:
        raise _too_large(path, max_bytes)
    names = list(footer.schema.to_arrow_schema().names)

    def load(positions: Sequence[int]) -> Loaded:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=[names[i] for i in positions])
        return _typed([table.column(names[i]) for i in positions], table.num_rows)

    return Source(names, load)


def _open_feather(path: Path, max_bytes: int) -> Source:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        names = list(pa.ipc.open_file(file).schema.names)

    def load(positions: Sequence[int]) -> Loaded:
        options = pa.ipc.IpcReadOptions(included_fields=sorted(positions))
        size, batches = 0, []
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file, options=options)
            for i in range(reader.num_record_batches):
                batches.append(reader.get_batch(i))
                size += batches[-1].nbytes
                if size > max_bytes:
                    raise _too_large(path, max_bytes)
            table = pa.Table.from_batches(batches, schema=reader.schema)
        return _typed([table.column(names[i]) for i in positions], table.num_rows)

    return Source(names, load)


def _typed(columns: list[pa.ChunkedArray], count: int) -> Loaded:
    import pyarrow as pa

    plain = []
    for column in columns:
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
            kind = pa.string()
        plain.append(column.cast(kind))
    return Loaded(plain, np.arange(1, count + 1, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the data of a CSV file starts and how it is split."""

    names: list[str]
    delimiter: str
    skip: int


def _open_csv(path: Path, max_bytes: int) -> Source:
    import pyarrow as pa

    packed = path.name.lower().endswith(".gz")
    data = _unpacked(path, max_bytes) if packed else None
    layout = _layout(data if data is not None else _head(path), path)

    def load(positions: Sequence[int]) -> Loaded:
        source: Any = pa.BufferReader(data) if data is not None else path
        return _load_csv(source, layout, positions)

    return Source(layout.names, load)


def _unpacked(path: Path, max_bytes: int) -> bytes:
    with gzip.open(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_large(path, max_bytes)
    return data


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16)


def _layout(data: bytes, path: Path) -> _Layout:
    lines = data[: 1 << 16].decode("utf-8-sig", errors="replace").splitlines()[:4]
    if not lines or not lines[0].strip():
        raise Invalid(f"{path.name} does not start with a line of column names", code="unreadable_file")
    delimiter = max(",;\t|", key=lines[0].count)
    cells = next(csv.reader(io.StringIO(lines[0]), delimiter=delimiter))
    if _has_no_header(cells):
        return _Layout(list(_POSITIONAL[len(cells)]), delimiter, 0)
    if cells[0].strip().lower() == "price" and lines[1:] and lines[1].lower().startswith("ticker"):
        # yfinance writes three header lines: price and column names, tickers, and the name of the index.
        return _Layout(["Date", *cells[1:]], delimiter, 3)
    return _Layout(cells, delimiter, 1)


def _has_no_header(cells: list[str]) -> bool:
    number = re.compile(r"[-+]?\d+([.,]\d+)?")
    return len(cells) in _POSITIONAL and all(number.fullmatch(cell.strip()) for cell in cells[2:])


def _load_csv(source: Any, layout: _Layout, positions: Sequence[int]) -> Loaded:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    names = [f"c{i}" for i in range(len(layout.names))]
    wanted = [names[i] for i in positions]
    ragged: list[RowProblem] = []

    def note(row: Any) -> str:
        message = f"has {row.actual_columns} cells, expected {row.expected_columns}"
        ragged.append(RowProblem(int(row.number), "cells", message))
        return "skip"

    # One thread, because only then does a row that cannot be split know its number.
    table = arrow_csv.read_csv(
        source,
        read_options=arrow_csv.ReadOptions(
            column_names=names, skip_rows=layout.skip, use_threads=False, block_size=8 << 20
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
        ),
    )
    rows = _line_numbers(table.num_rows, layout.skip + 1, [problem.row for problem in ragged])
    return _without_blank_lines([table.column(name) for name in wanted], rows, ragged)


def _line_numbers(count: int, first: int, taken: list[int]) -> Rows:
    lines = np.arange(first, first + count + len(taken), dtype=np.int64)
    return lines[~np.isin(lines, taken)] if taken else lines


def _without_blank_lines(columns: list[pa.ChunkedArray], rows: Rows, ragged: list[RowProblem]) -> Loaded:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = np.zeros(len(rows), dtype=np.bool_)
    for column in columns:
        filled |= pc.not_equal(column, "").to_numpy().astype(np.bool_)
        if filled.all():
            return Loaded(columns, rows, ragged)
    keep = pa.chunked_array([pa.array(filled)])
    return Loaded([column.filter(keep) for column in columns], rows[filled], ragged)
