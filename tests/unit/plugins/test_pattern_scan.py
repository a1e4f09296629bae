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

from adapters.marketdata.samples import install_samples
from aitrader.api import (
    CANDLESTICKS,
    CHART_PATTERNS,
    NEUTRAL_CANDLESTICKS,
    Bars,
    Invalid,
    JobCanceled,
    JobType,
    NotFound,
    Registry,
    Timeframe,
    find_chart_patterns,
    rfc3339,
    to_ms,
)
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from domain.signals.scanning.history import PatternHistory, pattern_history
from domain.signals.scanning.scan import PatternHits, scan_patterns
from plugins.pattern_scan import plugin
from plugins.pattern_scan.charts import write_hit
from plugins.pattern_scan.job import PatternScanJob
from plugins.pattern_scan.payload import Outcome, PatternScanPayload, PatternScanReport

ALL = sorted((*CANDLESTICKS, *CHART_PATTERNS))
DAY = 86_400_000
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def context(tmp_path: Path) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("NSE:INFY", Timeframe.D1, random_bars(800, seed=1))
    store.write("NSE:TCS", Timeframe.D1, random_bars(800, seed=2))
    return FakeJobContext(tmp_path, store)


def run(context: FakeJobContext, **changes: Any) -> PatternScanReport:
    payload = PatternScanPayload.model_validate({"symbols": ["NSE:INFY"], "plots": 0, **changes})
    return PatternScanJob().run(context, payload)


def rows(hits: PatternHits) -> list[tuple[int, str, int]]:
    return [(int(hits.bar[i]), hits.names[hits.pattern[i]], int(hits.strength[i])) for i in range(len(hits))]


def test_the_table_names_every_function_of_talib_once() -> None:
    known = talib.get_function_groups()["Pattern Recognition"]  # type: ignore[no-untyped-call]
    assert sorted(CANDLESTICKS.values()) == sorted(known)
    assert len(CANDLESTICKS) == 61
    assert sorted(CANDLESTICKS) == list(CANDLESTICKS)
    assert NEUTRAL_CANDLESTICKS.issubset(CANDLESTICKS)
    assert not set(CHART_PATTERNS) & set(CANDLESTICKS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_depends_on_later_bars(seed: int) -> None:
    bars = random_bars(400, seed=seed)
    whole = rows(scan_patterns(bars, ALL))
    for cut in (0, 1, 5, 13, 14, 100, 101, 102, 399):
        start = rows(scan_patterns(bars.slice(None, int(bars.time[cut])), ALL))
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
    assert rows(scan_patterns(bars, ["engulfing"])) == [(20, "engulfing", 100)]


def bars_of(name: str) -> Bars:
    if name == "random":
        return random_bars(3000, seed=7)
    store = MemoryBarStore()
    timeframes = {dataset.symbol: dataset.timeframe for dataset in install_samples(store)}
    return store.read(name, timeframes[name])


@pytest.mark.parametrize("name", ["random", "FX:EURUSD", "INDEX:SPX", "NASDAQ:MSFT"])
def test_agrees_with_talib_on_every_pattern(name: str) -> None:
    bars = bars_of(name)
    hits = scan_patterns(bars, ALL)
    assert hits.names == tuple(ALL)
    for index, pattern in enumerate(hits.names):
        mine = hits.pattern == index
        if pattern in CANDLESTICKS:
            values = getattr(talib, CANDLESTICKS[pattern])(bars.open, bars.high, bars.low, bars.close)
            assert hits.bar[mine].tolist() == np.flatnonzero(values).tolist()
            assert hits.strength[mine].tolist() == values[values != 0].tolist()
            assert (hits.chart[mine] == -1).all()


def test_chart_patterns_are_those_of_the_domain() -> None:
    bars = random_bars(3000, seed=7)
    expected = find_chart_patterns(bars)
    hits = scan_patterns(bars, ALL)
    mine = np.flatnonzero(hits.chart >= 0)
    assert [hits.names[number] for number in hits.pattern[mine]] == [
        expected.name(hit) for hit in range(len(expected))
    ]
    assert hits.chart[mine].tolist() == list(range(len(expected)))
    assert hits.bar[mine].tolist() == expected.bar.tolist()
    assert hits.strength[mine].tolist() == expected.strength.tolist()


@pytest.mark.parametrize("names", [["doji", "double_top"], ["bull_flag"], ["engulfing"]])
def test_a_few_patterns_are_found_as_among_all(names: list[str]) -> None:
    bars = random_bars(2000, seed=3)
    assert rows(scan_patterns(bars, names)) == [row for row in rows(scan_patterns(bars, ALL)) if row[1] in names]


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
    assert {hit.direction for hit in hits if hit.pattern in NEUTRAL_CANDLESTICKS} == {"neutral"}
    assert {hit.direction for hit in hits if hit.pattern not in NEUTRAL_CANDLESTICKS} == {"bullish", "bearish"}


def test_writes_every_hit_oldest_first(context: FakeJobContext) -> None:
    result = run(context, limit=1).results[0]
    assert result.artifacts == ["hits-NSE_INFY.parquet", "evidence-NSE_INFY.parquet"]
    table = pq.read_table(context.directory / result.artifacts[0])
    columns = ["time", "closed_at", "pattern", "direction", "strength", "close", "target", "invalidation", "points"]
    assert table.column_names == columns
    assert table.num_rows == result.total
    times = table["time"].to_pylist()
    assert times == sorted(times)
    assert table["pattern"].to_pylist()[-1] == result.hits[0].pattern


def test_the_table_of_hits_says_what_the_listed_hits_say(context: FakeJobContext) -> None:
    result = run(context, limit=5000).results[0]
    table = pq.read_table(context.directory / result.artifacts[0]).to_pylist()
    for row, hit in zip(table, reversed(result.hits), strict=True):
        assert rfc3339(to_ms(row["closed_at"])) == hit.closed_at
        assert (row["pattern"], row["direction"], row["strength"]) == (hit.pattern, hit.direction, hit.strength)
        for name in ("target", "invalidation"):
            wanted = getattr(hit, name)
            assert row[name] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-5))
        points = [(rfc3339(to_ms(point["time"])), rfc3339(to_ms(point["known_at"]))) for point in row["points"]]
        assert points == [(point.time, point.known_at) for point in hit.points]
        assert [point["price"] for point in row["points"]] == [point.price for point in hit.points]
    assert any(row["points"] for row in table)


