"""Rules that bars keep, checked by column, reported by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import FieldError, Invalid
from domain.market.model import Bars

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

MAX_LISTED = 20

_FIRST_MS = int(np.datetime64("1800-01-01", "ms").astype(np.int64))
_END_MS = int(np.datetime64("2200-01-01", "ms").astype(np.int64))
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, order=True)
class RowProblem:
    """One thing wrong with one row. ``row`` is the number a person sees in the source."""

    row: int
    field: str
    message: str

    def as_error(self) -> FieldError:
        """Return the problem as a field error such as ``rows.17.high``."""
        return FieldError(f"rows.{self.row}.{self.field}", self.message)


@dataclass(frozen=True, slots=True)
class _Rule:
    field: str
    broken: Mask
    message: Callable[[int], str]


def check_bars(bars: Bars, *, row_of: int | Rows = 1) -> None:
    """Check that bars can be stored and traded on.

    Args:
        bars: the columns; they may be in any state.
        row_of: the source's row number of each bar, or of the first bar when the rows follow each other
            (2 for a CSV file with a header).

    Raises:
        Invalid: code ``invalid_bars``; ``errors`` holds the first 20 problems, the detail their total number.
    """
    check_shape(bars)
    rules = [*_value_rules(bars), *_order_rules(bars)]
    total = sum(int(rule.broken.sum()) for rule in rules)
    if total:
        raise invalid_rows(_first_problems(rules, row_numbers(row_of, len(bars))), total)


def check_shape(bars: Bars) -> None:
    """Check that there are bars and that the columns have one length.

    Raises:
        Invalid: code ``invalid_bars``.
    """
    lengths = {len(column) for column in bars.columns()}
    if len(lengths) > 1:
        raise Invalid(f"the columns differ in length: {sorted(lengths)}", code="invalid_bars")
    if not len(bars):
        raise Invalid("there are no bars", code="invalid_bars")


def broken_rows(bars: Bars) -> Mask:
    """Return which bars have a value no bar may have. The order of the bars is not looked at."""
    broken = np.zeros(len(bars), dtype=np.bool_)
    for rule in _value_rules(bars):
        broken |= rule.broken
    return broken


def invalid_rows(problems: Sequence[RowProblem], total: int, *, code: str = "invalid_bars") -> Invalid:
    """Return the error that reports row problems.

    Args:
        problems: the problems found, in any order; the first 20 by row are listed.
        total: how many there are in all.
        code: the machine word.
    """
    listed = sorted(problems)[:MAX_LISTED]
    first = listed[0]
    count = "1 problem" if total == 1 else f"{total} problems"
    return Invalid(
        f"{count} in the bars; the first: row {first.row}, {first.field}: {first.message}",
        code=code,
        errors=[problem.as_error() for problem in listed],
        total=total,
    )


def row_numbers(row_of: int | Rows, count: int) -> Rows:
    """Return the row number of each of ``count`` bars; see `check_bars` for ``row_of``."""
    if isinstance(row_of, int):
        return np.arange(row_of, row_of + count, dtype=np.int64)
    return row_of


def _first_problems(rules: Sequence[_Rule], rows: Rows) -> list[RowProblem]:
    return [
        RowProblem(int(rows[i]), rule.field, rule.message(int(i)))
        for rule in rules
        for i in np.flatnonzero(rule.broken)[:MAX_LISTED]
    ]


def _value_rules(bars: Bars) -> list[_Rule]:
    columns = {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume}
    finite = {name: np.isfinite(columns[name]) for name in (*_PRICES, "volume")}
    rules = [_era_rule(bars)]
    rules += [_finite_rule(name, columns[name], finite[name]) for name in finite]
    rules += [_positive_rule(name, columns[name], finite[name]) for name in _PRICES]
    rules.append(_volume_rule(bars, finite["volume"]))
    sound = finite["high"] & finite["low"]
    rules.append(_high_low_rule(bars, sound))
    sound &= bars.high >= bars.low
    rules += [_range_rule(name, columns[name], bars, sound & finite[name]) for name in ("open", "close")]
    return rules


def _era_rule(bars: Bars) -> _Rule:
    # A file in another unit than milliseconds lands here: better a refusal than bars in the year 50000.
    broken = (bars.time < _FIRST_MS) | (bars.time >= _END_MS)
    return _Rule("time", broken, lambda i: f"{_moment(bars.time[i])} is not between the years 1800 and 2200")


def _finite_rule(field: str, column: NDArray[np.float64], finite: Mask) -> _Rule:
    return _Rule(field, ~finite, lambda i: f"{column[i]} is not a number to trade on")


def _positive_rule(field: str, column: NDArray[np.float64], finite: Mask) -> _Rule:
    return _Rule(field, finite & (column <= 0), lambda i: f"{column[i]} is not above zero")


def _volume_rule(bars: Bars, finite: Mask) -> _Rule:
    return _Rule("volume", finite & (bars.volume < 0), lambda i: f"{bars.volume[i]} is below zero")


def _high_low_rule(bars: Bars, sound: Mask) -> _Rule:
    broken = sound & (bars.high < bars.low)
    return _Rule("high", broken, lambda i: f"high {bars.high[i]} is below low {bars.low[i]}")


def _range_rule(field: str, column: NDArray[np.float64], bars: Bars, sound: Mask) -> _Rule:
    broken = sound & ((column < bars.low) | (column > bars.high))
    return _Rule(field, broken, lambda i: f"{column[i]} is outside low {bars.low[i]} to high {bars.high[i]}")


def _order_rules(bars: Bars) -> list[_Rule]:
    time = bars.time
    earlier = np.zeros(len(time), dtype=np.bool_)
    earlier[1:] = time[1:] < time[:-1]
    return [
        _Rule("time", earlier, lambda i: f"{_moment(time[i])} is earlier than the row before"),
        _Rule("time", _repeated(bars, earlier), lambda i: f"{_moment(time[i])} is there twice"),
    ]


def _repeated(bars: Bars, earlier: Mask) -> Mask:
    time = bars.time
    repeated = np.zeros(len(time), dtype=np.bool_)
    if not earlier.any():
        repeated[1:] = time[1:] == time[:-1]
        return repeated
    order = np.argsort(time, kind="stable")
    repeated[order[1:]] = time[order[1:]] == time[order[:-1]]
    return repeated


def _moment(ms: np.int64) -> str:
    return f"{np.datetime64(int(ms), 'ms')}Z"
