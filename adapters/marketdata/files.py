"""Imports bars from the files people have, and writes bars to files other programs read."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from adapters.marketdata.columns import find_columns
from adapters.marketdata.faults import Faults
from adapters.marketdata.numbers import numbers_of
from adapters.marketdata.sources import MAX_BYTES, Loaded, format_of, open_source
from adapters.marketdata.times import DateOrder, TimeRules, times_of
from domain.common.errors import Invalid
from domain.common.zones import zone_named
from domain.market.model import Bars, Timeframe
from domain.market.services import check_timeframe, guess_timeframe
from domain.market.validation import Rows, broken_rows, check_bars, invalid_rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DateOrder", "ImportedFile", "OnError", "guess_timeframe", "read_bars_file", "write_bars_file"]

OnError = Literal["refuse", "drop"]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """The bars of a file, valid and ascending.

    ``rows_read`` counts the file's data rows, ``rows_dropped`` those that did not become bars.
    ``notes`` say in words what was decided or changed on the way.
    """

    bars: Bars
    rows_read: int
    rows_dropped: int
    notes: tuple[str, ...]


def read_bars_file(
    path: Path,
    *,
    timeframe: Timeframe | None = None,
    timezone: str = "UTC",
    date_order: DateOrder | None = None,
    adjusted: bool = False,
    on_error: OnError = "refuse",
    max_bytes: int = MAX_BYTES,
) -> ImportedFile:
    """Read bars from a CSV (plain or gzipped), Parquet or Feather file.

    Columns are found by their names in the usual spellings; extra columns are ignored and a missing volume
    is 0. A file that runs from the newest bar to the oldest is turned round.

    Args:
        path: the file; its suffix names the format.
        timeframe: the declared length of the bars, checked against their spacing.
        timezone: the IANA zone of times that state none; dates without times become 00:00 UTC of each.
        date_order: settles dates such as 3/4/2024 when the file does not.
        adjusted: scale open, high, low and close by adjusted close / close.
        on_error: ``refuse`` a file with a bad row; or ``drop`` bad rows, sort, and of equal times keep the
            last.
        max_bytes: the largest size allowed, after decompression.

    Raises:
        NotFound: there is no such file.
        TooLarge: the file is larger than allowed.
        Invalid: the file cannot be read, a column is missing, rows are bad (``errors`` names them by the
            file's own row numbers, a CSV header being row 1), dates are ambiguous, or the timeframe
            contradicts the data.
    """
    rules = TimeRules(zone_named(timezone), date_order)
    source = open_source(path, max_bytes)
    plan = find_columns(source.names, adjusted=adjusted).positions()
    loaded = source.load(list(plan.values()))
    if not len(loaded.rows) and not loaded.ragged:
        raise Invalid(f"{path.name} has no rows", code="invalid_bars")
    columns = dict(zip(plan, loaded.columns, strict=True))
    faults = Faults(loaded.rows)
    bars, notes = _parse(columns, rules, faults)
    rows_read = len(loaded.rows) + len(loaded.ragged)
    if on_error == "refuse":
        bars, turned = _refuse(bars, loaded, faults)
    else:
        bars, turned = _drop(bars, faults)
    if timeframe is not None:
        check_timeframe(bars.time, timeframe)
    return ImportedFile(bars, rows_read, rows_read - len(bars), (*notes, *turned))


def _parse(columns: dict[str, pa.ChunkedArray], rules: TimeRules, faults: Faults) -> tuple[Bars, list[str]]:
    time = times_of(columns.pop("time"), columns.pop("clock", None), rules, faults)
    numbers, notes = numbers_of(columns, faults)
    if "volume" not in numbers:
        numbers["volume"] = np.zeros(len(time))
        notes.append("the file has no volume; it was set to 0")
    adjusted = numbers.pop("adjusted", None)
    if adjusted is not None:
        with np.errstate(all="ignore"):
            factor = adjusted / numbers["close"]
        # One factor for all four keeps low <= open, close <= high, which rounding each price alone may not.
        numbers |= {role: numbers[role] * factor for role in ("open", "high", "low", "close")}
        notes.append("prices were scaled by adjusted close / close")
    return Bars(time=time, **numbers), notes


def _refuse(bars: Bars, loaded: Loaded, faults: Faults) -> tuple[Bars, list[str]]:
    problems = [*loaded.ragged, *faults.problems]
    if problems:
        raise invalid_rows(problems, faults.total + len(loaded.ragged))
    bars, rows, notes = _oldest_first(bars, loaded.rows)
    check_bars(bars, row_of=rows)
    return bars, notes


def _oldest_first(bars: Bars, rows: Rows) -> tuple[Bars, Rows, list[str]]:
    if len(bars) < 2 or not bool(np.all(bars.time[1:] < bars.time[:-1])):
        return bars, rows, []
    return (
        bars.take(np.arange(len(bars))[::-1]),
        rows[::-1],
        ["the file runs from newest to oldest; it was turned round"],
    )


def _drop(bars: Bars, faults: Faults) -> tuple[Bars, list[str]]:
    bad = faults.bad | broken_rows(bars)
    good = bars.take(~bad)
    if not len(good):
        raise Invalid("every row is bad; import with on_error refuse to see why", code="invalid_bars")
    order = np.argsort(good.time, kind="stable")
    moved = bool((order[1:] < order[:-1]).any())
    ordered = good.take(order)
    last = np.append(ordered.time[1:] != ordered.time[:-1], True)
    kept = ordered.take(last)
    notes = ["the rows were sorted by time"] if moved else []
    if bad.any():
        notes.append(f"{int(bad.sum())} bad rows were dropped")
    if len(kept) < len(ordered):
        repeated = len(ordered) - len(kept)
        notes.append(f"{repeated} rows with a repeated time were dropped; the last of each stayed")
    return kept, notes


def write_bars_file(bars: Bars, path: Path) -> None:
    """Write bars to a CSV, Parquet or Feather file by the suffix of its name, whole or not at all.

    CSV times are ISO 8601 with milliseconds and ``Z``; the other formats hold millisecond UTC timestamps.
    Prices are exact: reading the file gives equal bars. An existing file is replaced.

    Raises:
        Invalid: the suffix names no known format.
        OSError: the file cannot be written.
    """
    import pyarrow as pa

    kind = format_of(path)
    time = pa.array(bars.time).cast(pa.timestamp("ms", "UTC"))
    names = ("open", "high", "low", "close", "volume")
    table = pa.table({"time": time, **dict(zip(names, bars.columns()[1:], strict=True))})
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        _write_table(table, temporary, kind, packed=path.name.lower().endswith(".gz"))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_table(table: pa.Table, path: Path, kind: str, *, packed: bool) -> None:
    import pyarrow as pa

    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path, compression="zstd")
    elif kind == "feather":
        import pyarrow.feather as feather

        feather.write_feather(table, str(path), compression="zstd")
    else:
        with pa.output_stream(str(path), compression="gzip" if packed else None) as file:
            _write_csv(table, file, "\t" if ".tsv" in path.name.lower() else ",")


def _write_csv(table: pa.Table, file: pa.NativeFile, delimiter: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv

    text = pc.replace_substring(table.column("time").cast(pa.string()), " ", "T")
    file.write(f"{delimiter.join(table.column_names)}\n".encode())
    options = arrow_csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    arrow_csv.write_csv(table.set_column(0, "time", text), file, options)
