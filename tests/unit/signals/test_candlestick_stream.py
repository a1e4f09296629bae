"""TA-Lib's handles bar by bar say what TA-Lib says of all bars at once."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.marketdata.samples import install_samples
from aitrader.testing.bars import MemoryBarStore, random_bars
from domain.common.errors import Invalid
from domain.market.model import Bars
from domain.signals.candlestick_stream import CandlestickStream
from domain.signals.candlesticks import CANDLESTICKS, LOOK_BACK, completed

ALL = tuple(CANDLESTICKS)
Rows = list[tuple[float, float, float, float]]


def tick_sized(count: int, seed: int, *, wild: bool = False) -> Bars:
    """Return bars that are few ticks long, so that many prices are equal; wild ones also leap and have no shadows."""
    draw = np.random.default_rng(seed)
    sizes, leaps = ((0, 1, 3, 10, 25), (0, 0, 1, 3, 12)) if wild else ((0, 1, 2, 3, 4), (0, 0, 0, 1, 2))
    body, gap = (draw.choice(of, count) * draw.choice((-1, 1), count) for of in (sizes, leaps))
    close = 20_000 + np.cumsum(body + gap)
    opened = close - body
    high = np.maximum(opened, close) + draw.choice(leaps, count)
    low = np.minimum(opened, close) - draw.choice(leaps, count)
    prices = (np.round(column * 0.05, 2) for column in (opened, high, low, close))
    return Bars(np.arange(count, dtype=np.int64), *prices, np.ones(count))


def rows_of(bars: Bars) -> Rows:
    columns = (bars.open.tolist(), bars.high.tolist(), bars.low.tolist(), bars.close.tolist())
    return list(zip(*columns, strict=True))


def at_once(bars: Bars) -> list[list[tuple[str, int]]]:
    """Return for each bar what TA-Lib finds in all of them."""
    found: list[list[tuple[str, int]]] = [[] for _ in range(len(bars))]
    for name in ALL:
        values = getattr(talib, CANDLESTICKS[name])(bars.open, bars.high, bars.low, bars.close)
        for bar in np.flatnonzero(values).tolist():
            found[bar].append((name, int(values[bar])))
    return found


def checked(bars: Bars) -> None:
    stream, expected = CandlestickStream(ALL), at_once(bars)
    for bar, row in enumerate(rows_of(bars)):
        assert stream.peek(*row) == expected[bar], f"peek at {bar}"
        assert stream.update(*row) == expected[bar], f"update at {bar}"


@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_random_bars(seed: int) -> None:
    checked(random_bars(500, seed=seed))
    checked(tick_sized(500, seed))
    checked(tick_sized(500, seed, wild=True))


@pytest.mark.parametrize("sample", ["FX:EURUSD", "INDEX:SPX", "NASDAQ:MSFT"])
def test_real_bars(sample: str) -> None:
    store = MemoryBarStore()
    found = {dataset.symbol: dataset.timeframe for dataset in install_samples(store)}
    checked(store.read(sample, found[sample]))


@pytest.mark.parametrize("name", ALL)
def test_every_pattern_where_it_occurs(name: str) -> None:
    bars = tick_sized(200_000, 1, wild=True)
    found = np.flatnonzero(getattr(talib, CANDLESTICKS[name])(bars.open, bars.high, bars.low, bars.close))
    assert len(found), "the bars must have one of each"
    bar = int(found[0])
    checked(bars.take(slice(max(0, bar - 50), bar + 10)))


@given(st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=20, deadline=None)
def test_looking_at_a_forming_bar_changes_nothing(seed: int, before: int) -> None:
    bars = rows_of(tick_sized(120, seed))
    looked, plain = CandlestickStream(ALL), CandlestickStream(ALL)
    for number, row in enumerate(bars):
        if number >= before:
            for other in bars[:5]:
                looked.peek(*other)
        assert looked.update(*row) == plain.update(*row)


@given(st.integers(0, 2**32), st.integers(LOOK_BACK, 300))
@settings(max_examples=25, deadline=None)
def test_the_last_bars_are_as_good_as_all(seed: int, cut: int) -> None:
    bars = tick_sized(400, seed, wild=seed % 2 == 1)
    expected = at_once(bars)
    for first in (0, cut - LOOK_BACK):
        stream = CandlestickStream(ALL, bars.take(slice(first, cut)))
        assert [stream.update(*row) for row in rows_of(bars.take(slice(cut, None)))] == expected[cut:]


@pytest.mark.parametrize("before", [0, 1, 5, LOOK_BACK - 1, LOOK_BACK, 60])
def test_it_goes_on_from_any_number_of_bars(before: int) -> None:
    bars = tick_sized(100, 7)
    stream = CandlestickStream(ALL, bars.take(slice(0, before)))
    found = [stream.update(*row) for row in rows_of(bars.take(slice(before, None)))]
    assert found == at_once(bars)[before:]


@pytest.mark.parametrize("seed", range(3))
def test_the_last_bars_tell_what_all_bars_tell(seed: int) -> None:
    bars = tick_sized(300, seed) if seed else random_bars(300, seed=5)
    expected, columns = at_once(bars), np.stack((bars.open, bars.high, bars.low, bars.close))
    for end in range(LOOK_BACK, 301):
        opened, high, low, close = np.ascontiguousarray(columns[:, end - LOOK_BACK : end])
        assert completed((opened, high, low, close), ALL) == expected[end - 1]


@pytest.mark.parametrize("before", [3, 50])
@pytest.mark.parametrize("price", [float("nan"), float("inf"), float("-inf")])
def test_a_price_that_is_none_is_refused_and_changes_nothing(before: int, price: float) -> None:
    bars = tick_sized(80, 2)
    stream = CandlestickStream(ALL, bars.take(slice(0, before)))
    for call in (stream.update, stream.peek):
        with pytest.raises(Invalid, match="finite"):
            call(1.0, price, 1.0, 1.0)
    found = [stream.update(*row) for row in rows_of(bars.take(slice(before, None)))]
    assert found == at_once(bars)[before:]


def test_only_what_is_asked_for_is_found() -> None:
    stream = CandlestickStream(("doji", "engulfing"))
    found = {name for row in rows_of(tick_sized(400, 3)) for name, _ in stream.update(*row)}
    assert found == {"doji", "engulfing"}
