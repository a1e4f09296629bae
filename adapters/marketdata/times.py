"""Times out of cells: text in the formats people have, Unix numbers, typed columns; all to UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from adapters.marketdata.faults import Faults
from adapters.marketdata.zones import local_to_utc
from domain.common.errors import FieldError, Invalid
from domain.market.model import TimeColumn
from domain.market.validation import Mask

if TYPE_CHECKING:
    import pyarrow as pa

DateOrder = Literal["mdy", "dmy"]
Whole = NDArray[np.int64]

_DAY_MS = 86_400_000
_CLOCK = (
    r"(?:(?:T|[ ;,]+)(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<p>[AaPp][Mm])?)?"
)
_TIGHT_CLOCK = r"(?:[T ;,]*(?P<H>\d{2}):?(?P<M>\d{2})(?::?(?P<S>\d{2})(?:[.,]?(?P<f>\d{1,9}))?)?(?P<p>))?"
_ZONE = r"\s*(?P<z>Z|z|(?:UTC|GMT)?[+-]\d{2}:?(?:\d{2})?|UTC|GMT)?$"
_STYLES = {
    "iso": r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK + _ZONE,
    "parts": r"^(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})[/.-](?P<y>\d{4})" + _CLOCK + _ZONE,
    "day_name": r"^(?P<d>\d{1,2})[- /](?P<n>[A-Za-z]{3})[a-z]*[- /,]+(?P<y>\d{4})" + _CLOCK + _ZONE,
    "name_day": r"^(?P<n>[A-Za-z]{3})[a-z]*[- ]+(?P<d>\d{1,2})[ ,]+(?P<y>\d{4})" + _CLOCK + _ZONE,
    "tight": r"^(?P<y>(?:18|19|20|21)\d{2})(?P<m>\d{2})(?P<d>\d{2})" + _TIGHT_CLOCK + _ZONE,
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIGHT_DATE = (
    r"^(?:18|19|20|21)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?$"
)


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How to read times: the zone of times without one, and the order of day and month when asked for."""

    zone: ZoneInfo
    date_order: DateOrder | None


@dataclass(slots=True)
class _Moments:
    """Local milliseconds; the offset each row states, where ``stated``; and the rows that are unreadable."""

    local: Whole
    offset: Whole
    stated: Mask
    bad: Mask


def times_of(column: pa.ChunkedArray, clock: pa.ChunkedArray | None, rules: TimeRules, faults: Faults) -> TimeColumn:
    """Return the column as milliseconds UTC; rows at fault hold an arbitrary value.

    Times without a zone are local times of ``rules.zone``. A column of which every such time is midnight
    holds dates: each becomes 00:00 UTC of that date, whatever the zone.

    Args:
        column: times, or dates when ``clock`` is given.
        clock: the time of day of each row.
        rules: how to read times.
        faults: takes the cells that are no times.

    Raises:
        Invalid: the column holds no times, or the order of day and month cannot be told.
    """
    import pyarrow as pa

    if clock is not None:
        return _from_text(_joined(column, clock), rules, faults)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _from_typed(column, rules, faults)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return _from_text(_whole_text(column), rules, faults)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _from_text(_trimmed(column), rules, faults)
    raise Invalid(f"the time column holds {column.type}, not times", code="invalid_times")


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.fill_null(pc.utf8_trim_whitespace(column), "")


def _whole_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type):
        return pc.fill_null(pc.round(column.cast(pa.float64()), 3).cast(pa.decimal128(24, 3)).cast(pa.string()), "")
    return pc.fill_null(column.cast(pa.string()), "")


