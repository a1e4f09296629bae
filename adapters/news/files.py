"""Opens files of news by their format, within limits."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapters.news.text import decoded
from domain.common.errors import Conflict, FieldError, Invalid, NotFound, TooLarge
from domain.intelligence.importing import RawNews
from domain.market.model import parse_symbol
from domain.market.validation import RowProblem

FileKind = Literal["csv", "jsonl", "feed"]
KINDS: tuple[FileKind, ...] = ("csv", "jsonl", "feed")

MAX_BYTES = 100 << 20
MAX_ROWS = 1_000_000
MAX_ALIASES = 100_000

_SUFFIXES: dict[str, FileKind] = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".xml", ".rss", ".atom"), "feed"),
}


@dataclass(frozen=True, slots=True)
class NewsFile:
    """A file of news.

    Args:
        kind: its format; None tells it by the suffix of its name.
        encoding: of CSV and JSON lines; None tells it by the byte order mark, else UTF-8.
        source: of items that name none; None takes the title of a feed, else the name of the file.
        timed: whether items need no time of their own.
    """

    path: Path
    kind: FileKind | None = None
    encoding: str | None = None
    source: str | None = None
    timed: bool = False
    max_bytes: int = MAX_BYTES
    max_rows: int = MAX_ROWS

    @property
    def default_source(self) -> str:
        """The source of items that name none, where it is no feed with a title."""
        return self.path.stem if self.source is None else self.source

    def digest(self) -> str:
        """Return the SHA-256 of the file.

        Raises:
            NotFound, TooLarge, Invalid: it cannot be read.
        """
        return hashlib.sha256(_read(self.path, self.max_bytes)).hexdigest()

    def rows(self, digest: str | None = None) -> Iterator[RawNews | RowProblem]:
        """Return the rows of the file, and what is wrong with those that cannot be read.

        Args:
            digest: what the file was when it was looked at before.

        Raises:
            NotFound: there is no such file.
            TooLarge: it has more bytes or rows than allowed.
            Invalid: its format is unknown, it cannot be read at all, or a column is missing.
            Conflict: it has changed since.
        """
        data = _read(self.path, self.max_bytes)
        if digest is not None and hashlib.sha256(data).hexdigest() != digest:
            raise Conflict(f"{self.path.name} changed while it was read; import it again", code="file_changed")
        for number, row in enumerate(self._rows(data), start=1):
            if number > self.max_rows:
                raise TooLarge(f"{self.path.name} has more than {self.max_rows} rows; split it")
            yield row

    def _rows(self, data: bytes) -> Iterator[RawNews | RowProblem]:
        from adapters.news.feed_file import feed_rows
        from adapters.news.table_file import csv_rows, jsonl_rows

        name = self.path.name
        kind = self.kind or kind_of(self.path)
        if kind == "feed":
            return feed_rows(data, name, titled=self.source is None)
        text = decoded(data, self.encoding, name)
        return csv_rows(text, name, timed=self.timed) if kind == "csv" else jsonl_rows(text)


def kind_of(path: Path) -> FileKind:
    """Return the format of a file by the suffix of its name.

    Raises:
        Invalid: code ``unknown_format``.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(_SUFFIXES)
        raise Invalid(f"{path.name!r} is of no known format; expected {known}", code="unknown_format")
    return kind


def read_aliases(path: Path) -> list[tuple[str, str]]:
    """Return (symbol, name) of each row of a CSV file with the columns ``symbol`` and ``alias``.

    Raises:
        NotFound, TooLarge, Invalid: it cannot be read, or a row is wrong.
    """
    text = decoded(_read(path, 10 << 20), None, path.name)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        _require_header(path, next(reader, []))
        found = [_alias(path, number, cells) for number, cells in enumerate(reader, start=2) if cells]
    except csv.Error as error:
        raise Invalid(f"{path.name} is no CSV file: {error}", code="invalid_aliases") from None
    if len(found) > MAX_ALIASES:
        raise TooLarge(f"{path.name} has more than {MAX_ALIASES} rows")
    return found


def _require_header(path: Path, cells: list[str]) -> None:
    if [cell.strip().lower() for cell in cells] != ["symbol", "alias"]:
        raise Invalid(f"{path.name} must begin with the line: symbol,alias", code="invalid_aliases")


def _alias(path: Path, row: int, cells: list[str]) -> tuple[str, str]:
    try:
        symbol, alias = cells
        if any(letter.isalnum() for letter in alias):
            return parse_symbol(symbol), alias
    except (ValueError, Invalid):
        pass
    problem = [FieldError(f"rows.{row}", "must be a symbol and a name")]
    raise Invalid(f"{path.name}: row {row} must be a symbol and a name", code="invalid_aliases", errors=problem)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: {error.strerror}", code="unreadable_file") from None
    if len(data) > most:
        raise TooLarge(f"{path.name} is larger than {most >> 20} MB; split it")
    return data
