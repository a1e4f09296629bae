"""Keeping and reading news and sentiment on SQLite: batches, what stays when the database goes, what is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.intelligence_work import NOW, item, scored
from domain.common.errors import Invalid, Unavailable
from domain.common.ids import new_id
from domain.common.time import SystemClock
from domain.intelligence.aggregating import sentiment_as_of
from domain.intelligence.news import NewsFilter, SentimentFilter
from domain.intelligence.reading_sentiment import MOST_POINTS, ReadSentiment
from domain.intelligence.storing_news import Imported, ImportNews, ReadNews
from domain.research.sentiment import HOUR_MS, Decay

Work = Callable[[], SqlUnitOfWork]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'test.db'}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    return lambda: SqlUnitOfWork(engine)


def items(count: int, **changes: Any) -> list[Any]:
    return [item(key=f"k{number}", **changes) for number in range(count)]


def test_news_is_stored_five_hundred_at_a_time(work: Work) -> None:
    told: list[Imported] = []
    assert ImportNews(work)(items(1001), told.append) == Imported(1001, 0)
    assert told == [Imported(500, 0), Imported(1000, 0), Imported(1001, 0)]
    again = [*items(3), *items(2), item(key="new"), item(key="new")]
    assert ImportNews(work)(again) == Imported(1, 6)
    assert ImportNews(work)([]) == Imported()


def test_what_was_stored_stays_and_importing_again_goes_on(work: Work) -> None:
    opened = 0

    def failing() -> SqlUnitOfWork:
        nonlocal opened
        opened += 1
        if opened == 2:
            raise Unavailable("the database did not answer")
        return work()

    with pytest.raises(Unavailable):
        ImportNews(failing)(items(700))
    assert ImportNews(work)(items(700)) == Imported(200, 500)


def test_news_is_read_page_by_page(work: Work) -> None:
    ImportNews(work)(items(5))
    read = ReadNews(work)
    first, following = read.page(NewsFilter("ann"), before_id=None, limit=3)
    second, end = read.page(NewsFilter("ann"), before_id=following, limit=3)
    assert [one.key for one in (*first, *second)] == ["k4", "k3", "k2", "k1", "k0"]
    assert end is None


@pytest.fixture
def read(work: Work) -> ReadSentiment:
    with work() as unit:
        for number in range(30):
            at = NOW - number * 7 * HOUR_MS
            unit.sentiments.put(scored(key=new_id(), available_at=at, score=(number % 5 - 2) / 2))
        unit.sentiments.put(scored(symbol="NSE:TCS", key="t"))
        unit.sentiments.put(replace(scored(), user_id="bob"))
        unit.commit()
    return ReadSentiment(work, SystemClock())


def test_a_read_takes_only_what_matters_and_it_is_all_that_does(work: Work, read: ReadSentiment) -> None:
    decay = Decay(3 * HOUR_MS, 30 * HOUR_MS)
    with work() as unit:
        everything = unit.sentiments.columns("ann", "NSE:INFY", 2**60)
    for at in (NOW, NOW - 1, NOW - 50 * HOUR_MS):
        (found,) = read.now("ann", ["NSE:INFY"], at, decay)
        assert found == sentiment_as_of("NSE:INFY", everything, at, decay)
        assert found.count > 3
    assert [found.symbol for found in read.now("ann", [], NOW, decay)] == ["NSE:INFY", "NSE:TCS"]


def test_history_is_the_same_as_asking_each_time(read: ReadSentiment) -> None:
    decay = Decay(3 * HOUR_MS, 30 * HOUR_MS)
    points = read.history("ann", "NSE:INFY", NOW - 100 * HOUR_MS, NOW, HOUR_MS, decay)
    assert len(points) == 101
    for point in points[::10]:
        (found,) = read.now("ann", ["NSE:INFY"], point.at, decay)
        assert (point.score, point.count) == (pytest.approx(found.score), found.count)
        assert point.weight == pytest.approx(found.weight)
    for wrong in ((NOW + 1, NOW, HOUR_MS), (NOW - MOST_POINTS, NOW, 1)):
        with pytest.raises(Invalid, match="points"):
            read.history("ann", "NSE:INFY", *wrong, decay)
    assert len(read.history("ann", "NSE:INFY", NOW - MOST_POINTS + 1, NOW, 1, decay)) == MOST_POINTS


def test_texts_are_read_page_by_page(read: ReadSentiment) -> None:
    first, place = read.items(SentimentFilter("ann", symbol="NSE:INFY"), before=None, limit=20)
    second, end = read.items(SentimentFilter("ann", symbol="NSE:INFY"), before=place, limit=20)
    assert (len(first), len(second), end) == (20, 10, None)
    times = [row.available_at for row in (*first, *second)]
    assert times == sorted(times, reverse=True)