def _joined(date: pa.ChunkedArray, clock: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(date.type):
        date = date.cast(pa.date32(), safe=False)
    hours = _trimmed(clock.cast(pa.string()))
    bare = pc.match_substring_regex(hours, r"^\d{1,6}$")
    hours = pc.if_else(bare, pc.utf8_lpad(hours, 6, "0"), hours)
    whole = pc.match_substring_regex(hours, r"^\S*\d[-/.]\d+[-/.]\d")
    both = pc.binary_join_element_wise(_trimmed(date.cast(pa.string())), hours, " ")
    return pc.if_else(whole, hours, both)


def _from_typed(column: pa.ChunkedArray, rules: TimeRules, faults: Faults) -> TimeColumn:
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = pc.is_null(column).to_numpy().astype(np.bool_)
    faults.add(empty, "time", lambda i: "is empty")
    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    plain = column.cast(pa.timestamp("ms", "UTC") if zoned else pa.timestamp("ms"), safe=False)
    local = np.array(pc.fill_null(plain.cast(pa.int64()), 0).to_numpy(), dtype=np.int64)
    stated = np.full(len(local), zoned)
    moments = _Moments(local, np.zeros(len(local), dtype=np.int64), stated, empty)
    return _settle(moments, rules, faults, str)


def _from_text(text: pa.ChunkedArray, rules: TimeRules, faults: Faults) -> TimeColumn:
    def word(i: int) -> str:
        return repr(text[i].as_py()[:40])

    moments = _fast_iso(text) or _unix(text) or _styled(text, rules)
    faults.add(moments.bad, "time", lambda i: f"{word(i)} cannot be read as a date and time")
    return _settle(moments, rules, faults, word)


def _settle(moments: _Moments, rules: TimeRules, faults: Faults, word: Callable[[int], str]) -> TimeColumn:
    good = ~moments.bad
    if not good.any():
        return moments.local
    naive = good & ~moments.stated
    if not (moments.local[naive] % _DAY_MS).any():
        return moments.local - moments.offset
    utc = moments.local - moments.offset
    positions = np.flatnonzero(naive)
    utc[positions], skipped = local_to_utc(moments.local[positions], rules.zone)
    lost = np.zeros(len(utc), dtype=np.bool_)
    lost[positions[skipped]] = True
    faults.add(lost, "time", lambda i: f"{word(i)} does not exist in {rules.zone.key}: the clocks skip it")
    return utc


def _fast_iso(text: pa.ChunkedArray) -> _Moments | None:
    import pyarrow as pa

    if not len(text) or not re.match(r"\d{4}-", text[0].as_py()):
        return None
    for zoned in (False, True):
        try:
            moments = text.cast(pa.timestamp("ms", "UTC" if zoned else None))
        except pa.ArrowInvalid:
            continue
        local = np.array(moments.cast(pa.int64()).to_numpy(), dtype=np.int64)
        return _Moments(local, np.zeros_like(local), np.full(len(local), zoned), np.zeros(len(local), dtype=np.bool_))
    return None


def _unix(text: pa.ChunkedArray) -> _Moments | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    numeric = _matches(text, r"^-?\d+(?:\.\d+)?$")
    if not numeric.any() or numeric.mean() < 0.5 or _matches(text, _TIGHT_DATE).sum() >= numeric.sum():
        return None
    digits = pc.if_else(pa.chunked_array([pa.array(numeric)]), text, "0")
    whole = pc.replace_substring_regex(digits, r"\..*$", "").cast(pa.int64())
    values = np.array(whole.to_numpy(), dtype=np.int64)
    largest = int(np.abs(values).max())
    if largest < 100_000_000_000:
        local = np.rint(digits.cast(pa.float64()).to_numpy() * 1000).astype(np.int64)
    else:
        local = values // (1 if largest < 10**14 else 1000 if largest < 10**17 else 1_000_000)
    return _Moments(local, np.zeros_like(local), np.ones(len(local), dtype=np.bool_), ~numeric)


def _matches(text: pa.ChunkedArray, pattern: str) -> Mask:
    import pyarrow.compute as pc

    mask: Mask = pc.match_substring_regex(text, pattern).to_numpy().astype(np.bool_)
    return mask


def _styled(text: pa.ChunkedArray, rules: TimeRules) -> _Moments:
    sample = text.slice(0, 1000)
    hits = {style: int(_matches(sample, pattern).sum()) for style, pattern in _STYLES.items()}
    style = max(hits, key=lambda name: hits[name])
    if not hits[style]:
        example = next((cell for cell in sample.to_pylist() if cell), "")
        raise Invalid(
            f"the times look like {example[:40]!r}, which is no known format; use ISO 8601 such as"
            " 2024-01-31T09:30:00Z, or Unix seconds",
            code="invalid_times",
            errors=[FieldError("time", "not a known date and time format")],
        )
    return _moments(_Parts(text, _STYLES[style]), rules)


class _Parts:
    """The named pieces of every cell, as whole numbers or text; rows that do not match hold zeros."""

    def __init__(self, text: pa.ChunkedArray, pattern: str) -> None:
        import pyarrow.compute as pc

        found = pc.extract_regex(text, pattern).combine_chunks()
        self.matched: Mask = found.is_valid().to_numpy(zero_copy_only=False).astype(np.bool_)
        self._pieces = dict(zip((field.name for field in found.type), found.flatten(), strict=True))

    def has(self, name: str) -> bool:
        return name in self._pieces

    def text(self, name: str) -> pa.Array:
        import pyarrow.compute as pc

        return pc.fill_null(self._pieces[name], "")

    def whole(self, name: str, *, digits: int | None = None) -> Whole:
        import pyarrow as pa
        import pyarrow.compute as pc

        piece = self.text(name)
        if digits is not None:
            piece = pc.utf8_slice_codeunits(pc.utf8_rpad(piece, digits, "0"), 0, digits)
        return np.array(pc.if_else(pc.equal(piece, ""), "0", piece).cast(pa.int64()).to_numpy(), dtype=np.int64)

    def month(self) -> Whole:
        import pyarrow as pa
        import pyarrow.compute as pc

        index = pc.index_in(pc.utf8_lower(self.text("n")), value_set=pa.array(_MONTHS))
        return np.array(pc.fill_null(index, -1).to_numpy(), dtype=np.int64) + 1


def _moments(parts: _Parts, rules: TimeRules) -> _Moments:
    month, day = _month_day(parts, rules.date_order)
    dates, bad_date = _days(parts.whole("y"), month, day)
    clock, bad_clock = _clock_ms(parts)
    offset, stated = _offsets(parts.text("z"))
    bad = ~parts.matched | bad_date | bad_clock
    return _Moments(dates * _DAY_MS + clock, offset, stated, bad)


def _month_day(parts: _Parts, order: DateOrder | None) -> tuple[Whole, Whole]:
    if parts.has("n"):
        return parts.month(), parts.whole("d")
    if parts.has("m"):
        return parts.whole("m"), parts.whole("d")
    first, second = parts.whole("a"), parts.whole("b")
    if order is None:
        order = _order_of(parts, first, second)
    return (first, second) if order == "mdy" else (second, first)


def _order_of(parts: _Parts, first: Whole, second: Whole) -> DateOrder:
    day_first = bool(((first > 12) & (first <= 31)).any())
    month_first = bool(((second > 12) & (second <= 31)).any())
    if day_first != month_first:
        return "dmy" if day_first else "mdy"
    dotted = parts.text("s")[int(np.argmax(parts.matched))].as_py() == "."
    if dotted and not month_first:
        return "dmy"
    reason = "the file mixes both" if day_first else "no day in the file is above 12"
    raise Invalid(
        f"it cannot be told whether the dates are month/day or day/month ({reason});"
        ' say date_order="mdy" or date_order="dmy"',
        code="ambiguous_dates",
        errors=[FieldError("date_order", "say mdy or dmy")],
    )


def _days(year: Whole, month: Whole, day: Whole) -> tuple[Whole, Mask]:
    bad = (month < 1) | (month > 12)
    months = ((year - 1970) * 12 + np.where(bad, 1, month) - 1).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64) - first
    return first + day - 1, bad | (day < 1) | (day > length)


