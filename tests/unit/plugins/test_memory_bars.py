from __future__ import annotations

import pytest

from aitrader.api import BarStore, Timeframe
from aitrader.testing.bar_store import BarStoreContract
from aitrader.testing.bars import MemoryBarStore, random_bars
from domain.market.validation import check_bars


class TestMemoryBarStore(BarStoreContract):
    @pytest.fixture
    def store(self) -> BarStore:
        return MemoryBarStore()


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_random_bars_are_valid_and_repeatable(timeframe: Timeframe) -> None:
    bars = random_bars(1000, seed=4, timeframe=timeframe)
    check_bars(bars)
    assert bars.data_hash() == random_bars(1000, seed=4, timeframe=timeframe).data_hash()
    assert bars.data_hash() != random_bars(1000, seed=5, timeframe=timeframe).data_hash()
