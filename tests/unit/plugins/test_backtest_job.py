from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from aitrader.api import (
    Bars,
    FloatColumn,
    Invalid,
    JobCanceled,
    JobType,
    NotFound,
    Registry,
    Session,
    Strategy,
    Timeframe,
)
from aitrader.registry import port_problems
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from plugins.backtest import plugin
from plugins.backtest.charts import visible_points
from plugins.backtest.job import BacktestJob, money
from plugins.backtest.payload import BacktestPayload, BacktestReport
from plugins.backtest.strategies import STRATEGIES

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass
class FixedParams:
    exposure: float = 1.0


class Fixed(Strategy):
    name = "fixed"
    title = "Always the same exposure"
    params_type = FixedParams

    def targets(self, bars: Bars, params: Any) -> FloatColumn:
        return np.full(len(bars), params.exposure)


@pytest.fixture
def context(tmp_path: Path) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("NASDAQ:AAPL", Timeframe.D1, random_bars(600, seed=1))
    store.write("BINANCE:BTCUSDT", Timeframe.D1, random_bars(600, seed=2), session=Session.ALWAYS, currency="USDT")
    strategies = {strategy.name: strategy for strategy in (*STRATEGIES, Fixed())}
    return FakeJobContext(tmp_path, store, strategies=strategies)


def payload(**changes: Any) -> BacktestPayload:
    return BacktestPayload.model_validate({"symbols": ["NASDAQ:AAPL"], "strategy": "sma_cross", **changes})


def run(context: FakeJobContext, **changes: Any) -> BacktestReport:
    return BacktestJob().run(context, payload(**changes))


def test_one_report_and_one_row_per_symbol(context: FakeJobContext) -> None:
    report = run(context, symbols=["NASDAQ:AAPL", "BINANCE:BTCUSDT"], params={"fast": 5, "slow": 20}, seed=7)
    assert [result.symbol for result in report.results] == ["NASDAQ:AAPL", "BINANCE:BTCUSDT"]
    assert [row.step for row in context.records] == ["NASDAQ:AAPL", "BINANCE:BTCUSDT"]
    for row, result in zip(context.records, report.results, strict=True):
        assert row.metrics == result.metrics
        assert row.params == {"direction": "long_only", "fast": 5, "slow": 20}
        assert (row.kind, row.seed, row.trials, row.timeframe) == ("single", 7, 1, "1d")
        assert row.artifacts == result.artifacts
        assert row.data_hash == result.data_hash
        assert row.code_version
    apple, bitcoin = report.results
    assert (apple.assumptions.bars_per_year, bitcoin.assumptions.bars_per_year) == (252, 365)
    assert (apple.currency, bitcoin.currency) == ("USD", "USDT")
    assert apple.metrics["bars_per_year"] == 252
    assert apple.assumptions.sample == "in_sample"


def test_the_result_is_json_with_money_as_text(context: FakeJobContext) -> None:
    report = run(context, strategy="fixed", initial_cash="5000.50")
    result = json.loads(report.model_dump_json())["results"][0]
    for field in ("final_equity", "fees", "slippage"):
        assert isinstance(result[field], str), field
    assert result["assumptions"]["initial_cash"] == "5000.50"
    assert result["open_position"]["side"] == "long"
    assert result["start"] == "2020-01-02T00:00:00.000Z"
    assert BacktestReport.model_validate(json.loads(report.model_dump_json())) == report


def test_the_numbers_hang_together(context: FakeJobContext) -> None:
    result = run(context, strategy="fixed").results[0]
    equity = pq.read_table(context.directory / "equity-NASDAQ_AAPL.parquet")
    final = equity["equity"][-1].as_py()
    assert float(result.final_equity) == pytest.approx(final, abs=1e-7)
    assert result.metrics["total_return"] == pytest.approx(final / 100_000 - 1)
    assert result.n_trades == result.metrics["n_trades"] == 0
    assert result.open_position is not None
    assert float(result.open_position.unrealized_pnl) == pytest.approx(final - 100_000, abs=1e-6)
    # Always fully long is buy and hold.
    assert result.buy_and_hold.total_return == result.metrics["total_return"]
    assert result.buy_and_hold.cagr == result.metrics["cagr"]