def test_a_chart_pattern_comes_with_its_geometry(context: FakeJobContext) -> None:
    hits = run(context, patterns=list(CHART_PATTERNS), limit=5000).results[0].hits
    assert len(hits) > 20
    for hit in hits:
        assert 3 <= len(hit.points) <= 6
        assert all(point.time < point.known_at <= hit.closed_at for point in hit.points)
        assert 1 <= len(hit.lines) <= 2
        assert hit.lines[0].end == hit.time
        sign = 1 if hit.direction == "bullish" else -1
        assert sign * (hit.close - hit.lines[0].end_price) > 0
        assert sign * (hit.close - (hit.invalidation or 0.0)) > 0
    candlesticks = run(context, patterns=["doji"], limit=5).results[0].hits
    assert {(hit.target, hit.invalidation, len(hit.points), len(hit.lines)) for hit in candlesticks} == {
        (None, None, 0, 0)
    }


def test_each_hit_has_its_past_as_of_its_close(context: FakeJobContext) -> None:
    """A scan that ends with the bar of a hit knows nothing else, and says the same about it."""
    whole = run(context, limit=5000, horizons=[1, 5]).results[0]
    assert any(outcome.p_value is not None for outcome in whole.hits[0].evidence)
    for hit in whole.hits[:: len(whole.hits) // 6]:
        result = run(context, limit=5000, horizons=[1, 5], end=hit.closed_at).results[0]
        assert result.hits == whole.hits[-len(result.hits) :]
        of_its_pattern = next(
            item for item in result.evidence if (item.pattern, item.direction) == (hit.pattern, hit.direction)
        )
        assert of_its_pattern.evidence == hit.evidence


def test_the_evidence_by_hand(context: FakeJobContext) -> None:
    result = run(context, patterns=["engulfing"], limit=5000, horizons=[3]).results[0]
    bars = context.bars.read("NSE:INFY", Timeframe.D1)
    hits = scan_patterns(bars, ["engulfing"])
    place = len(hits) - 1
    bar, sign = int(hits.bar[place]), int(np.sign(hits.strength[place]))
    past = [int(at) for at, value in zip(hits.bar, hits.strength, strict=True) if value * sign > 0 and at + 3 <= bar]
    returns = [bars.close[at + 3] / bars.close[at] - 1 for at in past]
    base = [bars.close[at + 3] / bars.close[at] - 1 for at in range(bar - 2)]
    found = result.hits[0].evidence[0]
    assert (found.horizon, found.n) == (3, len(past))
    assert found.mean == pytest.approx(np.mean(returns), rel=1e-5)
    assert found.median == pytest.approx(np.median(returns), rel=1e-5)
    assert found.base_mean == pytest.approx(np.mean(base), rel=1e-5)
    assert found.excess == pytest.approx(np.mean(returns) - np.mean(base), rel=1e-4)
    assert found.share == pytest.approx(np.mean([value * sign > 0 for value in returns]), rel=1e-5)
    assert found.excess_low is not None
    assert found.excess_high is not None
    assert found.excess_low < found.excess < found.excess_high


def test_evidence_is_listed_for_every_pattern_that_occurred(context: FakeJobContext) -> None:
    result = run(context, horizons=[2, 7], limit=1).results[0]
    names = [(item.pattern, item.direction) for item in result.evidence]
    assert len(set(names)) == len(names)
    assert [name for name, _ in names] == sorted(name for name, _ in names)
    occurred = {name for name, count in result.counts.items() if count}
    assert {name for name, _ in names} == occurred
    for item in result.evidence:
        assert [outcome.horizon for outcome in item.evidence] == [2, 7]
        assert item.evidence[0].n <= item.occurrences
    total = sum(item.occurrences for item in result.evidence)
    assert total == result.total, "the range begins with the first bar"


def test_the_table_of_evidence_says_what_the_result_says(context: FakeJobContext) -> None:
    result = run(context, limit=30, horizons=[1, 5]).results[0]
    table = pq.read_table(context.directory / "evidence-NSE_INFY.parquet").to_pylist()
    expected = [
        (hit.pattern, hit.direction, True, outcome) for hit in reversed(result.hits) for outcome in hit.evidence
    ]
    expected += [
        (item.pattern, item.direction, False, outcome) for item in result.evidence for outcome in item.evidence
    ]
    for row, (pattern, direction, hit, outcome) in zip(table, expected, strict=True):
        assert (row["pattern"], row["direction"], row["hit"]) == (pattern, direction, hit)
        for name in Outcome.model_fields:
            wanted = getattr(outcome, name)
            assert row[name] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-5)), name


