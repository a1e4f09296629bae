from __future__ import annotations

import pytest

from aitrader.testing.clock import ClockContract, FakeClock
from domain.common.time import Clock, SystemClock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestFakeClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return FakeClock()

    def test_stands_still_until_advanced(self) -> None:
        clock = FakeClock(1_700_000_000_000)
        assert clock.now_ms() == clock.now_ms() == 1_700_000_000_000
        clock.advance(1.5)
        assert (clock.now_ms(), clock.monotonic()) == (1_700_000_001_500, 1.5)
        for _ in range(10):
            clock.advance(0.0001)
        assert clock.now_ms() == 1_700_000_001_501

    def test_a_jump_moves_only_the_wall_clock(self) -> None:
        clock = FakeClock(1_700_000_000_000)
        clock.jump(-3600)
        assert (clock.now_ms(), clock.monotonic()) == (1_699_996_400_000, 0.0)
