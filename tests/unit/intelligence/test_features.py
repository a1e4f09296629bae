"""Features are made of closed bars alone, and do not depend on where the history begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.marketdata.samples import install_samples, sample_datasets
from aitrader.testing.bars import MemoryBarStore, random_bars
from domain.intelligence.features import LOOK_BACK, average_range, feature_table
from domain.intelligence.news import SentimentColumns
from domain.market.model import Bars, Dataset, Timeframe

DAY = 86_400_000


def texts(bars: Bars, seed: int = 0) -> SentimentColumns:
    random = np.random.default_rng(seed)
    first, last = int(bars.time[0]), int(bars.time[-1]) + 2 * DAY
    times = np.sort(random.integers(first, last, len(bars)))
    return SentimentColumns(times, random.uniform(-1, 1, len(bars)), random.uniform(0, 1, len(bars)))


def cut(sentiment: SentimentColumns, until_ms: int) -> SentimentColumns:
    mine = sentiment.time <= until_ms
    return SentimentColumns(sentiment.time[mine], sentiment.score[mine], sentiment.weight[mine])


@given(st.integers(0, 10_000), st.integers(LOOK_BACK, 299))
@settings(max_examples=25, deadline=None)
def test_what_comes_later_changes_nothing(seed: int, at: int) -> None:
    bars, random = random_bars(300, seed), np.random.default_rng(seed)
    sentiment, closes = texts(bars, seed), int(bars.time[at]) + DAY
    whole = feature_table(bars, Timeframe.D1, sentiment)
    past = feature_table(bars.take(slice(0, at + 1)), Timeframe.D1, cut(sentiment, closes))
    np.testing.assert_array_equal(past.values, whole.values[: at + 1])
    order = np.concatenate((np.arange(at + 1), at + 1 + random.permutation(299 - at)))
    shuffled = Bars(bars.time, *(column[order] for column in bars.columns()[1:]))
    np.testing.assert_array_equal(
        feature_table(shuffled, Timeframe.D1, cut(sentiment, closes)).values[: at + 1], past.values
    )


def test_it_does_not_matter_where_the_history_begins() -> None:
    bars = random_bars(600, 3)
    whole = feature_table(bars, Timeframe.D1)
    for start in (1, 77, 600 - LOOK_BACK - 40):
        part = feature_table(bars.take(slice(start, None)), Timeframe.D1)
        finite = [not name.startswith("charts_") for name in part.names]  # turning points look back without end
        usable = part.values[part.first + 40 :, finite]  # candlesticks look further back than a feature of its own
        np.testing.assert_allclose(usable, whole.values[start + part.first + 40 :, finite], rtol=1e-5, atol=1e-6)


def test_prices_in_another_currency_have_the_same_features() -> None:
    bars = random_bars(200, 5)
    scaled = Bars(bars.time, *(80.0 * column for column in bars.columns()[1:5]), bars.volume)
    ours, theirs = feature_table(bars, Timeframe.D1), feature_table(scaled, Timeframe.D1)
    np.testing.assert_allclose(theirs.values[ours.first :], ours.values[ours.first :], rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def samples() -> MemoryBarStore:
    store = MemoryBarStore()
    install_samples(store)
    return store


@pytest.mark.parametrize("dataset", sample_datasets(), ids=lambda dataset: dataset.symbol)
def test_real_bars_have_features_that_a_model_can_take(samples: MemoryBarStore, dataset: Dataset) -> None:
    bars = samples.read(dataset.symbol, dataset.timeframe)
    table = feature_table(bars, dataset.timeframe)
    usable = table.values[table.first :]
    assert usable.dtype == np.float32
    assert len(table.names) == usable.shape[1] == len(set(table.names))
    assert np.isfinite(usable).all()
    constant = [name for name, column in zip(table.names, usable.T, strict=True) if column.std() == 0]
    assert set(constant) <= {"sentiment_score", "sentiment_weight", "sentiment_change"}


def test_bars_that_do_not_move_have_features() -> None:
    time = np.arange(200, dtype=np.int64) * DAY
    still = Bars(time, *(np.full(200, 5.0) for _ in range(4)), np.zeros(200))
    table = feature_table(still, Timeframe.D1)
    assert np.isfinite(table.values).all()


def test_a_text_counts_from_when_it_was_available() -> None:
    bars = random_bars(130, 1)
    close = int(bars.time[125]) + DAY
    told = SentimentColumns(np.array([close]), np.array([0.8]), np.array([1.0]))
    table = feature_table(bars, Timeframe.D1, told)
    score = table.values[:, table.names.index("sentiment_score")]
    assert score[124] == 0.0
    assert score[125] == np.float32(0.8)


def test_average_range_is_the_mean_of_true_ranges() -> None:
    bars = random_bars(40, 2)
    before = bars.close[25:39]
    ranges = np.maximum(bars.high[26:40], before) - np.minimum(bars.low[26:40], before)
    assert average_range(bars)[39] == pytest.approx(ranges.mean(), rel=1e-12)
    assert np.isnan(average_range(bars)[13])
    assert np.isfinite(average_range(bars)[14])