def _clock_ms(parts: _Parts) -> tuple[Whole, Mask]:
    import pyarrow.compute as pc

    hour, minute, second = parts.whole("H"), parts.whole("M"), parts.whole("S")
    half = pc.utf8_lower(parts.text("p"))
    afternoon = pc.equal(half, "pm").to_numpy(zero_copy_only=False).astype(np.bool_)
    twelve = pc.not_equal(half, "").to_numpy(zero_copy_only=False).astype(np.bool_)
    bad = (hour > 23) | (minute > 59) | (second > 59) | (twelve & ((hour < 1) | (hour > 12)))
    hour = np.where(twelve, hour % 12 + 12 * afternoon, hour)
    return ((hour * 60 + minute) * 60 + second) * 1000 + parts.whole("f", digits=3), bad


def _offsets(zones: pa.Array) -> tuple[Whole, Mask]:
    encoded = zones.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    offsets = np.array([_offset_ms(word) for word in words], dtype=np.int64)
    stated = np.array([word != "" for word in words], dtype=np.bool_)
    codes = encoded.indices.to_numpy()
    return offsets[codes], stated[codes]


def _offset_ms(word: str) -> int:
    digits = re.sub(r"[^0-9+-]", "", word)
    if not digits:
        return 0
    minutes = int(digits[1:3]) * 60 + int(digits[3:5] or 0)
    return (-minutes if digits[0] == "-" else minutes) * 60_000