def test_the_newest_hits_are_drawn(context: FakeJobContext) -> None:
    result = run(context, patterns=["double_top", "engulfing"], limit=50, plots=3, horizons=[1, 2, 3, 4, 5]).results[
        0
    ]
    names = [f"hit-NSE_INFY-{number}-{hit.pattern}.png" for number, hit in enumerate(result.hits[:3], 1)]
    assert [hit.plot for hit in result.hits] == [*names, *[None] * 47]
    assert result.artifacts[2:] == names
    for name in names:
        assert context.artifacts[name] == "image/png"
        image = (context.directory / name).read_bytes()
        assert image.startswith(PNG_MAGIC)
        assert (int.from_bytes(image[16:20]), int.from_bytes(image[20:24])) == (1200, 800)
        assert len(image) > 20_000


@pytest.fixture(scope="module")
def many() -> tuple[Bars, PatternHits, PatternHistory]:
    bars = random_bars(20_000, seed=1, timeframe=Timeframe.H1)
    hits = scan_patterns(bars, CHART_PATTERNS)
    return bars, hits, pattern_history(bars.close, hits, len(hits), (1, 20))


@pytest.mark.parametrize("name", CHART_PATTERNS)
def test_every_chart_pattern_can_be_drawn(
    name: str, many: tuple[Bars, PatternHits, PatternHistory], tmp_path: Path
) -> None:
    bars, hits, history = many
    index = int(np.flatnonzero(hits.pattern == hits.names.index(name))[-1])
    write_hit(tmp_path / "hit.png", "X 1h", bars, hits, index, history, index)
    assert (tmp_path / "hit.png").read_bytes().startswith(PNG_MAGIC)


def test_plots_are_bounded_by_the_listed_hits(context: FakeJobContext) -> None:
    result = run(context, patterns=["doji"], limit=2, plots=20).results[0]
    assert sum(name.endswith(".png") for name in result.artifacts) == 2


def test_the_same_again_gives_the_same(context: FakeJobContext) -> None:
    first = run(context, limit=20, plots=1)
    name = first.results[0].artifacts[2]
    image = (context.directory / name).read_bytes()
    assert run(context, limit=20, plots=1) == first
    assert (context.directory / name).read_bytes() == image


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


def test_progress_rises(context: FakeJobContext) -> None:
    run(context, symbols=["NSE:INFY", "NSE:TCS"])
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {message.split(": ")[-1] for _, message in context.reports} >= {"scanning", "evidence", "writing"}


@pytest.mark.parametrize(
    ("checks", "step"),
    [(0, "reading bars"), (30, "scanning"), (65, "evidence"), (69, "drawing 2 of 3"), (71, "writing")],
)
def test_cancel_stops_at_any_step(context: FakeJobContext, checks: int, step: str) -> None:
    context.cancel_after = checks
    with pytest.raises(JobCanceled):
        run(context, plots=3)
    assert context.reports[-1][1] == f"NSE:INFY: {step}"


@pytest.mark.parametrize(
    "changes",
    [
        {"patterns": []},
        {"patterns": ["CDLDOJI"]},
        {"patterns": ["doji", "doji"]},
        {"limit": 0},
        {"limit": 5001},
        {"horizons": []},
        {"horizons": [0]},
        {"horizons": [501]},
        {"horizons": [5, 5]},
        {"horizons": list(range(1, 10))},
        {"plots": -1},
        {"plots": 201},
        {"seed": -1},
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
    assert (canonical["horizons"], canonical["plots"], canonical["seed"]) == ([1, 5, 10, 20], 20, 0)
    assert PatternScanPayload.model_validate(canonical).model_dump(mode="json") == canonical


def test_a_payload_from_before_is_still_valid() -> None:
    """Version 0.1 stored its jobs like this."""
    old = {"symbol": None, "symbols": ["NSE:INFY"], "timeframe": "1d", "start": None, "end": None}
    PatternScanPayload.model_validate({**old, "patterns": list(CANDLESTICKS), "limit": 500})


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
