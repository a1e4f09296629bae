"""Numbers out of cells: text with thousands separators, decimal commas, currency signs, or typed columns."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adapters.marketdata.faults import Faults
from domain.common.errors import Invalid
from domain.market.model import FloatColumn

if TYPE_CHECKING:
    import pyarrow as pa

_NOTHING = ("", "nan", "null", "none", "n/a", "na", "-", "--")
_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$"
_MANY_GROUPS = r"^[+-]?\d{1,3}(?:,\d{3}){2,}$"
_COMMA_DECIMAL = r"^[+-]?\d+,\d+$"
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9}


class Comma(StrEnum):
    """What a comma inside a number means in one file."""

    NONE = "none"
    THOUSANDS = "thousands"
    DECIMAL = "decimal"


def numbers_of(columns: dict[str, pa.ChunkedArray], faults: Faults) -> tuple[dict[str, FloatColumn], list[str]]:
    """Return the columns as float64 and notes for a person.

    An empty price is a fault; an empty volume is zero. What a comma means is decided from the whole file.

    Args:
        columns: text or number columns by role.
        faults: takes the cells that are no numbers.

    Raises:
        Invalid: a column is neither text nor numbers, or it cannot be told what a comma means.
    """
    texts = {role: _text(column) for role, column in columns.items() if _is_text(column)}
    comma = _comma_of(texts)
    numbers: dict[str, FloatColumn] = {}
    notes = ["commas were read as decimal points"] if comma is Comma.DECIMAL else []
    for role, column in columns.items():
        if role in texts:
            numbers[role] = _from_text(texts.pop(role), role, comma, faults)
        else:
            numbers[role] = _from_typed(column, role)
        notes += _settle_empty(numbers[role], role, faults)
    return numbers, notes


def _settle_empty(numbers: FloatColumn, role: str, faults: Faults) -> list[str]:
    empty = np.isnan(numbers) & ~faults.bad
    if not empty.any():
        return []
    if role != "volume":
        faults.add(empty, role, lambda i: "is empty")
        return []
    numbers[empty] = 0.0
    return [f"{int(empty.sum())} empty volumes were read as 0"]


def _is_text(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.fill_null(pc.utf8_trim_whitespace(column), "")


def _from_typed(column: pa.ChunkedArray, role: str) -> FloatColumn:
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise Invalid(f"the {role} column holds {kind}, not numbers", code="invalid_bars")
    return _as_floats(column.cast(pa.float64(), safe=False))


def _as_floats(column: pa.ChunkedArray) -> FloatColumn:
    import pyarrow.compute as pc

    numbers: NDArray[np.float64] = pc.fill_null(column, float("nan")).to_numpy()
    return np.array(numbers, dtype=np.float64)


def _from_text(text: pa.ChunkedArray, role: str, comma: Comma, faults: Faults) -> FloatColumn:
    import pyarrow as pa

    try:
        return _as_floats(text.cast(pa.float64()))
    except pa.ArrowInvalid:
        return _from_mixed_text(text, role, comma, faults)


def _from_mixed_text(text: pa.ChunkedArray, role: str, comma: Comma, faults: Faults) -> FloatColumn:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.replace_substring_regex(text, r"^[$€£₹]\s*", "")
    plain, factors = _without_suffix(plain) if role == "volume" else (plain, None)
    plain = _without_commas(plain, comma)
    readable = pc.match_substring_regex(plain, _NUMBER)
    empty = pc.is_in(pc.utf8_lower(plain), value_set=pa.array(_NOTHING))
    unreadable = pc.invert(pc.or_(readable, empty)).to_numpy().astype(np.bool_)
    faults.add(unreadable, role, lambda i: f"{text[i].as_py()[:40]!r} is not a number")
    numbers = _as_floats(pc.if_else(readable, plain, None).cast(pa.float64()))
    return numbers if factors is None else numbers * factors


def _without_suffix(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, FloatColumn]:
    import pyarrow.compute as pc

    lower = pc.utf8_lower(text)
    factors = np.ones(len(text))
    for suffix, factor in _SUFFIXES.items():
        factors[pc.match_substring_regex(lower, rf"\d{suffix}$").to_numpy().astype(np.bool_)] = factor
    return pc.replace_substring_regex(lower, r"(\d)[kmb]$", r"\1"), factors


def _without_commas(text: pa.ChunkedArray, comma: Comma) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    if comma is Comma.DECIMAL:
        return pc.if_else(pc.match_substring_regex(text, _COMMA_DECIMAL), pc.replace_substring(text, ",", "."), text)
    if comma is Comma.THOUSANDS:
        return pc.if_else(pc.match_substring_regex(text, _GROUPED), pc.replace_substring(text, ",", ""), text)
    return text


def _comma_of(texts: dict[str, pa.ChunkedArray]) -> Comma:
    import pyarrow.compute as pc

    def anywhere(pattern: str) -> bool:
        return any(pc.any(pc.match_substring_regex(text, pattern)).as_py() for text in texts.values())

    if not any(pc.any(pc.match_substring(text, ",")).as_py() for text in texts.values()):
        return Comma.NONE
    if anywhere(r"^[^,]*\d\.\d*[kmbKMB]?$") or anywhere(_MANY_GROUPS) or anywhere(r"\d,\d{3}\."):
        return Comma.THOUSANDS
    if anywhere(r"^[+-]?\d+,(?:\d{1,2}|\d{4,})$") or anywhere(r"^[+-]?(?:0|\d{4,}),\d+$"):
        return Comma.DECIMAL
    if not anywhere(_GROUPED):
        return Comma.NONE
    raise Invalid(
        "the numbers have commas that could be thousands separators or decimal points;"
        " write them without separators and with a decimal point",
        code="ambiguous_numbers",
    )
