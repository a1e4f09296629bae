"""What every `Clock` does, and a clock that tests turn by hand."""

from __future__ import annotations

import threading

import pytest

from domain.common.time import Clock


class FakeClock:
    """A `Clock` that stands still until it is told to go on. ``sleep`` returns at once and moves it."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._lock = threading.Lock()
        self._now_ms = float(now_ms)
        self._monotonic = 0.0

    def now_ms(self) -> int:
        """Return the wall clock as milliseconds since 1970-01-01 UTC."""
        with self._lock:
            return int(self._now_ms)

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Move the clock instead of waiting."""
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time does not go backwards; use jump to set the wall clock"
        with self._lock:
            self._now_ms += seconds * 1000
            self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forth or back, as an operator or NTP does; ``monotonic`` does not notice."""
        with self._lock:
            self._now_ms += seconds * 1000


class ClockContract:
    """Tests for any `Clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        """Return a clock."""
        raise NotImplementedError("override the clock fixture")

    def test_the_wall_clock_is_in_whole_milliseconds_of_our_time(self, clock: Clock) -> None:
        now = clock.now_ms()
        assert type(now) is int
        assert 1_600_000_000_000 < now < 4_000_000_000_000

    def test_monotonic_never_goes_back(self, clock: Clock) -> None:
        seen = [clock.monotonic() for _ in range(1000)]
        assert all(isinstance(value, float) for value in seen)
        assert seen == sorted(seen)

    def test_sleep_lets_at_least_that_much_time_pass(self, clock: Clock) -> None:
        started, wall = clock.monotonic(), clock.now_ms()
        clock.sleep(0.02)
        assert clock.monotonic() - started >= 0.02 - 1e-6
        assert clock.now_ms() > wall

    def test_sleeping_for_no_time_is_allowed(self, clock: Clock) -> None:
        clock.sleep(0)

    def test_may_be_asked_from_any_thread(self, clock: Clock) -> None:
        seen: list[int] = []
        threads = [threading.Thread(target=lambda: seen.append(clock.now_ms())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 4
        assert max(seen) <= clock.now_ms()
