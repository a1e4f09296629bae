from __future__ import annotations

from pathlib import Path

import pytest
from aitrader.api import JobCanceled, Timeframe
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext

from aitrader_acme.strategy import AfterDownDay, AfterDownDayParams
from aitrader_acme.up_days import UpDays, UpDaysJob


@pytest.fixture
def context(tmp_path: Path) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("ACME", Timeframe.D1, random_bars(100))
    return FakeJobContext(tmp_path, store=store)


def test_counts_up_days(context: FakeJobContext) -> None:
    report = UpDaysJob().run(context, UpDays("ACME"))
    assert report.days == 99
    assert 0 < report.up < 99
    assert context.reports == [(0.5, "counting")]


def test_stops_when_canceled(context: FakeJobContext) -> None:
    context.cancel_after = 0
    with pytest.raises(JobCanceled):
        UpDaysJob().run(context, UpDays("ACME"))


def test_holds_after_down_days() -> None:
    bars = random_bars(50)
    targets = AfterDownDay().targets(bars, AfterDownDayParams(exposure=0.5))
    assert set(targets) == {0.0, 0.5}
    assert list(targets[:10]) == list(AfterDownDay().targets(bars.take(slice(0, 10)), AfterDownDayParams(0.5)))
