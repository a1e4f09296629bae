"""Recorded ticks: a CSV file for each day, with the columns ``time_ms,symbol,price,volume``. Times are UTC."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from domain.common.errors import FieldError, Invalid, NotFound
from domain.common.time import from_ms
from domain.market.model import parse_symbol
from domain.market.ticks import Tick

COLUMNS = ["time_ms", "symbol", "price", "volume"]


def read_ticks(path: Path) -> Iterator[Tick]:
    """Yield the ticks of a file, or of all files of a folder, by time.

    Raises:
        NotFound: there is no such file.
        Invalid: a row is no tick, or comes before the one above it; the message says which.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise NotFound(f"there are no ticks at {path}; record some with AITRADER_RECORD_TICKS=true", code="no_ticks")
    symbols: dict[str, str] = {}
    last = 0
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.reader(lines)
            if next(rows, None) != COLUMNS:
                raise _invalid(file, 1, f"the first line must be {','.join(COLUMNS)}")
            for number, row in enumerate(rows, 2):
                tick = _tick(file, number, row, symbols)
                if tick.time_ms < last:
                    raise _invalid(file, number, "is older than the one above it")
                last = tick.time_ms
                yield tick


def _tick(file: Path, number: int, row: list[str], symbols: dict[str, str]) -> Tick:
    try:
        time_ms, name, price, volume = int(row[0]), row[1], float(row[2]), float(row[3])
        symbol = symbols.get(name) or symbols.setdefault(name, parse_symbol(name))
    except (ValueError, IndexError, Invalid):
        raise _invalid(file, number, f"is no tick: {','.join(row)[:80]!r}") from None
    if not (0 < price < math.inf and 0 <= volume < math.inf):
        raise _invalid(file, number, "has a price or volume out of range")
    return Tick(symbol, price, volume, time_ms)


def _invalid(file: Path, number: int, message: str) -> Invalid:
    errors = [FieldError(f"rows.{number}", message)]
    return Invalid(f"{file.name}, line {number}: {message}", code="invalid_ticks", errors=errors)


class TickRecorder:
    """Appends ticks to the file of their day. Used by one thread.

    Args:
        folder: made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._day = ""
        self._file: TextIO | None = None

    def write(self, ticks: Sequence[Tick]) -> None:
        """Append ticks, which come by time.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        for tick in ticks:
            day = from_ms(tick.time_ms).date().isoformat()
            if day != self._day:
                self._open(day)
            assert self._file is not None
            self._file.write(f"{tick.time_ms},{tick.symbol},{tick.price!r},{tick.volume!r}\n")
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._day, self._file = "", None

    def _open(self, day: str) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{day}.csv"
        new = not path.exists() or path.stat().st_size == 0
        self._file = path.open("a", encoding="utf-8")
        self._day = day
        if new:
            self._file.write(",".join(COLUMNS) + "\n")