def test_writes_tables_and_a_chart(context: FakeJobContext) -> None:
    result = run(context, params={"fast": 5, "slow": 20}).results[0]
    assert result.artifacts == ["equity-NASDAQ_AAPL.parquet", "trades-NASDAQ_AAPL.parquet", "equity-NASDAQ_AAPL.png"]
    assert list(context.artifacts) == result.artifacts
    equity = pq.read_table(context.directory / result.artifacts[0])
    assert equity.column_names == ["time", "equity", "cash", "position", "drawdown", "close"]
    assert str(equity.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert equity.num_rows == result.bars == 600
    assert min(equity["drawdown"].to_pylist()) == result.metrics["max_drawdown"]
    trades = pq.read_table(context.directory / result.artifacts[1])
    assert trades.num_rows == result.n_trades > 0
    assert set(trades["side"].to_pylist()) == {"long"}
    assert sum(trades["pnl"].to_pylist()) / result.n_trades == pytest.approx(result.metrics["expectancy"])
    assert (context.directory / result.artifacts[2]).read_bytes().startswith(PNG_MAGIC)


def test_without_shorts_negative_exposures_are_flat(context: FakeJobContext) -> None:
    result = run(context, strategy="fixed", params={"exposure": -1}, allow_short=False).results[0]
    assert result.final_equity == Decimal("100000.00")
    assert run(context, strategy="fixed", params={"exposure": -1}).results[0].fees > 0


def test_ruin_is_reported(context: FakeJobContext) -> None:
    rising = random_bars(40, seed=3)
    factor = np.linspace(1, 4, 40)
    high, low = rising.high * factor, rising.low * factor
    bars = Bars(rising.time, rising.open * factor, high, low, rising.close * factor, rising.volume)
    context.bars.write("X", Timeframe.D1, bars)
    result = run(context, symbols=["X"], strategy="fixed", params={"exposure": -1}).results[0]
    assert result.ruined
    assert result.metrics["sharpe"] is None
    assert result.final_equity <= 0


def test_fewer_bars_than_the_lookback_is_no_error(context: FakeJobContext) -> None:
    result = run(context, params={"fast": 100, "slow": 2000}).results[0]
    assert (result.n_trades, result.metrics["sharpe"], result.metrics["win_rate"]) == (0, None, None)
    assert result.final_equity == Decimal("100000.00")


def test_one_bar_is_enough_to_answer(context: FakeJobContext) -> None:
    result = run(context, start="2020-01-02", end="2020-01-03", strategy="fixed").results[0]
    assert (result.bars, result.metrics["cagr"]) == (1, None)


def test_start_is_included_and_end_is_not(context: FakeJobContext) -> None:
    result = run(context, start="2020-02-01", end="2020-03-01T00:00:00Z").results[0]
    assert (result.start, result.end) == ("2020-02-01T00:00:00.000Z", "2020-02-29T00:00:00.000Z")


def test_no_bars_in_range_says_what_is_stored(context: FakeJobContext) -> None:
    with pytest.raises(Invalid, match=r"600 bars from 2020-01-02T.* to 2021-08-23T") as caught:
        run(context, start="2030-01-01")
    assert caught.value.code == "no_bars"
    assert not context.records


def test_unknown_names_are_explained(context: FakeJobContext) -> None:
    with pytest.raises(NotFound, match="sma_cross"):
        run(context, strategy="nothing")
    with pytest.raises(NotFound, match="aitrader data import"):
        run(context, symbols=["NYSE:IBM"])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"fast": "x"}, "payload.params.fast"),
        ({"speed": 1}, "payload.params.speed"),
        ({"fast": 99}, "payload.params"),
    ],
)
def test_parameters_off_schema_name_the_field(context: FakeJobContext, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        run(context, params=params)
    assert [error.field for error in caught.value.errors] == [field]
    assert caught.value.code == "invalid_params"


def test_targets_that_are_no_exposure_fail_the_job(context: FakeJobContext) -> None:
    with pytest.raises(Invalid) as caught:
        run(context, strategy="fixed", params={"exposure": 3})
    assert caught.value.code == "invalid_targets"


def test_progress_rises_and_names_the_steps(context: FakeJobContext) -> None:
    run(context, symbols=["NASDAQ:AAPL", "BINANCE:BTCUSDT"])
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert [message for _, message in context.reports[:4]] == [
        f"NASDAQ:AAPL: {step}" for step in ("reading bars", "simulating", "metrics", "writing")
    ]


@pytest.mark.parametrize("after", [0, 3, 6, 9])
def test_stops_when_canceled(context: FakeJobContext, after: int) -> None:
    context.cancel_after = after
    with pytest.raises(JobCanceled):
        run(context)
    assert not context.records


def test_runs_again_to_the_same_result(context: FakeJobContext) -> None:
    first = run(context, params={"fast": 5, "slow": 20})
    chart = (context.directory / "equity-NASDAQ_AAPL.png").read_bytes()
    assert run(context, params={"fast": 5, "slow": 20}) == first
    assert (context.directory / "equity-NASDAQ_AAPL.png").read_bytes() == chart


def test_files_of_different_symbols_never_collide(context: FakeJobContext) -> None:
    for symbol in ("A:B", "A_B", "A&B"):
        context.bars.write(symbol, Timeframe.D1, random_bars(20))
    report = run(context, symbols=["A:B", "A_B", "A&B"])
    names = [name for result in report.results for name in result.artifacts]
    assert len(set(names)) == len(names) == 9


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": []},
        {"symbols": ["A"] * 2},
        {"symbols": [f"S{i}" for i in range(21)]},
        {"symbols": ["not a symbol"]},
        {"symbol": "A"},
        {"timeframe": "2d"},
        {"initial_cash": 0},
        {"initial_cash": "NaN"},
        {"initial_cash": "Infinity"},
        {"commission_bps": -1},
        {"slippage_bps": float("inf")},
        {"start": "2020-01-02", "end": "2020-01-02"},
        {"start": "2020-01-02T10:00:00"},
        {"start": 1577836800},
        {"start": "1577836800"},
        {"start": "2020-13-01"},
        {"surprise": 1},
    ],
)
def test_refuses_payloads(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        payload(**changes)


def test_the_canonical_payload_is_stable() -> None:
    short = BacktestPayload.model_validate({"symbol": "nasdaq:aapl", "strategy": "sma_cross", "start": "2020-01-02"})
    canonical = short.model_dump(mode="json")
    assert canonical["symbols"] == ["NASDAQ:AAPL"]
    assert canonical["start"] == "2020-01-02T00:00:00Z"
    assert canonical["initial_cash"] == "100000"
    assert BacktestPayload.model_validate(canonical).model_dump(mode="json") == canonical


def test_the_job_type_fits_its_port_and_its_example_is_valid() -> None:
    job_types: Registry[JobType] = Registry("job type", JobType)
    strategies: Registry[Strategy] = Registry("strategy", Strategy)
    plugin.aitrader_register_job_types(registry=job_types)
    plugin.aitrader_register_strategies(registry=strategies)
    assert list(job_types) == ["backtest"]
    assert list(strategies) == ["donchian_breakout", "rsi_mean_reversion", "sentiment_trend", "sma_cross"]
    BacktestPayload.model_validate(job_types.get("backtest").example)
    assert not port_problems(BacktestJob(), JobType)
    for model in (BacktestPayload, BacktestReport):
        assert model.model_json_schema(mode="serialization")["additionalProperties"] is False


def test_the_plugin_is_cheap_to_import() -> None:
    heavy = ["matplotlib", "pyarrow", "talib", "pandas", "numba"]
    code = f"import sys, plugins.backtest.plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1e5, "100000.00"),
        (0.1 + 0.2, "0.30"),
        (1.23456789, "1.23456789"),
        (-1e-12, "0.00"),
        (-2.5, "-2.50"),
        (1e30, "1"),
    ],
)
def test_money_has_two_to_eight_places(amount: float, text: str) -> None:
    assert str(money(amount)).startswith(text)


def test_long_curves_are_drawn_by_their_extremes() -> None:
    values = random_bars(100_001, seed=8).close
    shown = visible_points(values)
    assert len(shown) <= 4002
    assert {0, 100_000} <= set(shown.tolist())
    assert values[shown].max() == values[:100_000].max()
    assert visible_points(values[:50]).tolist() == list(range(50))
