"""Replays: the same each time, blind to the future, and without a trace in the installation."""

from __future__ import annotations

import json
from dataclasses import replace as changed
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.marketdata.parquet_store import ParquetBarStore
from adapters.marketdata.samples import install_samples
from aitrader.bootstrap import ready
from aitrader.replaying import replay, replay_bars, stored_ticks
from aitrader.settings import load_settings
from aitrader.testing.context import FakeJobContext
from domain.common.errors import Invalid, NotFound
from domain.common.time import SystemClock
from domain.decisions.params import StrategyParams
from domain.jobs.model import JobCanceled
from domain.market.model import Timeframe
from domain.pipeline.records import SECTIONS, RunRecord, first_difference
from domain.pipeline.replay import ReplaySpec
from plugins.replay.job import ReplayJob
from plugins.replay.payload import ReplayPayload

pytestmark = pytest.mark.once

START, END = 1_496_275_200_000, 1_496_448_000_000  # two days of June 2017
SPEC = ReplaySpec(
    ("FX:EURUSD",),
    Timeframe.H1,
    START,
    END,
    ticks_per_bar=16,
    params=StrategyParams(threshold=0.1, timeframe=Timeframe.H1, allow_short=True),
    account_options={"slippage_bps": "1"},
    signal_ttl_ms=3_600_000,
)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> ParquetBarStore:
    store = ParquetBarStore(tmp_path_factory.mktemp("bars"), SystemClock())
    install_samples(store)
    return store


def quiet(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1


@pytest.fixture(scope="module")
def whole(bars: ParquetBarStore) -> RunRecord:
    result = replay_bars(ready, load_settings(), SPEC, bars, quiet)
    assert result.ticks == len(stored_ticks(SPEC, bars))
    counts = result.counts()
    assert (counts["signals"], counts["orders"]) == (counts["decisions"], counts["fills"])
    assert counts["fills"] > 10
    pnl = Decimal(result.performance["pnl"])
    assert result.equity[-1][1] == pytest.approx(100_000 + float(pnl), abs=1e-5)
    return result.record


def test_the_same_again(bars: ParquetBarStore, whole: RunRecord) -> None:
    again = replay_bars(ready, load_settings(), SPEC, bars, quiet).record
    assert again.to_json() == whole.to_json()


def test_it_survives_json(whole: RunRecord) -> None:
    assert RunRecord.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    for bad in ({}, [], {"version": 2}, {"version": 1, "about": {}, "signals": 5}):
        with pytest.raises(Invalid):
            RunRecord.from_json(bad)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_future_changes_nothing(bars: ParquetBarStore, whole: RunRecord, share: float) -> None:
    """Ticks after a moment are left out, and those before it come to what they came to."""
    ticks = stored_ticks(SPEC, bars)
    cut = round(len(ticks) * share)
    at = ticks[cut].time_ms
    past = replay(ready, load_settings(), SPEC, ticks[:cut], bars).record
    times = {"signals": "time", "decisions": "as_of", "orders": "created_at", "fills": "time"}
    for section in SECTIONS:
        rows = [row for row in getattr(whole, section) if row[times[section]] < at]
        assert getattr(past, section) == rows, section
        assert rows


def test_bars_of_later_are_not_seen(bars: ParquetBarStore, whole: RunRecord, tmp_path: Path) -> None:
    """Stored bars from the first tick on are left out, and nothing changes: the ticks make them."""
    cut = ParquetBarStore(tmp_path, SystemClock())
    dataset = bars.describe("FX:EURUSD", Timeframe.H1)
    known = bars.read("FX:EURUSD", Timeframe.H1, end_ms=START)
    cut.write("FX:EURUSD", Timeframe.H1, known, session=dataset.session)
    again = replay(ready, load_settings(), SPEC, stored_ticks(SPEC, bars), cut).record
    assert first_difference(whole, again, times=True) is None


def test_differences_are_found_where_they_begin(whole: RunRecord) -> None:
    def with_row(section: str, place: int, **changes: Any) -> RunRecord:
        rows = list(getattr(whole, section))
        rows[place] = {**rows[place], **changes}
        return changed(whole, **{section: rows})

    assert first_difference(whole, whole, times=True) is None
    late = with_row("fills", 3, time=5)
    assert first_difference(whole, late) is None
    assert first_difference(whole, late, times=True) is not None
    found = first_difference(whole, with_row("fills", 3, price="7"))
    assert found is not None
    assert (found.section, found.field, found.right, found.signal) == (
        "fills",
        "price",
        "7",
        whole.fills[3]["signal"],
    )
    both = first_difference(with_row("orders", 2, quantity="1"), with_row("decisions", 9, action="x"))
    assert both is not None
    assert both.signal == min(
        (whole.orders[2]["signal"], whole.decisions[9]["signal"]),
        key=[row["signal"] for row in whole.signals].index,
    )
    missing = first_difference(whole, changed(whole, decisions=whole.decisions[:-1]))
    assert missing is not None
    assert (missing.section, missing.field, missing.right) == ("decisions", None, None)


def test_nothing_to_replay_is_said(bars: ParquetBarStore) -> None:
    with pytest.raises(NotFound, match="data import"):
        replay_bars(ready, load_settings(), changed(SPEC, symbols=("NSE:NONE",)), bars, quiet)
    with pytest.raises(Invalid, match="no ticks in this range"):
        replay_bars(ready, load_settings(), changed(SPEC, start_ms=END * 2, end_ms=None), bars, quiet)
    with pytest.raises(Invalid, match="fewer ticks per bar"):
        replay_bars(
            ready, load_settings(), changed(SPEC, start_ms=None, end_ms=None, ticks_per_bar=1000), bars, quiet
        )
    with pytest.raises(Invalid, match="options"):
        replay_bars(ready, load_settings(), changed(SPEC, account_options={"foo": 1}), bars, quiet)


PAYLOAD = {
    "symbols": ["fx:eurusd"],
    "timeframe": "1h",
    "start": "2017-06-01",
    "end": "2017-06-02",
    "params": {"threshold": 0.1, "timeframe": "1h"},
}


def test_as_a_job(bars: ParquetBarStore, tmp_path: Path) -> None:
    context = FakeJobContext(tmp_path, store=bars)
    report = ReplayJob().run(context, ReplayPayload.model_validate(PAYLOAD))
    assert (report.ticks, report.mode, report.currency) == (96, "paper", "USD")
    assert (report.start, report.end) == ("2017-06-01T00:00:00.000Z", "2017-06-01T23:59:59.999Z")
    assert report.decisions == report.signals > 5
    assert set(context.artifacts) == set(report.artifacts) == {"run.json", "equity.png"}
    record = RunRecord.from_json(json.loads((tmp_path / "run.json").read_text()))
    assert len(record.decisions) == report.decisions
    assert (tmp_path / "equity.png").read_bytes().startswith(b"\x89PNG")
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_job_is_canceled_in_the_middle(bars: ParquetBarStore, tmp_path: Path) -> None:
    context = FakeJobContext(tmp_path, store=bars, cancel_after=2)
    with pytest.raises(JobCanceled):
        ReplayJob().run(context, ReplayPayload.model_validate({**PAYLOAD, "ticks_per_bar": 60}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": {"treshold": 1}}, "treshold is not known"),
        ({"params": {"threshold": 7}}, "from 0 to 1"),
        ({"cash": "0"}, "greater than 0"),
        ({"ticks_per_bar": 3}, "greater than or equal to 4"),
        ({"engine": "mine"}, "evidence"),
    ],
)
def test_wrong_payloads_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplayPayload.model_validate({**PAYLOAD, **change})
