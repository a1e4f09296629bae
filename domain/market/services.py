"""Bars from several sources into one, and what the spacing of bars tells about their timeframe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.common.errors import FieldError, Invalid
from domain.market.model import Bars, TimeColumn, Timeframe
from domain.market.validation import check_shape

_TOLERANCE = 0.05
_ENOUGH = 5
_LONG = (Timeframe.D1, Timeframe.W1)


def join_bars(parts: Sequence[Bars], *, overlap: bool = False) -> Bars:
    """Return the bars of several sources as one, ascending.

    Args:
        parts: at least one; each is valid, in any order among themselves.
        overlap: when two sources have a bar for the same time, take the later source's bar.

    Raises:
        Invalid: code ``overlapping_bars``; two sources have a bar for the same time and ``overlap`` is off.
    """
    columns = zip(*(part.columns() for part in parts), strict=True)
    time, opens, high, low, close, volume = (np.concatenate(column) for column in columns)
    joined = Bars(time.astype(np.int64, copy=False), opens, high, low, close, volume)
    check_shape(joined)
    joined = joined.take(np.argsort(joined.time, kind="stable"))
    last = np.append(joined.time[1:] != joined.time[:-1], True)
    repeated = int((~last).sum())
    if repeated and not overlap:
        raise Invalid(f"the sources have {repeated} bars in common; leave one out", code="overlapping_bars")
    return joined.take(last)


def guess_timeframe(time: TimeColumn) -> Timeframe | None:
    """Return the timeframe whose length is the median spacing of the bars.

    Args:
        time: opens in milliseconds UTC, in any order.

    Returns:
        None when there are fewer than two bars or no timeframe is within 5 % of the spacing.
    """
    spacing = _median_spacing(time)
    if spacing is None:
        return None
    closest = min(Timeframe, key=lambda timeframe: abs(timeframe.ms - spacing))
    return closest if abs(closest.ms - spacing) <= _TOLERANCE * closest.ms else None


def check_timeframe(time: TimeColumn, timeframe: Timeframe) -> None:
    """Check that bars are of the timeframe someone says they are.

    Gaps are allowed: an instrument that rarely trades has few 1m bars. Bars closer together than the
    timeframe, bars that all sit on the grid of a longer timeframe, and a typical distance of more than
    three days or weeks between bars of 1d or 1w are not.

    Args:
        time: opens in milliseconds UTC, in any order.
        timeframe: the declared length of the bars.

    Raises:
        Invalid: code ``timeframe_mismatch``.
    """
    spacing = _median_spacing(time)
    if spacing is None:
        return
    guess = guess_timeframe(time)
    shorter = spacing < timeframe.ms * (1 - _TOLERANCE)
    longer = guess is not None and guess.ms > timeframe.ms and _on_grid(time, guess)
    sparse = timeframe in _LONG and len(time) >= _ENOUGH and spacing > 3 * timeframe.ms
    if shorter or longer or sparse:
        raise _mismatch(spacing, timeframe, guess)


def _median_spacing(time: TimeColumn) -> float | None:
    steps = np.diff(np.unique(time))
    return float(np.median(steps)) if len(steps) else None


def _on_grid(time: TimeColumn, timeframe: Timeframe) -> bool:
    steps = np.diff(np.unique(time)).astype(np.int64)
    # Clock changes shift a few bars of a local-time file by an hour, so nearly all is enough.
    return len(time) >= _ENOUGH and float(np.mean(steps % timeframe.ms == 0)) >= 0.95


def _mismatch(spacing: float, timeframe: Timeframe, guess: Timeframe | None) -> Invalid:
    minutes = spacing / 60_000
    advice = f"; they look like {guess.value} bars" if guess else ""
    return Invalid(
        f"the bars are declared as {timeframe.value} but are typically {minutes:g} minutes apart{advice}",
        code="timeframe_mismatch",
        errors=[FieldError("timeframe", f"does not fit bars {minutes:g} minutes apart")],
    )
