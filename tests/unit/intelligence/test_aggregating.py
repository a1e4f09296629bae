"""Aggregates against a slow reading of their definition; nothing of them sees the future."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.intelligence.aggregating import (
    SentimentAggregate,
    aggregate_view,
    joined_sentiment,
    label_of,
    sentiment_as_of,
    sentiment_at_times,
    sentiment_since_ms,
)
from domain.intelligence.news import NO_SENTIMENT, SentimentColumns
from domain.intelligence.sentiment import Polarity
from domain.research.sentiment import HOUR_MS, Decay, SentimentAtBars, decay_of

DAY = 24 * HOUR_MS
T = 1_700_000_000_000
Text = tuple[int, float, float]


def columns(texts: list[Text]) -> SentimentColumns:
    rows = sorted(texts, key=lambda text: text[0])
    time, score, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return SentimentColumns(np.array(time, np.int64), np.array(score, float), np.array(weight, float))


def oracle(texts: list[Text], at: int, decay: Decay) -> tuple[float | None, float, int, float | None]:
    """Return score, weight, count and dispersion, term by term as defined."""
    found = [
        (score, weight * 2.0 ** (-(at - time) / decay.half_life_ms))
        for time, score, weight in texts
        if time <= at and at - time <= decay.window_ms and weight > 0
    ]
    total = math.fsum(weight for _, weight in found)
    if not found:
        return None, 0.0, 0, None
    mean = math.fsum(score * weight for score, weight in found) / total
    spread = math.sqrt(math.fsum(weight * (score - mean) ** 2 for score, weight in found) / total)
    return mean, total, len(found), spread if len(found) > 1 else None


HOURS = st.integers(0, 24 * 60)
SCORES = st.floats(-1, 1).map(lambda value: round(value, 6))
WEIGHTS = st.sampled_from([0.0, 1e-6, 0.25, 1.0])
TEXTS = st.lists(st.tuples(HOURS.map(lambda hour: T + hour * HOUR_MS), SCORES, WEIGHTS), max_size=40)
TIMES = st.lists(HOURS.map(lambda hour: T + hour * HOUR_MS), min_size=1, max_size=20)
DECAYS = st.sampled_from([Decay(), decay_of(1, 24), decay_of(1000, 7), decay_of(0.5, 200), decay_of(0.001, 0.5)])


@given(TEXTS, TIMES, DECAYS)
def test_columns_are_the_definition(texts: list[Text], times: list[int], decay: Decay) -> None:
    found = sentiment_at_times(columns(texts), np.array(times, np.int64), decay)
    assert len(found) == len(times)
    for place, time in enumerate(times):
        score, weight, count, _ = oracle(texts, time, decay)
        assert found.count[place] == count
        assert found.weight[place] == pytest.approx(weight, rel=1e-12)
        assert found.score[place] == pytest.approx(score or 0.0, abs=1e-12)
    assert np.isfinite(found.score).all()
    assert np.isfinite(found.weight).all()


@given(TEXTS, st.integers(0, 24 * 60), DECAYS)
def test_one_moment_is_the_definition(texts: list[Text], hour: int, decay: Decay) -> None:
    at = T + hour * HOUR_MS
    found = sentiment_as_of("X", columns(texts), at, decay)
    score, weight, count, dispersion = oracle(texts, at, decay)
    earlier = oracle(texts, at - decay.half_life_ms, decay)[0]
    assert (found.count, found.as_of, found.symbol) == (count, at, "X")
    assert found.score == (None if score is None else pytest.approx(score, abs=1e-12))
    assert found.weight == pytest.approx(weight, rel=1e-12)
    assert found.dispersion == (None if dispersion is None else pytest.approx(dispersion, abs=1e-12))
    both = score is not None and earlier is not None
    assert found.change == (pytest.approx(score - earlier, abs=1e-12) if both else None)


def same(found: SentimentAtBars, other: SentimentAtBars) -> bool:
    pairs = ((found.score, other.score), (found.weight, other.weight), (found.count, other.count))
    return all(np.array_equal(one, two) for one, two in pairs)


@given(TEXTS, TEXTS, st.integers(0, 24 * 60), DECAYS, st.randoms(use_true_random=False))
def test_what_comes_later_changes_nothing(
    texts: list[Text], others: list[Text], hour: int, decay: Decay, chance: Any
) -> None:
    """Cutting what comes after t, putting other texts there, or shuffling it changes no bit at or before t."""
    at = T + hour * HOUR_MS
    times = np.arange(T - DAY, at + 1, 7 * HOUR_MS)
    times = np.append(times, at)
    past, later = [one for one in texts if one[0] <= at], [one for one in texts if one[0] > at]
    moved = [(chance.randint(at + 1, at + 90 * DAY), score, weight) for _, score, weight in later]
    replaced = [one for one in others if one[0] > at]
    whole = sentiment_at_times(columns(texts), times, decay)
    for future in ([], moved, replaced):
        assert same(whole, sentiment_at_times(columns(past + future), times, decay))
        assert sentiment_as_of("X", columns(past + future), at, decay) == sentiment_as_of(
            "X", columns(past), at, decay
        )


def test_what_is_available_at_t_counts_at_t() -> None:
    texts = columns([(T, 0.5, 1.0)])
    found = sentiment_at_times(texts, np.array([T - 1, T, T + 1], np.int64))
    assert found.count.tolist() == [0, 1, 1]
    assert found.weight[:2].tolist() == [0.0, pytest.approx(1.0)]
    assert sentiment_as_of("X", texts, T).weight == 1.0
    assert sentiment_as_of("X", texts, T - 1).count == 0


def test_the_window_ends_after_its_length() -> None:
    decay = decay_of(24, 48)
    found = sentiment_at_times(columns([(T, 0.5, 1.0)]), T + decay.window_ms + np.array([0, 1], np.int64), decay)
    assert found.count.tolist() == [1, 0]
    assert found.weight.tolist() == [0.25, 0.0]
    assert found.score.tolist() == [0.5, 0.0]


def test_texts_are_joined_in_time() -> None:
    whole = joined_sentiment(
        columns([(T, 0.1, 1.0), (T + 2, 0.3, 1.0)]), columns([(T + 2, 0.4, 1.0), (T + 1, 0.2, 0.5)])
    )
    assert whole.time.tolist() == [T, T + 1, T + 2, T + 2]
    assert whole.score.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert whole.weight.tolist() == [1.0, 0.5, 1.0, 1.0]
    assert len(joined_sentiment(NO_SENTIMENT, NO_SENTIMENT)) == 0


def test_a_half_life_halves() -> None:
    decay = decay_of(24, 240)
    texts = columns([(T, 1.0, 1.0), (T + DAY, -1.0, 1.0)])
    found = sentiment_as_of("NSE:INFY", texts, T + DAY, decay)
    assert found.weight == pytest.approx(1.5)
    assert found.score == pytest.approx((0.5 - 1.0) / 1.5)
    assert found.change == pytest.approx(-1 / 3 - 1.0)
    assert found.newest_at == T + DAY
    assert found.label is Polarity.NEGATIVE


def test_without_texts_nothing_is_defined() -> None:
    found = sentiment_as_of("X", NO_SENTIMENT, T)
    assert found == SentimentAggregate("X", T, None, 0.0, 0, None, None, None)
    assert found.label is None
    view = aggregate_view(found)
    assert (view["score"], view["label"], view["newest_at"], view["weight"]) == (None, None, None, 0.0)
    assert sentiment_at_times(NO_SENTIMENT, np.array([T], np.int64)).score.tolist() == [0.0]
    assert len(sentiment_at_times(NO_SENTIMENT, np.empty(0, np.int64))) == 0


def test_a_source_that_weighs_nothing_is_not_there() -> None:
    found = sentiment_as_of("X", columns([(T, 1.0, 0.0)]), T)
    assert (found.score, found.count, found.newest_at) == (None, 0, None)


@pytest.mark.parametrize("age", [0, 1, 255, 511, 512])
@pytest.mark.parametrize("weight", [1.0, 1e-300])
def test_old_texts_neither_overflow_nor_underflow_badly(age: int, weight: float) -> None:
    decay = Decay(HOUR_MS, 512 * HOUR_MS)
    texts = columns([(T, 0.75, weight), (T, 0.25, weight)])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = sentiment_as_of("X", texts, T + age * HOUR_MS, decay)
    gone = weight * 2.0**-age == 0.0
    assert found.score == (None if gone else pytest.approx(0.5))
    assert found.dispersion == (None if gone else pytest.approx(0.25))
    later = sentiment_as_of("X", texts, T + 513 * HOUR_MS, decay)
    assert (later.score, later.count) == (None, 0)


def test_twenty_years_of_texts_are_exact() -> None:
    chance = np.random.default_rng(5)
    at = np.sort(chance.integers(T, T + 7300 * DAY, 5000))
    texts = SentimentColumns(at, chance.uniform(-1, 1, 5000), chance.choice([0.2, 1.0], 5000))
    rows = list(zip(at.tolist(), texts.score.tolist(), texts.weight.tolist(), strict=True))
    times = chance.integers(T, T + 7300 * DAY, 300)
    found = sentiment_at_times(texts, times)
    for place, time in enumerate(times.tolist()):
        score, weight, count, _ = oracle(rows, time, Decay())
        assert found.count[place] == count
        assert found.weight[place] == pytest.approx(weight, rel=1e-12)
        assert found.score[place] == pytest.approx(score or 0.0, abs=1e-12)


def test_times_before_1970_are_times() -> None:
    texts = columns([(-5 * HOUR_MS, 0.5, 1.0), (-HOUR_MS, -0.5, 1.0)])
    found = sentiment_as_of("X", texts, 0)
    assert found.score == pytest.approx(oracle([(-5 * HOUR_MS, 0.5, 1.0), (-HOUR_MS, -0.5, 1.0)], 0, Decay())[0])


def test_all_that_matters_is_after_since() -> None:
    decay = decay_of(10, 50)
    texts = columns([(T + hour * HOUR_MS, (hour % 7 - 3) / 3, 1.0) for hour in range(200)])
    at = T + 150 * HOUR_MS
    kept = texts.time >= sentiment_since_ms(at, decay)
    needed = SentimentColumns(texts.time[kept], texts.score[kept], texts.weight[kept])
    found, expected = sentiment_as_of("X", needed, at, decay), sentiment_as_of("X", texts, at, decay)
    assert found == expected
    assert not kept.all()


@pytest.mark.parametrize(
    ("half_life", "window"), [(0, 1), (-1, 5), (1, 0), (1, 513), (90_000, 1), (float(10**9), 10), (0.0000001, 1)]
)
def test_a_decay_must_make_sense(half_life: float, window: float) -> None:
    with pytest.raises(Invalid, match=r"half_life_hours|window_hours") as caught:
        decay_of(half_life, window)
    assert caught.value.code == "invalid_decay"


@pytest.mark.parametrize(
    ("score", "label"),
    [(0.0, "neutral"), (0.0999, "neutral"), (0.1, "positive"), (-0.1, "negative"), (-1, "negative")],
)
def test_a_score_in_a_word(score: float, label: str) -> None:
    assert label_of(score).value == label
