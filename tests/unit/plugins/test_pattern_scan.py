from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import talib
from pydantic import ValidationError

from aitrader.api import Bars, Invalid, JobCanceled, JobType, NotFound, Registry, Timeframe
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from plugins.pattern_scan import plugin
from plugins.pattern_scan.job import PatternScanJob
from plugins.pattern_scan.patterns import NEUTRAL, TALIB_FUNCTIONS
from plugins.pattern_scan.payload import PatternScanPayload, PatternScanReport
from plugins.pattern_scan.scan import Hits, scan

ALL = list(TALIB_FUNCTIONS)
DAY = 86_400_000


@pytest.fixture
def context(tmp_path: Path) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("NSE:INFY", Timeframe.D1, random_bars(800, seed=1))
    store.write("NSE:TCS", Timeframe.D1, random_bars(800, seed=2))
    return FakeJobContext(tmp_path, store)


def run(context: FakeJobContext, **changes: Any) -> PatternScanReport:
    payload = PatternScanPayload.model_validate({"symbols": ["NSE:INFY"], **changes})
    return PatternScanJob().run(context, payload)


def rows(hits: Hits) -> list[tuple[int, str, int]]:
    return [(int(hits.bar[i]), hits.names[hits.pattern[i]], int(hits.strength[i])) for i in range(len(hits))]


def test_the_table_names_every_function_of_talib_once() -> None:
    known = talib.get_function_groups()["Pattern Recognition"]  # type: ignore[no-untyped-call]
    assert sorted(TALIB_FUNCTIONS.values()) == sorted(known)
    assert sorted(ALL) == ALL
    assert NEUTRAL.issubset(ALL)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_depends_on_later_bars(seed: int) -> None:
    bars = random_bars(400, seed=seed)
    whole = rows(scan(bars, ALL))
    for cut in (0, 1, 5, 13, 14, 100, 101, 102, 399):
        start = rows(scan(bars.slice(None, int(bars.time[cut])), ALL))
        assert start == [row for row in whole if row[0] < cut]


def test_finds_an_engulfing_that_is_there() -> None:
    # Quiet falling bars, then a white candle whose body swallows the black one before.
    open_ = np.array([100.0 - i for i in range(20)] + [79.5])
    close = np.append(open_[:-1] - 1, 82.5)
    bars = Bars(
        np.arange(21, dtype=np.int64) * DAY,
        open_,
        np.maximum(open_, close) + 0.1,
        np.minimum(open_, close) - 0.1,
        close,
        np.ones(21),
    )
    assert rows(scan(bars, ["engulfing"])) == [(20, "engulfing", 100)]


def test_agrees_with_talib_on_every_pattern() -> None:
    bars = random_bars(3000, seed=7)
    hits = scan(bars, ALL)
    for index, name in enumerate(hits.names):
        values = getattr(talib, TALIB_FUNCTIONS[name])(bars.open, bars.high, bars.low, bars.close)
        mine = hits.pattern == index
        assert hits.bar[mine].tolist() == np.flatnonzero(values).tolist()
        assert hits.strength[mine].tolist() == values[values != 0].tolist()


def test_hits_are_newest_first_and_counted_in_full(context: FakeJobContext) -> None:
    result = run(context, limit=10).results[0]
    assert len(result.hits) == 10
    assert result.total == sum(result.counts.values()) > 10
    assert list(result.counts) == ALL
    times = [hit.time for hit in result.hits]
    assert times == sorted(times, reverse=True)
    everything = run(context, limit=5000).results[0]
    assert len(everything.hits) == everything.total == result.total
    assert everything.hits[:10] == result.hits


def test_a_hit_is_known_when_its_bar_has_closed(context: FakeJobContext) -> None:
    hit = run(context, patterns=["engulfing"]).results[0].hits[0]
    assert hit.time.endswith("T00:00:00.000Z")
    assert np.datetime64(hit.closed_at[:-1]) - np.datetime64(hit.time[:-1]) == np.timedelta64(1, "D")
    assert hit.pattern == "engulfing"
    assert hit.direction == ("bullish" if hit.strength > 0 else "bearish")


