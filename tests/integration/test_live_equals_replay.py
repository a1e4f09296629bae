"""One pipeline: a live paper run and a replay of the ticks it recorded come to the same, decision by decision.

The live run is the real application with all its threads; its feed hands over the ticks of a day, sets the clock
to each, and waits until the desk has done what came of it, as a market does whose ticks are seconds apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from adapters.feeds.tick_file import read_ticks
from adapters.marketdata.hours import MarketHours
from adapters.marketdata.parquet_store import ParquetBarStore
from adapters.marketdata.samples import install_samples
from aitrader import feed_parts
from aitrader.bootstrap import Application, ready
from aitrader.replaying import TickClock, replay
from aitrader.settings import Settings, load_settings
from aitrader.testing.waiting import until
from aitrader.user_ids import owner_of
from domain.common.time import SystemClock
from domain.decisions.params import parse_params
from domain.market.building import LiveBars
from domain.market.model import Bars, Session, Timeframe
from domain.market.ports import StopSignal
from domain.market.synthetic import ticks_of_bars
from domain.market.ticks import Tick
from domain.pipeline.records import RunRecord, first_difference, read_run
from domain.pipeline.replay import ReplaySpec

pytestmark = pytest.mark.once

SYMBOL = "FX:EURUSD"
DAY = 1_496_361_600_000  # 2017-06-02
END = DAY + 86_400_000
PARAMS = {"threshold": 0.1, "timeframe": "1h", "allow_short": True}


class DayFeed:
    """A day of ticks, each at its own time."""

    name = "simulated"

    def __init__(self, ticks: Sequence[Tick], clock: TickClock, is_quiet: Callable[[], bool]) -> None:
        self._ticks = ticks
        self._clock = clock
        self._is_quiet = is_quiet
        self.ended = threading.Event()

    def run(self, on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        for tick in self._ticks:
            self._clock.set(tick.time_ms)
            on_ticks([tick])
            until(self._is_quiet, 10)
            if stop.is_set():
                return
        self.ended.set()


def sample_bars(folder: Path) -> Bars:
    store = ParquetBarStore(folder, SystemClock())
    install_samples(store)
    return store.read(SYMBOL, Timeframe.H1, start_ms=DAY - 30 * 86_400_000, end_ms=END)


def live_run(settings: Settings, ticks: Sequence[Tick], monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    application = Application(settings, role="up", works=True)
    parts, clock = application.container, TickClock(ticks[0].time_ms)
    parts.clock.override(providers.Object(clock))

    def is_quiet() -> bool:
        with parts.read_work() as work:
            return not work.orders.open("paper")

    feed = DayFeed(ticks, clock, is_quiet)
    gate = threading.Event()

    def run(on_ticks: Callable[[Sequence[Tick]], None], stop: StopSignal) -> None:
        assert gate.wait(30)
        feed.run(on_ticks, stop)

    made: Any = type("Gated", (), {"name": feed.name, "run": staticmethod(run)})()
    monkeypatch.setattr(feed_parts, "make_feed", lambda parts: made)
    try:
        application.start()
        user_id = owner_of(parts.find_user(), parts.ensure_owner()).id
        parts.find_account()(user_id)
        strategies = parts.change_strategy()
        strategies("evidence", user_id, actor="test", enabled=True, account="paper", params=PARAMS)
        until(lambda: connected(parts), 20)
        gate.set()
        assert feed.ended.wait(200)
    finally:
        application.stop(0)
    with parts.read_work() as work:
        account = work.accounts.get("paper")
        assert (account.starting_cash, account.currency) == (Decimal(100_000), "USD")
        record = read_run(work, user_id, "evidence", "paper", DAY, END, {"kind": "live"})
    parts.engine().dispose()
    return record


def connected(parts: Any) -> bool:
    with parts.read_work() as work:
        state = work.desk.state("paper")
    return state is not None and state.reconciled_at is not None and state.session.state == "connected"


def test_a_live_day_and_its_replay_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = sample_bars(tmp_path / "samples")
    ticks = list(ticks_of_bars(SYMBOL, hours.slice(DAY, END), Timeframe.H1, 60))
    assert len(ticks) > 1000
    settings = load_settings(feed="simulated", record_ticks=True, live_bars="1h", data_dir=tmp_path / "data")
    bars = ParquetBarStore(settings.bars_dir, SystemClock())
    bars.write(SYMBOL, Timeframe.H1, hours.slice(None, DAY), session=Session.FOREX)
    live = live_run(settings, ticks, monkeypatch)

    recorded = list(read_ticks(settings.ticks_dir))
    assert recorded == ticks
    spec = ReplaySpec((SYMBOL,), Timeframe.H1, params=parse_params(PARAMS))
    again = replay(
        ready, settings, spec, recorded, bars, live_bars=LiveBars(Timeframe.H1, MarketHours().session)
    ).record

    assert len(live.signals) > 30
    assert len(live.fills) > 10
    assert {row["status"] for row in live.decisions} >= {"ordered", "held"}
    assert first_difference(live, again, times=True) is None

    files = {"live": live, "again": again}
    files["other"] = replay(ready, settings, changed(spec, cash=Decimal(50_000)), recorded, bars).record
    for name, record in files.items():
        (tmp_path / name).write_text(json.dumps(record.to_json()))
    assert diff(tmp_path, "live", "again").returncode == 0
    parted = diff(tmp_path, "live", "other")
    assert parted.returncode == 1
    assert "they part at signal pattern-engine/FX:EURUSD-" in parted.stderr


def diff(folder: Path, left: str, right: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aitrader", "replay", "diff", str(folder / left), str(folder / right)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
