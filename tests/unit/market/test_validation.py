from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.testing.bar_store import make_bars
from domain.common.errors import Invalid
from domain.market.model import Bars, Timeframe
from domain.market.services import check_timeframe, guess_timeframe, join_bars
from domain.market.validation import broken_rows, check_bars

_DAY = Timeframe.D1.ms


def problems(bars: Bars, **options: int) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        check_bars(bars, **options)
    assert caught.value.code == "invalid_bars"
    return {error.field: error.message for error in caught.value.errors}


def test_accepts_good_bars() -> None:
    check_bars(make_bars(100))


def test_refuses_no_bars() -> None:
    with pytest.raises(Invalid, match="no bars"):
        check_bars(make_bars(0))


def test_refuses_columns_of_different_length() -> None:
    bars = make_bars(3)
    with pytest.raises(Invalid, match="differ in length"):
        check_bars(Bars(bars.time, bars.open[:2], bars.high, bars.low, bars.close, bars.volume))


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_what_is_not_finite(field: str, value: float) -> None:
    bars = make_bars(5)
    getattr(bars, field)[3] = value
    assert list(problems(bars)) == [f"rows.4.{field}"]
    assert broken_rows(bars).tolist() == [False, False, False, True, False]


def test_refuses_contradictions_by_the_rows_of_the_source() -> None:
    bars = make_bars(9)
    bars.high[1] = bars.low[1] - 1
    bars.open[2] = bars.high[2] + 1
    bars.close[3] = bars.low[3] - 1
    bars.volume[4] = -1
    bars.low[5] = 0
    bars.open[6] = -2
    found = problems(bars, row_of=2)
    fields = ["rows.3.high", "rows.4.open", "rows.5.close", "rows.6.volume", "rows.7.low", "rows.8.open"]
    assert list(found) == fields
    assert "is below low" in found["rows.3.high"]
    assert "outside low" in found["rows.4.open"]


def test_refuses_disorder_and_repeats() -> None:
    bars = make_bars(6)
    bars.time[2] = bars.time[1]
    assert problems(bars) == {"rows.3.time": "1970-01-02T00:00:00.000Z is there twice"}
    bars = make_bars(6)
    bars.time[4] = bars.time[1]
    found = problems(bars)
    assert list(found) == ["rows.5.time"]
    with pytest.raises(Invalid, match="2 problems"):
        check_bars(bars)


def test_takes_row_numbers_as_an_array() -> None:
    bars = make_bars(3)
    bars.low[2] = np.nan
    with pytest.raises(Invalid) as caught:
        check_bars(bars, row_of=np.array([7, 9, 30]))
    assert caught.value.errors[0].field == "rows.30.low"


def test_lists_twenty_and_counts_all() -> None:
    bars = make_bars(1000)
    bars.volume[:] = -1
    bars.open[:] = np.nan
    with pytest.raises(Invalid, match="2000 problems") as caught:
        check_bars(bars)
    assert len(caught.value.errors) == 20
    assert caught.value.errors[0].field == "rows.1.open"


def test_refuses_times_in_another_unit() -> None:
    bars = make_bars(3, start_ms=1_700_000_000_000_000)
    assert "between the years" in problems(bars)["rows.1.time"]


@given(st.sampled_from(list(Timeframe)), st.integers(2, 50), st.integers(-(10**12), 10**12))
def test_guesses_the_timeframe_of_even_bars(timeframe: Timeframe, count: int, start_ms: int) -> None:
    bars = make_bars(count, start_ms=start_ms, step_ms=timeframe.ms)
    assert guess_timeframe(bars.time) is timeframe
    check_timeframe(bars.time, timeframe)


def test_guesses_nothing_from_one_bar_or_months() -> None:
    assert guess_timeframe(make_bars(1).time) is None
    assert guess_timeframe(make_bars(12, step_ms=30 * _DAY).time) is None


@pytest.mark.parametrize(
    ("step", "declared"),
    [(Timeframe.M1, "5m"), (Timeframe.D1, "1w"), (Timeframe.D1, "1h"), (Timeframe.W1, "1d"), (Timeframe.H1, "1m")],
)
def test_refuses_a_timeframe_that_contradicts_the_bars(step: Timeframe, declared: str) -> None:
    with pytest.raises(Invalid, match=f"they look like {step.value} bars"):
        check_timeframe(make_bars(50, step_ms=step.ms).time, Timeframe(declared))


def test_allows_gaps() -> None:
    times = make_bars(1000, step_ms=Timeframe.M1.ms).time
    thin = times[np.sort(np.random.default_rng(1).choice(1000, 120, replace=False))]
    check_timeframe(thin, Timeframe.M1)


def test_joins_bars_in_order() -> None:
    bars = make_bars(10)
    joined = join_bars([bars.take(slice(5, None)), bars.take(slice(0, 5))])
    assert joined.data_hash() == bars.data_hash()


def test_refuses_or_resolves_an_overlap() -> None:
    first, second = make_bars(6, seed=1), make_bars(6, seed=2, start_ms=4 * _DAY)
    with pytest.raises(Invalid, match="2 bars in common"):
        join_bars([first, second])
    joined = join_bars([first, second], overlap=True)
    assert len(joined) == 10
    assert joined.close[4] == second.close[0]
