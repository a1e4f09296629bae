"""Each feed by itself: order, times, and going on after an error. The one over Redis is in tests/integration."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.feeds.polled import PolledFeed
from adapters.feeds.replayed import ReplayedFeed
from adapters.feeds.simulated import SimulatedFeed
from adapters.feeds.tick_file import TickRecorder, read_ticks
from aitrader.testing.clock import FakeClock
from domain.common.errors import Invalid, NotFound, Unavailable
from domain.market.ticks import Tick, read_tick, tick_fields
from domain.trading.brokerage import Quote

NOW = 1_732_765_500_000


class Stop:
    """Stops after so many waits, which move the clock."""

    def __init__(self, clock: FakeClock, waits: int) -> None:
        self._clock = clock
        self._left = waits

    def is_set(self) -> bool:
        return self._left <= 0

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.advance(timeout or 0.0)
        self._left -= 1
        return self.is_set()


def simulated(seed: int, symbols: list[str]) -> list[Tick]:
    clock, found = FakeClock(NOW), list[Tick]()
    SimulatedFeed(symbols, clock, seed=seed).run(found.extend, Stop(clock, 50))
    return found


def test_simulated_prices_depend_on_seed_and_symbol_alone() -> None:
    both, one = simulated(7, ["NSE:A", "NSE:B"]), simulated(7, ["NSE:B"])
    assert [tick for tick in both if tick.symbol == "NSE:B"] == one
    assert [tick.price for tick in simulated(8, ["NSE:B"])] != [tick.price for tick in one]
    assert [tick.time_ms for tick in one] == [NOW + 250 * number for number in range(50)]
    assert len({tick.price for tick in one}) > 5


def old(count: int) -> list[Tick]:
    return [Tick("NSE:A", 100 + number, 1, 1_000_000_000_000 + number * 8000) for number in range(count)]


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_replay_keeps_the_pace(speed: float) -> None:
    clock, found = FakeClock(NOW), list[Tick]()
    ReplayedFeed(lambda: old(5), clock, speed=speed).run(found.extend, Stop(clock, 99))
    assert [tick.time_ms - NOW for tick in found] == [round(number * 8000 / speed) for number in range(5)]
    assert [tick.price for tick in found] == [100, 101, 102, 103, 104]


def test_a_replay_goes_on_behind_what_was_taken() -> None:
    clock, found, fail = FakeClock(NOW), list[Tick](), [True]

    def take(ticks: Sequence[Tick]) -> None:
        if len(found) == 2 and fail:
            fail.clear()
            raise Unavailable("not now")
        found.extend(ticks)

    feed = ReplayedFeed(lambda: old(5), clock)
    with pytest.raises(Unavailable):
        feed.run(take, Stop(clock, 99))
    feed.run(take, Stop(clock, 99))
    assert [tick.price for tick in found] == [100, 101, 102, 103, 104]


def test_asked_prices_become_ticks_once() -> None:
    def quote(price: str, at: int, volume: str | None) -> Quote:
        return Quote("NSE:A", Decimal(price), at, volume=None if volume is None else Decimal(volume))

    answers = iter([[quote("1", 5, "100")], [quote("1", 5, "100")], [quote("2", 6, "130")], [quote("3", 7, "0")], []])
    clock, found = FakeClock(NOW), list[Tick]()
    PolledFeed(lambda: next(answers), 1.0).run(found.extend, Stop(clock, 5))
    assert found == [Tick("NSE:A", 1, 0, 5), Tick("NSE:A", 2, 30, 6), Tick("NSE:A", 3, 0, 7)]


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    ticks = [Tick("NSE:A", 0.1 + 0.2, 3.5, NOW), Tick("B", 1e-7, 0.0, NOW), Tick("NSE:A", 5, 1, NOW + 86_400_000)]
    recorder = TickRecorder(tmp_path / "ticks")
    recorder.write(ticks[:1])
    recorder.close()
    recorder.write(ticks[1:])
    recorder.close()
    assert [path.name for path in sorted((tmp_path / "ticks").iterdir())] == ["2024-11-28.csv", "2024-11-29.csv"]
    assert list(read_ticks(tmp_path / "ticks")) == ticks
    assert list(read_ticks(tmp_path / "ticks" / "2024-11-28.csv")) == ticks[:2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("time,symbol\n", "line 1"),
        ("time_ms,symbol,price,volume\n5,A,1,1\n4,A,1,1\n", "line 3: is older"),
        ("time_ms,symbol,price,volume\n5,A,nan,1\n", "line 2: has a price"),
        ("time_ms,symbol,price,volume\n5,A,x,1\n", "line 2: is no tick"),
        ("time_ms,symbol,price,volume\n5,A b,1,1\n", "line 2: is no tick"),
        ("time_ms,symbol,price,volume\n5\n", "line 2: is no tick"),
    ],
)
def test_a_bad_file_is_refused_with_the_line(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(rows)
    with pytest.raises(Invalid, match=message):
        list(read_ticks(path))


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="AITRADER_RECORD_TICKS"):
        list(read_ticks(tmp_path / "none.csv"))


def test_a_tick_survives_a_stream() -> None:
    tick = Tick("NSE:A", 0.1 + 0.2, 3.5, NOW + 123)
    fields = {name.encode(): value.encode() for name, value in tick_fields(tick).items()}
    assert read_tick(fields, {}) == tick


def test_stopping_is_not_waited_for() -> None:
    stop = threading.Event()
    stop.set()
    found = list[Tick]()
    SimulatedFeed(["A"], FakeClock()).run(found.extend, stop)
    assert found == []
