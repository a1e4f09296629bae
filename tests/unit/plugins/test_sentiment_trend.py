"""The strategy ``sentiment_trend`` in backtests: it reads what could be known at a bar's close, and nothing later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aitrader.api import (
    Bars,
    FloatColumn,
    Invalid,
    NewsItem,
    NotFound,
    Registry,
    ScoredText,
    SentimentAtBars,
    SentimentColumns,
    Strategy,
    Timeframe,
    decay_of,
    needs_sentiment,
    sentiment_at_times,
)
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from plugins.backtest.job import BacktestJob
from plugins.backtest.payload import BacktestPayload, SymbolReport
from plugins.backtest.sentiment import sentiment_of_bars
from plugins.backtest.strategies import STRATEGIES, SentimentParams, SentimentTrend

DAY = 86_400_000
HOUR = 3_600_000
START = 1_577_923_200_000
BARS = random_bars(60, seed=4)
Text = tuple[int, float, float]


@dataclass
class Texts:
    """Stored sentiment of one symbol."""

    texts: list[Text]

    def columns(
        self, symbol: str, *, until_ms: int, since_ms: int | None = None, without: Collection[str] = ()
    ) -> SentimentColumns:
        rows = sorted(text for text in self.texts if (since_ms or 0) <= text[0] < until_ms and symbol == "NSE:INFY")
        time, score, weight = zip(*rows, strict=True) if rows else ((), (), ())
        return SentimentColumns(np.array(time, np.int64), np.array(score, float), np.array(weight, float))

    def newest(self, symbol: str, *, until_ms: int, limit: int) -> Sequence[ScoredText]:
        raise AssertionError("not asked for")

    def news(self, symbol: str | None, **_: Any) -> Sequence[NewsItem]:
        raise AssertionError("not asked for")


def targets(texts: list[Text], bars: Bars = BARS, **params: Any) -> FloatColumn:
    strategy, parsed = SentimentTrend(), SentimentParams(**params)
    columns = Texts(texts).columns("NSE:INFY", until_ms=2**60)
    at = sentiment_at_times(columns, bars.time + DAY, strategy.decay(parsed))
    return strategy.targets_with(bars, at, parsed)


def run(texts: list[Text], tmp_path: Path, **changes: Any) -> SymbolReport:
    store = MemoryBarStore()
    store.write("NSE:INFY", Timeframe.D1, BARS)
    strategies = {strategy.name: strategy for strategy in STRATEGIES}
    context = FakeJobContext(tmp_path, store, strategies=strategies, scored=Texts(texts))
    asked = {"symbols": ["NSE:INFY"], "strategy": "sentiment_trend", **changes}
    return BacktestJob().run(context, BacktestPayload.model_validate(asked)).results[0]


def test_long_while_what_was_written_is_good_and_enough() -> None:
    close = int(BARS.time[10]) + DAY
    held = targets([(close, 1.0, 1.0)], min_weight=0.5)
    # Known at the close of bar 10, and after two days it weighs half: at that close, still enough.
    assert np.flatnonzero(held).tolist() == [10, 11, 12]
    assert np.flatnonzero(targets([(close + 1, 1.0, 1.0)], min_weight=0.5)).tolist() == [11, 12]
    assert targets([(close, 1.0, 1.0)], min_weight=1.0).sum() == 1
    assert targets([(close, 0.2, 1.0)], min_weight=0.5).sum() == 0


def test_short_only_where_that_is_wanted() -> None:
    close = int(BARS.time[10]) + DAY
    assert not targets([(close, -1.0, 1.0)], min_weight=0.5).any()
    assert np.flatnonzero(targets([(close, -1.0, 1.0)], min_weight=0.5, direction="long_short") == -1).tolist() == [
        10,
        11,
        12,
    ]


def test_texts_that_balance_are_not_good() -> None:
    close = int(BARS.time[10]) + DAY
    assert not targets([(close, 1.0, 1.0), (close, -1.0, 1.0)], direction="long_short").any()


TEXTS = st.lists(
    st.tuples(
        st.integers(0, 62 * 24).map(lambda hour: START + hour * HOUR), st.sampled_from([-1.0, 0.3, 1.0]), st.just(1.0)
    ),
    max_size=30,
)


@given(TEXTS, TEXTS, st.integers(0, 59), st.randoms(use_true_random=False))
def test_texts_after_a_close_change_no_target_up_to_it(
    texts: list[Text], others: list[Text], bar: int, chance: Any
) -> None:
    close = int(BARS.time[bar]) + DAY
    past, later = [text for text in texts if text[0] <= close], [text for text in texts if text[0] > close]
    shuffled = [(chance.randint(close + 1, close + 90 * DAY), -score, weight) for _, score, weight in later]
    options: dict[str, Any] = {"direction": "long_short", "min_weight": 0.5}
    whole = targets(texts, **options)[: bar + 1]
    for future in ([], shuffled, [text for text in others if text[0] > close]):
        assert targets(past + future, **options)[: bar + 1].tobytes() == whole.tobytes()
    cut = BARS.slice(None, int(BARS.time[bar]) + 1)
    assert targets(texts, cut, **options).tobytes() == whole.tobytes()


def test_a_backtest_trades_it_and_says_what_it_read(tmp_path: Path) -> None:
    good = int(BARS.time[10]) + DAY
    texts = [(good, 1.0, 1.0), (good + 5 * DAY, -1.0, 1.0), (good + 90 * DAY, 1.0, 1.0), (START - 15 * DAY, 1.0, 1.0)]
    result = run(texts, tmp_path, params={"min_weight": 0.1})
    assert result.n_trades == 1
    assert result.sentiment is not None
    assert (result.sentiment.texts, result.sentiment.half_life_hours) == (2, 48)
    assert 0 < result.sentiment.bars < len(BARS)
    again = run(texts[:3], tmp_path, params={"min_weight": 0.1})
    assert again == result
    other = run([*texts, (good, 0.9, 1.0)], tmp_path, params={"min_weight": 0.1})
    assert other.sentiment is not None
    assert other.sentiment.data_hash != result.sentiment.data_hash


def test_a_trade_comes_at_the_open_after_the_close_at_which_it_was_known(tmp_path: Path) -> None:
    for place in (10, 11):
        known = int(BARS.time[place]) + DAY
        result = run([(known, 1.0, 1.0)], tmp_path, params={"min_weight": 0.9}, end="2020-12-31")
        assert result.sentiment is not None
        equity = result.metrics["total_return"]
        moved = BARS.open[place + 2] / BARS.open[place + 1]
        assert equity == pytest.approx(moved * (1 - 0.0015) / (1 + 0.0015) - 1, abs=1e-4)


def test_without_any_text_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="sentiment_analysis") as caught:
        run([(START + 90 * DAY, 1.0, 1.0)], tmp_path)
    assert caught.value.code == "no_sentiment"


def test_other_strategies_are_not_asked_and_read_nothing(tmp_path: Path) -> None:
    assert run([], tmp_path, strategy="sma_cross").sentiment is None


def test_a_bar_knows_what_its_close_knew() -> None:
    close = int(BARS.time[5]) + DAY
    found, used = sentiment_of_bars(Texts([(close, 0.5, 1.0)]), "NSE:INFY", BARS, Timeframe.D1, decay_of(24, 24))
    assert np.flatnonzero(found.count).tolist() == [5, 6]
    assert (used.texts, used.bars) == (1, 2)


def test_prices_alone_say_nothing() -> None:
    with pytest.raises(Invalid, match="needs sentiment"):
        SentimentTrend().targets(BARS, SentimentParams())


def test_it_is_a_strategy_that_says_what_it_needs() -> None:
    registry: Registry[Strategy] = Registry("strategy", Strategy)
    for strategy in STRATEGIES:
        registry.add(strategy.name, strategy)
    assert [name for name in registry if needs_sentiment(registry.get(name))] == ["sentiment_trend"]


@pytest.mark.parametrize(
    "params",
    [
        {"threshold": 1.1},
        {"threshold": -0.1},
        {"min_weight": -1},
        {"half_life_hours": 0},
        {"window_hours": 1e6},
        {"direction": "both"},
        {"x": 1},
    ],
)
def test_refuses_parameters(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SentimentParams(**params)


def test_a_window_that_is_too_long_for_its_half_life_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        SentimentTrend().decay(SentimentParams(half_life_hours=0.1, window_hours=1000))
    assert caught.value.code == "invalid_decay"


def test_targets_have_the_shape_of_the_bars() -> None:
    empty = SentimentAtBars(np.zeros(60), np.zeros(60), np.zeros(60, np.int64))
    found = SentimentTrend().targets_with(BARS, empty, SentimentParams(min_weight=0.0))
    assert found.shape == (60,)
    assert not found.any()
