"""What every `IntelligenceWork` does. Subclass `IntelligenceWorkContract` and override its fixture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from domain.common.errors import Conflict, NotFound
from domain.common.ids import new_id
from domain.intelligence.models import Label, Manifest, Model, ModelFilter, ModelStatus
from domain.intelligence.news import NewsFilter, NewsItem, ScoredText, SentimentFilter
from domain.intelligence.suggestions import CLASSES, Resolution, Suggestion, SuggestionFilter
from domain.intelligence.work import IntelligenceWork
from domain.market.model import Timeframe

Work = Callable[[], AbstractContextManager[IntelligenceWork]]
DAY = 86_400_000
NOW = 1_700_000_000_000


def manifest(**changes: Any) -> Manifest:
    """Return the manifest of a model of two features."""
    made = Manifest(
        id=new_id(),
        name="tiny",
        sha256="0" * 64,
        created_at=NOW,
        timeframe=Timeframe.D1,
        universe=("NSE:INFY",),
        label=Label(horizon=10, barrier_atr=2.0),
        classes=CLASSES,
        features=("return_1", "return_5"),
        feature_version=1,
        typical=(0.0, 0.0),
        trained_from=NOW - 1000 * DAY,
        trained_until=NOW - 10 * DAY,
        calibration={},
        base_rates=dict.fromkeys(CLASSES, 1 / 3),
        metrics={"brier": 0.6},
        verdict={"beats_baselines": False, "text": "no better than its baselines"},
    )
    return replace(made, **changes)


def model(of: Manifest | None = None, **changes: Any) -> Model:
    """Return the row of a model."""
    told = of or manifest()
    made = Model(
        id=told.id,
        name=told.name,
        timeframe=told.timeframe.value,
        universe=list(told.universe),
        sha256=told.sha256,
        manifest=told.to_json(),
        user_id="ann",
        created_at=NOW,
    )
    return replace(made, **changes)


def suggestion(**changes: Any) -> Suggestion:
    """Return a suggestion to buy."""
    made = Suggestion(
        id=new_id(),
        symbol="NSE:INFY",
        timeframe="1d",
        model_id="m",
        model="tiny",
        as_of=NOW,
        action="buy",
        probability=0.5,
        probabilities={"down": 0.25, "flat": 0.25, "up": 0.5},
        base_rates=dict.fromkeys(CLASSES, 1 / 3),
        horizon=10,
        barrier=25.0,
        entry=1500.0,
        stop=1475.0,
        target=1525.0,
        quantity="40",
        account="paper",
        currency="INR",
        expected_r=0.25,
        in_sample=False,
        backfilled=False,
        beats_baselines=False,
        note="no better than its baselines",
        contributions=[{"feature": "return_1", "value": 0.01, "contribution": 0.05}],
        evidence={"patterns": []},
        user_id="ann",
    )
    return replace(made, **changes)


def item(**changes: Any) -> NewsItem:
    """Return news about two symbols."""
    made = NewsItem(
        id=new_id(),
        user_id="ann",
        key="k1",
        source="wire",
        title="INFY wins",
        text="",
        url="https://example.org/1",
        symbols=("NSE:INFY", "NSE:TCS"),
        published_at=NOW - 1000,
        available_at=NOW,
        imported_at=NOW,
    )
    return replace(made, **changes)


def scored(**changes: Any) -> ScoredText:
    """Return a text that was scored."""
    made = ScoredText(
        symbol="NSE:INFY",
        key="k1",
        source="wire",
        available_at=NOW,
        score=0.5,
        label="positive",
        confidence=0.7,
        weight=1.0,
        engine="built_in",
        model="built_in-1",
        text="INFY wins",
        words=[["wins", 0.5]],
        user_id="ann",
    )
    return replace(made, **changes)


class IntelligenceWorkContract:
    """Tests for any `IntelligenceWork`."""

    @pytest.fixture
    def work(self) -> Work:
        """Return how a transaction is opened."""
        raise NotImplementedError("override the work fixture")

    def test_a_model_comes_back_as_it_was(self, work: Work) -> None:
        made = model()
        with work() as unit:
            unit.models.add(made)
            unit.commit()
        with work() as unit:
            assert unit.models.get(made.id) == made
            assert unit.models.get(made.id).parsed == manifest(id=made.id)

    def test_a_name_means_the_active_model_else_the_newest(self, work: Work) -> None:
        old, new = model(), model()
        with work() as unit:
            unit.models.add(old)
            unit.models.add(new)
            assert unit.models.get("tiny") == new
            saved = unit.models.save(replace(old, status=ModelStatus.ACTIVE.value, activated_at=NOW))
            assert saved.version == 2
            assert unit.models.get("tiny") == saved
            assert unit.models.active("1d") == [saved]
            assert unit.models.active("1h") == []
            with pytest.raises(NotFound):
                unit.models.get("other")

    def test_one_model_of_a_name_is_active(self, work: Work) -> None:
        one, two = model(), model()
        with work() as unit:
            unit.models.add(one)
            unit.models.add(two)
            unit.models.save(replace(one, status=ModelStatus.ACTIVE.value))
            unit.commit()
        with work() as unit, pytest.raises(Conflict):
            unit.models.save(replace(two, status=ModelStatus.ACTIVE.value))

    def test_a_model_that_somebody_else_changed_is_not_written(self, work: Work) -> None:
        made = model()
        with work() as unit:
            unit.models.add(made)
            unit.models.save(made)
            with pytest.raises(Conflict):
                unit.models.save(made)

    def test_models_are_listed_newest_first(self, work: Work) -> None:
        found = [model(), model(manifest(timeframe=Timeframe.H1)), model(manifest(name="other"))]
        with work() as unit:
            for one in found:
                unit.models.add(one)
            page = unit.models.page(ModelFilter(), before_id=None, limit=10)
            assert [one.id for one in page] == [one.id for one in reversed(found)]
            assert unit.models.page(ModelFilter(timeframe="1h"), before_id=None, limit=10) == [found[1]]
            assert unit.models.page(ModelFilter(name="tiny"), before_id=found[1].id, limit=10) == [found[0]]

    def test_a_suggestion_comes_back_as_it_was(self, work: Work) -> None:
        made = suggestion()
        with work() as unit:
            unit.suggestions.add(made)
            unit.commit()
        with work() as unit:
            found = unit.suggestions.get(made.id, "ann")
            assert found.created_at > NOW
            assert replace(found, created_at=0) == made
            with pytest.raises(NotFound):
                unit.suggestions.get(made.id, "bob")

    def test_suggestions_are_filtered_and_paged(self, work: Work) -> None:
        found = [suggestion(), suggestion(symbol="NSE:TCS", action="hold"), suggestion(as_of=NOW - DAY)]
        with work() as unit:
            for one in (*found, suggestion(user_id="bob")):
                unit.suggestions.add(one)

            def ids(before: str | None = None, **wanted: Any) -> list[str]:
                page = unit.suggestions.page(SuggestionFilter("ann", **wanted), before_id=before, limit=10)
                return [one.id for one in page]

            assert ids() == [one.id for one in reversed(found)]
            assert ids(symbol="NSE:TCS") == ids(action="hold") == [found[1].id]
            assert ids(since_ms=NOW, model_id="m") == [found[1].id, found[0].id]
            assert ids(before=found[1].id) == [found[0].id]
            assert ids(resolved=True) == []

    def test_an_outcome_is_stored_once(self, work: Work) -> None:
        made, other = suggestion(), suggestion(action="hold")
        with work() as unit:
            unit.suggestions.add(made)
            unit.suggestions.add(other)
            assert [one.id for one in unit.suggestions.unresolved(None, 10)] == [made.id, other.id]
            assert [one.id for one in unit.suggestions.unresolved(made.id, 10)] == [other.id]
            assert unit.suggestions.resolve([Resolution(made.id, "up", 0.02)]) == 1
            assert unit.suggestions.resolve([Resolution(made.id, "down", -0.02)]) == 0
            (found,) = unit.suggestions.resolved("m", "ann")
            assert (found.outcome, found.outcome_return) == ("up", 0.02)
            assert found.resolved_at is not None
            assert [one.id for one in unit.suggestions.unresolved(None, 10)] == [other.id]
            page = unit.suggestions.page(SuggestionFilter("ann", resolved=False), before_id=None, limit=10)
            assert [one.id for one in page] == [other.id]

    def test_news_is_stored_once(self, work: Work) -> None:
        with work() as unit:
            assert unit.news.add([item(), item(), item(user_id="bob"), item(key="k2", symbols=())]) == 3
            assert unit.news.add([item(title="changed")]) == 0
            found = unit.news.page(NewsFilter("ann"), before_id=None, limit=10)
            assert [(one.key, one.title, one.symbols) for one in found] == [
                ("k2", "INFY wins", ()),
                ("k1", "INFY wins", ("NSE:INFY", "NSE:TCS")),
            ]
            assert unit.news.page(NewsFilter("ann"), before_id=found[0].id, limit=10) == [found[1]]

    def test_an_item_is_read_by_its_owner(self, work: Work) -> None:
        made = item()
        with work() as unit:
            unit.news.add([made])
            assert unit.news.get(made.id, "ann") == made
            for wrong in ((made.id, "bob"), (new_id(), "ann")):
                with pytest.raises(NotFound):
                    unit.news.get(*wrong)

    def test_news_is_found_by_symbol_source_and_time(self, work: Work) -> None:
        with work() as unit:
            unit.news.add(
                [item(), item(key="k2", symbols=("NSE:TCS",), available_at=NOW - 5, source="blog"), item(key="k3")]
            )

            def keys(**wanted: Any) -> list[str]:
                return [one.key for one in unit.news.between(NewsFilter("ann", **wanted), 10)]

            assert keys() == ["k2", "k1", "k3"]
            assert keys(symbol="NSE:INFY") == ["k1", "k3"]
            assert keys(symbol="NSE:TCS", until_ms=NOW) == keys(source="blog") == ["k2"]
            assert keys(since_ms=NOW) == ["k1", "k3"]
            assert keys(since_ms=NOW + 1) == []

    def test_scored_texts_are_columns_as_of_then(self, work: Work) -> None:
        with work() as unit:
            for row in (scored(), scored(key="k2", available_at=NOW - 5, score=-1.0, weight=0.5)):
                unit.sentiments.put(row)
            unit.sentiments.put(scored(user_id="bob"))
            unit.sentiments.put(scored(symbol="NSE:TCS"))
            found = unit.sentiments.columns("ann", "NSE:INFY", NOW + 1)
            assert (found.time.tolist(), found.score.tolist(), found.weight.tolist()) == (
                [NOW - 5, NOW],
                [-1.0, 0.5],
                [0.5, 1.0],
            )
            assert len(unit.sentiments.columns("ann", "NSE:INFY", NOW)) == 1
            assert len(unit.sentiments.columns("ann", "NSE:INFY", NOW - 5)) == 0
            assert len(unit.sentiments.columns("ann", "NSE:INFY", NOW + 1, since_ms=NOW)) == 1
            assert len(unit.sentiments.columns("ann", "NSE:INFY", NOW + 1, since_ms=NOW + 1)) == 0
            others = unit.sentiments.columns("ann", "NSE:INFY", NOW + 1, without={"k1", "k9"})
            assert others.score.tolist() == [-1.0]
            assert unit.sentiments.symbols("ann") == ["NSE:INFY", "NSE:TCS"]

    def test_a_text_that_is_scored_again_counts_once(self, work: Work) -> None:
        with work() as unit:
            unit.sentiments.put(scored())
            unit.sentiments.put(scored(score=-0.25, model="built_in-2"))
            (found,) = unit.sentiments.newest(SentimentFilter("ann"), before=None, limit=10)
            assert (found.score, found.model) == (-0.25, "built_in-2")

    def test_scored_texts_are_listed_newest_first(self, work: Work) -> None:
        with work() as unit:
            for at in (NOW, NOW - 5, NOW):
                unit.sentiments.put(scored(key=new_id(), available_at=at))
            first = unit.sentiments.newest(SentimentFilter("ann", symbol="NSE:INFY"), before=None, limit=2)
            assert [row.available_at for row in first] == [NOW, NOW]
            last = first[-1]
            (rest,) = unit.sentiments.newest(SentimentFilter("ann"), before=(last.available_at, last.id), limit=10)
            assert rest.available_at == NOW - 5
            assert unit.sentiments.newest(SentimentFilter("ann", source="blog"), before=None, limit=1) == []
