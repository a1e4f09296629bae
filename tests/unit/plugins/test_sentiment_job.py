"""The job type ``sentiment_analysis``, with an engine that counts words and a real database."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.api import Invalid, JobCanceled, JobType, NotFound, Registry, ScoredText, Unavailable, rfc3339
from aitrader.intelligence_tools import SentimentOf
from aitrader.testing.context import FakeJobContext
from domain.common.ids import new_id
from domain.intelligence.aggregating import sentiment_as_of
from domain.intelligence.news import NewsItem
from plugins.sentiment import plugin
from plugins.sentiment.job import SentimentJob
from plugins.sentiment.payload import SentimentPayload, SentimentReport
from tests.word_engine import WordEngine

HOUR = 3_600_000
NOW = 1_700_000_000_000
USER = "tester"
ONE = 1 / 1.5  # what one word comes to
Work = Callable[[], SqlUnitOfWork]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "head.db"
    engine = open_engine(parse_database_url(f"sqlite:///{path}"))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    engine.dispose()
    return path


@pytest.fixture
def work(template: Path, tmp_path: Path) -> Work:
    shutil.copy(template, tmp_path / "test.db")
    engine = open_engine(parse_database_url(f"sqlite:///{tmp_path / 'test.db'}"))
    return lambda: SqlUnitOfWork(engine)


@pytest.fixture
def context(work: Work, tmp_path: Path) -> FakeJobContext:
    return FakeJobContext(tmp_path, text_engine=WordEngine(), scored=SentimentOf(USER, work), now_ms=NOW)


def run(context: FakeJobContext, **payload: Any) -> SentimentReport:
    return SentimentJob().run(context, SentimentPayload.model_validate(payload))


def keep(context: FakeJobContext, work: Work) -> None:
    """Store what a job recorded, as the worker does."""
    with work() as unit:
        for row in context.records:
            assert isinstance(row, ScoredText)
            unit.sentiments.put(replace(row, user_id=USER))
        unit.commit()
    context.records.clear()


def news(work: Work, *titles: str, **changes: Any) -> list[NewsItem]:
    items = [
        NewsItem(
            id=new_id(),
            user_id=USER,
            key=title,
            source="wire",
            title=title,
            text="",
            url="",
            symbols=("NSE:INFY",),
            published_at=NOW - (len(titles) - number) * HOUR,
            available_at=NOW - (len(titles) - number) * HOUR,
            imported_at=NOW,
        )
        for number, title in enumerate(titles)
    ]
    items = [replace(item, **changes) for item in items]
    with work() as unit:
        unit.news.add(items)
        unit.commit()
    return items


def infy(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "symbols": ["nse:infy"], **more}


def test_texts_are_scored_and_added_up(context: FakeJobContext) -> None:
    report = run(context, texts=["bad", infy("good good"), infy("bad", available_at=rfc3339(NOW - 48 * HOUR))])
    assert [(item.text, item.label) for item in report.items][2] == ("bad", "negative")
    assert {item.label for item in report.items[:2]} == {"positive", "negative"}
    assert report.items[2].words[0].model_dump() == {"word": "bad", "weight": -1.0}
    assert report.counts == {"negative": 2, "neutral": 0, "positive": 1}
    (found,) = report.symbols
    good, bad = 2 / 2.5, -ONE
    assert found.symbol == "NSE:INFY"
    assert found.score == pytest.approx((good + 0.5 * bad) / 1.5)
    assert (found.weight, found.count, found.scored, found.label) == (pytest.approx(1.5), 2, 2, "positive")
    assert found.newest_at == report.as_of == rfc3339(NOW)
    assert found.change == pytest.approx(found.score - bad)
    assert (report.engine, report.model, report.texts, report.stored) == ("words", "words-1", 3, 2)
    assert report.items[0].available_at >= report.items[-1].available_at


def test_texts_with_symbols_leave_rows(context: FakeJobContext) -> None:
    texts = [{"text": "good", "symbols": ["A", "B"], "source": "blog"}, "nobody's"]
    run(context, texts=texts, source_weights={"blog": 0.3})
    rows = [row for row in context.records if isinstance(row, ScoredText)]
    assert [(row.symbol, row.source, row.weight, row.available_at) for row in rows] == [
        ("A", "blog", 0.3, NOW),
        ("B", "blog", 0.3, NOW),
    ]
    assert rows[0].key == rows[1].key
    assert (rows[0].score, rows[0].label, rows[0].words) == (ONE, "positive", [["good", 1.0]])
    assert (rows[0].engine, rows[0].model, rows[0].text) == ("words", "words-1", "good")


def test_nothing_is_kept_when_that_is_not_wanted(context: FakeJobContext) -> None:
    report = run(context, texts=[infy("good")], store=False)
    assert (context.records, report.stored) == ([], 0)
    assert report.symbols[0].score == ONE


def test_what_was_stored_before_counts_and_the_same_text_counts_once(context: FakeJobContext, work: Work) -> None:
    run(context, texts=[infy("good"), infy("bad")])
    keep(context, work)
    report = run(context, texts=[infy("good"), infy("good  "), infy("weak")])
    assert report.texts == 2
    (found,) = report.symbols
    assert (found.count, found.scored) == (3, 2)
    assert found.score == pytest.approx(-ONE / 3)
    keep(context, work)
    texts = SentimentOf(USER, work).columns("NSE:INFY", until_ms=NOW + 1)
    stored = sentiment_as_of("NSE:INFY", texts, NOW)
    assert (stored.score, stored.count, stored.weight) == (pytest.approx(found.score), 3, found.weight)


def test_the_same_words_are_one_text_unless_they_have_times(context: FakeJobContext) -> None:
    early, late = rfc3339(NOW - 9 * HOUR), rfc3339(NOW - 3 * HOUR)
    texts: list[Any] = [infy("good"), {"text": "good", "symbols": ["NSE:TCS"]}, "good", infy("good", source="blog")]
    report = run(context, texts=[*texts, infy("good", published_at=early), infy("good", published_at=late)])
    assert report.texts == 4
    assert {found.symbol: found.scored for found in report.symbols} == {"NSE:INFY": 4, "NSE:TCS": 1}
    keys = {(row.symbol, row.key) for row in context.records if isinstance(row, ScoredText)}
    assert len(keys) == report.stored == 5


def test_a_source_that_weighs_less_counts_less(context: FakeJobContext) -> None:
    texts = [infy("good", source="blog"), infy("bad", source="wire"), infy("bad", source="none")]
    (found,) = run(context, texts=texts, source_weights={"blog": 0.5, "none": 0.0}).symbols
    assert found.score == pytest.approx((0.5 * ONE - ONE) / 1.5)
    assert found.count == 2


def test_later_texts_change_nothing_as_of_then(context: FakeJobContext, work: Work) -> None:
    past = [infy("good", available_at=rfc3339(NOW - 50 * HOUR)), infy("bad", available_at=rfc3339(NOW - 49 * HOUR))]
    as_of = rfc3339(NOW - 49 * HOUR)
    before = run(context, texts=past, as_of=as_of)
    context.records.clear()
    run(context, texts=[infy("fraud loss"), infy("weak", available_at=rfc3339(NOW - 48 * HOUR))])
    keep(context, work)
    after = run(context, texts=[*past, infy("record profit")], as_of=as_of)
    assert replace_counts(after) == replace_counts(before)
    assert after.symbols[0].scored == 3


def replace_counts(report: SentimentReport) -> list[dict[str, Any]]:
    return [{**found.model_dump(), "scored": None, "chart": None} for found in report.symbols]


class TestNews:
    def test_news_of_symbols(self, context: FakeJobContext, work: Work) -> None:
        news(work, "good", "bad bad", "weak")
        news(work, "other", symbols=("NSE:TCS", "NSE:INFY"), text="good good")
        news(work, "elsewhere", symbols=())
        report = run(context, symbols=["NSE:INFY"])
        assert [item.text for item in report.items][:1] in (["weak"], ["other\n\ngood good"])
        assert (report.texts, report.stored) == (4, 4)
        assert [found.symbol for found in report.symbols] == ["NSE:INFY"]
        keys = {row.key for row in context.records if isinstance(row, ScoredText)}
        assert keys == {"good", "bad bad", "weak", "other"}
        assert run(context, news={"symbols": ["NSE:TCS"]}).symbols[0].symbol == "NSE:TCS"
        assert run(context, news={}).texts == 5

    def test_news_of_a_source_and_a_time(self, context: FakeJobContext, work: Work) -> None:
        news(work, "good", "bad", "weak")
        news(work, "blogged", source="blog")
        assert [item.text for item in run(context, news={"source": "blog"}).items] == ["blogged"]
        chosen = {"since": rfc3339(NOW - 3 * HOUR), "until": rfc3339(NOW - 2 * HOUR)}
        assert [item.text for item in run(context, news=chosen).items] == ["good"]

    def test_the_rest_goes_on_where_it_ended(self, context: FakeJobContext, work: Work) -> None:
        news(work, "one", "two", "three")
        report = run(context, news={"limit": 2})
        assert ([item.text for item in report.items], report.next_since) == (["two", "one"], rfc3339(NOW - 2 * HOUR))
        rest = run(context, news={"limit": 2, "since": report.next_since})
        assert ([item.text for item in rest.items], rest.next_since) == (["three", "two"], None)

    def test_without_a_since_it_goes_back_as_far_as_the_window(self, context: FakeJobContext, work: Work) -> None:
        news(work, "old", available_at=NOW - 337 * HOUR)
        news(work, "edge", available_at=NOW - 336 * HOUR)
        assert [item.text for item in run(context, news={}).items] == ["edge"]
        assert run(context, news={"since": "2020-01-01"}).texts == 2

    def test_only_what_was_known_then(self, context: FakeJobContext, work: Work) -> None:
        news(work, "good", "bad")
        report = run(context, news={}, as_of=rfc3339(NOW - 2 * HOUR))
        assert [item.text for item in report.items] == ["good"]

    def test_none_says_how_to_import_some(self, context: FakeJobContext) -> None:
        with pytest.raises(NotFound, match=r"from 20.*Z to 20.*Z; .* aitrader news import"):
            run(context, symbols=["NSE:INFY"])

    def test_long_news_are_cut_and_say_so(self, context: FakeJobContext, work: Work) -> None:
        news(work, "long", text="x" * 30_000)
        (item,) = run(context, news={}).items
        assert item.truncated
        assert len(item.text) == 300


def test_a_table_of_all_and_pictures_of_some(context: FakeJobContext) -> None:
    texts = [
        infy(word, available_at=rfc3339(NOW - number * HOUR)) for number, word in enumerate(["good", "bad", "so"])
    ]
    report = run(context, texts=[*texts, {"text": "other", "symbols": ["NSE:TCS"]}], limit=1)
    assert len(report.items) == 1
    assert report.artifacts == ["sentiment.parquet", "sentiment-NSE_INFY.png"]
    assert [found.chart for found in report.symbols] == ["sentiment-NSE_INFY.png", None]
    assert (context.directory / "sentiment-NSE_INFY.png").read_bytes().startswith(b"\x89PNG")
    table = pq.read_table(context.directory / "sentiment.parquet").to_pylist()
    assert [row["text"] for row in table][:2] == ["so", "bad"]
    assert {row["text"] for row in table} == {"good", "bad", "so", "other"}
    assert table[0]["symbols"] == ["NSE:INFY"]
    assert table[0]["published_at"] is None


def test_batches_progress_and_cancel(context: FakeJobContext) -> None:
    texts = [f"text {number}" for number in range(150)]
    run(context, texts=texts)
    assert isinstance(context.text_engine, WordEngine)
    assert context.text_engine.calls == [64, 64, 22]
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "scoring 64 of 150 texts" in [message for _, message in context.reports]
    engine = context.text_engine = WordEngine()
    context.records.clear()
    context.cancel_after, context.checks = 2, 0
    with pytest.raises(JobCanceled):
        run(context, texts=texts)
    assert engine.calls == [64]
    assert context.records == []


@pytest.mark.parametrize("down", [0, 1])
def test_an_engine_that_does_not_answer_is_never_neutral(context: FakeJobContext, down: int) -> None:
    context.text_engine = WordEngine(down)
    with pytest.raises(Unavailable) as caught:
        run(context, texts=[infy(f"text {number}") for number in range(100)])
    assert caught.value.retryable
    assert context.records == []
    assert context.artifacts == {}


def test_too_many_symbols_are_refused(context: FakeJobContext) -> None:
    texts = [{"text": f"t{n}", "symbols": [f"S{n}{m}" for m in range(30)]} for n in range(10)]
    with pytest.raises(Invalid, match="300 symbols") as caught:
        run(context, texts=texts)
    assert caught.value.code == "too_many_symbols"


@pytest.mark.parametrize("payload", [{"texts": ["x"]}, {"texts": [{"text": "x"}]}])
def test_times_in_the_future_are_refused(context: FakeJobContext, payload: dict[str, Any]) -> None:
    later = rfc3339(NOW + 10 * 60_000)
    with pytest.raises(Invalid, match="future"):
        run(context, **payload, as_of=later)
    with pytest.raises(Invalid, match="future"):
        run(context, texts=[{"text": "x", "available_at": later}])


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"texts": []},
        {"texts": "x"},
        {"texts": [""]},
        {"texts": ["  "]},
        {"texts": ["a\0b"]},
        {"texts": ["x" * 20_001]},
        {"texts": ["x"] * 1001},
        {"texts": [5]},
        {"texts": [{"text": "x", "symbols": ["??"]}]},
        {"texts": [{"text": "x", "symbol": "A"}]},
        {"texts": [{"text": "x", "source": "x" * 65}]},
        {"texts": [{"text": "x", "source": "a\nb"}]},
        {"texts": [{"text": "x", "published_at": "2024-01-02", "available_at": "2024-01-01"}]},
        {"texts": [{"text": "x", "published_at": 5}]},
        {"texts": ["x"], "news": {}},
        {"texts": ["x"], "symbols": ["A"]},
        {"news": {"limit": 0}},
        {"news": {"limit": 10_001}},
        {"news": {"since": "2024-01-02", "until": "2024-01-01"}},
        {"news": {"symbols": ["A"] * 21}},
        {"symbols": ["A"], "timeframe": "1d"},
        {"texts": ["x"], "half_life_hours": 0},
        {"texts": ["x"], "half_life_hours": 0.1, "window_hours": 1000},
        {"texts": ["x"], "window_hours": 1e9},
        {"texts": ["x"], "source_weights": {"a": 1.5}},
        {"texts": ["x"], "source_weights": {"a": float("nan")}},
        {"texts": ["x"], "limit": 1001},
        {"texts": ["x"], "store": "perhaps"},
    ],
)
def test_refuses_payloads(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SentimentPayload.model_validate(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {"texts": ["x", {"text": "y", "symbols": ["nse:infy"], "published_at": "2024-01-02"}]},
        {"symbols": ["nse:infy"]},
    ],
)
def test_the_canonical_payload_is_stable(payload: dict[str, Any]) -> None:
    canonical = SentimentPayload.model_validate(payload).model_dump(mode="json")
    assert SentimentPayload.model_validate(canonical).model_dump(mode="json") == canonical


def test_the_job_type_fits_its_port_and_its_example_is_valid() -> None:
    registry: Registry[JobType] = Registry("job type", JobType)
    plugin.aitrader_register_job_types(registry=registry)
    assert list(registry) == ["sentiment_analysis"]
    SentimentPayload.model_validate(registry.get("sentiment_analysis").example)


def test_the_plugin_is_cheap_to_import() -> None:
    heavy = ["matplotlib", "pyarrow", "talib", "pandas", "numba", "onnxruntime"]
    code = f"import sys, plugins.sentiment.plugin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