def test_signs_that_mean_nothing_are_neutral(context: FakeJobContext) -> None:
    hits = run(context, patterns=["doji", "spinning_top", "belt_hold"], limit=5000).results[0].hits
    assert {hit.direction for hit in hits if hit.pattern in NEUTRAL} == {"neutral"}
    assert {hit.direction for hit in hits if hit.pattern not in NEUTRAL} == {"bullish", "bearish"}


def test_writes_every_hit_oldest_first(context: FakeJobContext) -> None:
    result = run(context, limit=1).results[0]
    assert result.artifacts == ["hits-NSE_INFY.parquet"]
    table = pq.read_table(context.directory / result.artifacts[0])
    assert table.column_names == ["time", "closed_at", "pattern", "direction", "strength", "close"]
    assert table.num_rows == result.total
    times = table["time"].to_pylist()
    assert times == sorted(times)
    assert table["pattern"].to_pylist()[-1] == result.hits[0].pattern


def test_hits_do_not_depend_on_where_the_range_starts(context: FakeJobContext) -> None:
    whole = run(context, limit=5000).results[0]
    part = run(context, limit=5000, start="2021-01-01", end="2021-06-01").results[0]
    inside = [hit for hit in whole.hits if "2021-01-01" <= hit.time < "2021-06-01"]
    assert part.hits == inside
    assert (part.start, part.end) == ("2021-01-01T00:00:00.000Z", "2021-05-31T00:00:00.000Z")
    assert part.bars == 151


def test_fewer_bars_than_a_pattern_needs_is_no_error(context: FakeJobContext) -> None:
    context.bars.write("X", Timeframe.D1, random_bars(3))
    result = run(context, symbols=["X"]).results[0]
    assert (result.total, result.hits, result.bars) == (0, [], 3)


@pytest.mark.parametrize("changes", [{"start": "2030-01-01"}, {"end": "2000-01-01"}])
def test_no_bars_in_range_says_what_is_stored(context: FakeJobContext, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="800 bars from 2020-01-02") as caught:
        run(context, **changes)
    assert caught.value.code == "no_bars"


def test_an_unknown_symbol_names_the_import_command(context: FakeJobContext) -> None:
    with pytest.raises(NotFound, match="aitrader data import"):
        run(context, symbols=["NSE:NOTHING"])


def test_progress_rises_and_cancel_stops(context: FakeJobContext) -> None:
    run(context, symbols=["NSE:INFY", "NSE:TCS"])
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    context.cancel_after, context.checks = 30, 0
    with pytest.raises(JobCanceled):
        run(context)


@pytest.mark.parametrize(
    "changes",
    [
        {"patterns": []},
        {"patterns": ["CDLDOJI"]},
        {"patterns": ["doji", "doji"]},
        {"limit": 0},
        {"limit": 5001},
        {"symbols": []},
        {"symbol": "X"},
        {"start": 5},
        {"extra": 1},
    ],
)
def test_refuses_payloads(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PatternScanPayload.model_validate({"symbols": ["NSE:INFY"], **changes})


def test_the_canonical_payload_is_stable() -> None:
    canonical = PatternScanPayload.model_validate({"symbol": "nse:infy"}).model_dump(mode="json")
    assert canonical["symbols"] == ["NSE:INFY"]
    assert canonical["patterns"] == ALL
    assert PatternScanPayload.model_validate(canonical).model_dump(mode="json") == canonical


def test_the_job_type_fits_its_port_and_its_example_is_valid() -> None:
    registry: Registry[JobType] = Registry("job type", JobType)
    plugin.aitrader_register_job_types(registry=registry)
    assert list(registry) == ["pattern_scan"]
    PatternScanPayload.model_validate(registry.get("pattern_scan").example)
    assert PatternScanPayload.model_json_schema()["properties"]["patterns"]["items"]["enum"] == ALL


def test_the_plugin_is_cheap_to_import() -> None:
    heavy = ["matplotlib", "pyarrow", "talib", "pandas", "numba"]
    code = f"import sys, plugins.pattern_scan.plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
