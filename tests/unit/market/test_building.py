"""Bars of ticks: what they hold, when they close, and that a restart changes nothing."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.marketdata.hours import MarketHours
from domain.market.building import KEPT, LiveBars, joined
from domain.market.model import Bars, Timeframe
from domain.market.synthetic import merged, ticks_of_bars
from domain.market.ticks import Tick

MINUTE = 60_000
START = 1_732_765_500_000  # 2024-11-28 03:45 UTC: the NSE opens
INFY = "NSE:INFY"


def walk(count: int, seed: int = 1, step_ms: int = 7_000) -> list[Tick]:
    draw, price, at, ticks = random.Random(seed), 100.0, START, []
    for _ in range(count):
        price *= 1 + draw.gauss(0, 0.001)
        at += draw.randrange(1, step_ms)
        ticks.append(Tick(INFY, round(price, 2), float(draw.randrange(100)), at))
    return ticks


def feed(bars: LiveBars, ticks: list[Tick]) -> list[bool]:
    return [bars.update(tick.symbol, tick.price, tick.volume, tick.time_ms) for tick in ticks]


def test_bars_are_what_the_ticks_in_them_say() -> None:
    ticks, bars = walk(400), LiveBars(Timeframe.M1)
    closings = feed(bars, ticks)
    groups: dict[int, list[Tick]] = {}
    for tick in ticks:
        groups.setdefault(tick.time_ms // MINUTE * MINUTE, []).append(tick)
    expected = [
        (
            start,
            group[0].price,
            max(tick.price for tick in group),
            min(tick.price for tick in group),
            group[-1].price,
            sum(tick.volume for tick in group),
        )
        for start, group in sorted(groups.items())
    ][:-1]
    found = bars.closed(INFY)
    assert found is not None
    assert list(zip(*(column.tolist() for column in found.columns()), strict=True)) == expected[-KEPT:]
    assert sum(closings) == len(expected)


def test_a_bar_closes_with_the_first_tick_after_it() -> None:
    bars = LiveBars(Timeframe.M1)
    assert not bars.update(INFY, 10, 1, START)
    assert not bars.update(INFY, 11, 1, START + MINUTE - 1)
    assert bars.closed(INFY) is None
    assert bars.update(INFY, 12, 1, START + MINUTE)
    found = bars.closed(INFY)
    assert found is not None
    assert found.close.tolist() == [11]
    assert bars.closed(INFY, START + MINUTE - 1) is None


def test_a_tick_of_a_closed_bar_changes_nothing() -> None:
    bars = LiveBars(Timeframe.M1)
    feed(bars, [Tick(INFY, 10, 1, START), Tick(INFY, 11, 1, START + MINUTE)])
    before = bars.dump()
    assert not bars.update(INFY, 99, 1, START + MINUTE - 1)
    assert bars.dump() == before


def test_bars_begin_with_the_session_and_end_with_it() -> None:
    bars = LiveBars(Timeframe.H1, MarketHours().session)
    hour = 60 * MINUTE
    auction, last = START - 5 * MINUTE, START + 6 * hour + 10 * MINUTE  # 9:10 and 15:25 in India
    after, tomorrow = START + 7 * hour, START + 24 * hour
    times = [auction, START, START + hour + 1, last, after, tomorrow, tomorrow + hour]
    feed(bars, [Tick(INFY, 10, 1, at) for at in times])
    found = bars.closed(INFY)
    assert found is not None
    assert found.time.tolist() == [START, START + hour, START + 6 * hour, tomorrow]
    assert found.volume.tolist() == [1, 1, 1, 1]


@given(st.integers(0, 2**32), st.integers(0, 300))
@settings(max_examples=25, deadline=None)
def test_a_restart_changes_nothing(seed: int, cut: int) -> None:
    ticks = walk(300, seed, 20_000)
    whole, before, after = LiveBars(), LiveBars(), LiveBars()
    feed(whole, ticks)
    feed(before, ticks[:cut])
    after.load(json.loads(json.dumps(before.dump())))
    feed(after, ticks[cut:])
    assert after.dump() == json.loads(json.dumps(whole.dump())) or after.dump() == whole.dump()


def test_newer_bars_take_the_place_of_older_ones() -> None:
    def bars(times: list[int], price: float) -> Bars:
        columns = [np.full(len(times), price) for _ in range(5)]
        return Bars(np.array(times, np.int64), *columns)

    found = joined(bars([1, 2, 3], 1.0), bars([3, 4], 2.0))
    assert (found.time.tolist(), found.close.tolist()) == ([1, 2, 3, 4], [1, 1, 2, 2])


@pytest.mark.parametrize("per_bar", [4, 7, 60])
def test_ticks_of_bars_make_the_same_bars(per_bar: int) -> None:
    original = LiveBars()
    feed(original, walk(2000))
    bars = original.closed(INFY)
    assert bars is not None
    again = LiveBars()
    feed(again, [*ticks_of_bars(INFY, bars, Timeframe.M1, per_bar), Tick(INFY, 1, 0, START * 2)])
    found = again.closed(INFY)
    assert found is not None
    for name in ("time", "open", "close"):
        assert getattr(found, name).tolist() == getattr(bars, name).tolist()
    assert found.volume == pytest.approx(bars.volume)
    if per_bar != 60:
        assert (found.high <= bars.high).all()
    if (per_bar - 1) % 3 == 0:
        assert (found.high.tolist(), found.low.tolist()) == (bars.high.tolist(), bars.low.tolist())


def test_ticks_of_many_symbols_come_by_time() -> None:
    one = [Tick("B", 1, 0, 5), Tick("B", 1, 0, 7)]
    two = [Tick("A", 1, 0, 5), Tick("A", 1, 0, 6)]
    found = list(merged({"B": iter(one), "A": iter(two)}))
    assert [(tick.symbol, tick.time_ms) for tick in found] == [("A", 5), ("B", 5), ("A", 6), ("B", 7)]
