"""News in CSV and in JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters.news.columns import Columns, find_columns, require_columns
from domain.common.errors import FieldError, Invalid
from domain.intelligence.importing import RawNews
from domain.market.validation import RowProblem

Rows = Iterator[RawNews | RowProblem]

_TEXTS = ("title", "text", "url", "source")
_TIMES = ("published", "available")


def csv_rows(text: str, name: str, *, timed: bool) -> Rows:
    """Return the rows of a CSV file with a header; it is row 1.

    Cells are separated by what there is most of in the header: comma, semicolon, tab or bar.

    Raises:
        Invalid: there is no header, or a column is missing.
    """
    first = text[: text.find("\n") + 1] or text
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader)]
    except (StopIteration, csv.Error):
        raise Invalid(f"{name} does not start with a line of column names", code="unreadable_file") from None
    columns = find_columns(header)
    require_columns(columns, header, timed=timed)
    return _csv_rows(reader, header, columns)


def _csv_rows(reader: Any, header: list[str], columns: Columns) -> Rows:
    row = 1
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowProblem(row, "cells", f"cannot be told apart: {error} (line {reader.line_num})")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            yield RowProblem(row, "cells", f"are {len(cells)}, expected {len(header)}")
            continue
        yield _raw(row, dict(zip(reversed(header), reversed(cells), strict=True)), columns)


def _raw(row: int, values: Mapping[str, str], columns: Columns) -> RawNews:
    found = {role: values[name] for role, name in columns.by_role.items()}
    if columns.clock is not None and found["published"].strip():
        found["published"] = f"{found['published'].strip()} {values[columns.clock].strip()}".strip()
    return RawNews(row, **found)


def jsonl_rows(text: str) -> Rows:
    """Return the lines of a file with one JSON object each. Their names may be spelled as in CSV."""
    for line, content in enumerate(io.StringIO(text, newline="\n"), start=1):
        if not content.strip():
            continue
        try:
            yield _from_json(line, content)
        except (ValueError, RecursionError) as error:
            yield RowProblem(line, "line", f"is not one JSON object: {error}"[:200])
        except Invalid as error:
            yield RowProblem(line, error.errors[0].field, error.errors[0].message)


def _from_json(line: int, content: str) -> RawNews:
    value = _decoder.decode(content.strip())
    if not isinstance(value, dict):
        raise ValueError("it is something else")
    columns = find_columns(list(value))
    found: dict[str, Any] = {}
    for role, name in columns.by_role.items():
        if value[name] is not None:
            found[role] = _checked(role, value[name])
    if columns.clock is not None and isinstance(value[columns.clock], str) and "published" in found:
        found["published"] = f"{found['published']} {value[columns.clock]}"
    return RawNews(line, **found)


def _checked(role: str, value: Any) -> Any:
    good: Callable[[Any], bool]
    if role in _TEXTS:
        good, what = _is_text, "text"
    elif role in _TIMES:
        good, what = _is_time, "text or a number"
    else:
        good, what = _are_names, "text or a list of text"
    if good(value):
        return value
    raise Invalid("not what it must be", errors=[FieldError(role, f"must be {what}")])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_time(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(name, str) for name in value))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has the same name twice")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
