"""Suggestions: what a model makes of a symbol, and nothing that was not known then."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.onnx.local import LocalInference
from aitrader.testing.bars import MemoryBarStore, random_bars
from aitrader.testing.context import FakeJobContext
from domain.common.errors import Invalid, NotFound, Unavailable
from domain.common.time import rfc3339
from domain.intelligence.models import Model
from domain.intelligence.ports import AccountWorth
from domain.intelligence.resolving import resolution
from domain.intelligence.suggestions import Suggestion
from domain.market.model import Bars, Timeframe
from plugins.model_train.job import ModelTrainJob
from plugins.model_train.payload import ModelTrainPayload
from plugins.suggestion.job import SuggestionJob
from plugins.suggestion.payload import SuggestionOut, SuggestionPayload
from tests.unit.plugins.test_model_train import NoTexts, Shelf

DAY = 86_400_000
BARS = random_bars(700, 4)


class Worths:
    def __init__(self, worth: AccountWorth | None) -> None:
        self.given = worth

    def worth(self, account: str | None) -> AccountWorth | None:
        return self.given


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A model of the first 600 bars, on a shelf."""
    folder = tmp_path_factory.mktemp("trained")
    shelf = Shelf(folder / "models")
    context = context_of(folder, shelf)
    end = rfc3339(int(BARS.time[600]))
    payload = ModelTrainPayload.model_validate(
        {"symbols": ["ACME"], "rounds": 40, "folds": 2, "horizon": 5, "least_in_leaf": 10, "end": end}
    )
    ModelTrainJob().run(context, payload)
    (row,) = context.records
    assert isinstance(row, Model)
    shelf.models.append(row)
    return shelf


def context_of(folder: Path, shelf: Shelf, bars: Bars = BARS, worth: AccountWorth | None = None) -> FakeJobContext:
    store = MemoryBarStore()
    store.write("ACME", Timeframe.D1, bars)
    return FakeJobContext(
        folder,
        store=store,
        scored=NoTexts(),
        shelf=shelf,
        inference_engine=LocalInference(shelf.folders),
        worths=Worths(worth or AccountWorth("paper", Decimal(100_000), "USD")),
        now_ms=int(bars.time[-1]) + DAY,
    )


def suggest(context: FakeJobContext, **payload: Any) -> SuggestionOut:
    (found,) = (
        SuggestionJob().run(context, SuggestionPayload.model_validate({"symbols": ["ACME"], **payload})).results
    )
    return found


def certain(found: SuggestionOut) -> dict[str, Any]:
    """What a suggestion says, without what differs each time."""
    return found.model_dump(exclude={"id", "backfilled", "note"})


def test_it_says_what_the_model_makes_of_the_last_bar(tmp_path: Path, trained: Shelf) -> None:
    context = context_of(tmp_path, trained)
    found = suggest(context, least_edge=0.0, cost_bps=0.0)
    assert found.as_of == rfc3339(int(BARS.time[-1]) + DAY)
    assert found.entry == pytest.approx(BARS.close[-1])
    assert found.action in ("buy", "sell")
    sign = 1 if found.action == "buy" else -1
    assert found.stop is not None
    assert found.target is not None
    assert sign * (found.target - found.entry) == pytest.approx(sign * (found.entry - found.stop))
    assert sum(found.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert found.probability == found.probabilities["up" if sign > 0 else "down"]
    assert found.expected_r == pytest.approx(
        sign * (found.probabilities["up"] - found.probabilities["down"]), abs=1e-5
    )
    assert not found.in_sample
    assert not found.backfilled
    assert not found.beats_baselines
    assert "did not beat its baselines" in found.note
    (row,) = context.records
    assert isinstance(row, Suggestion)
    assert (row.id, row.action, row.model_id) == (found.id, found.action, trained.models[0].id)


def test_size_is_the_account_s_risk(tmp_path: Path, trained: Shelf) -> None:
    found = suggest(context_of(tmp_path, trained), least_edge=0.0, cost_bps=0.0, max_position=10, fractional=True)
    assert found.stop is not None
    assert found.quantity is not None
    assert float(found.quantity) * abs(found.entry - found.stop) == pytest.approx(1000.0)
    assert found.account == "paper"
    unpriced = context_of(tmp_path, trained, worth=AccountWorth("paper", None, "USD"))
    nothing = suggest(unpriced, least_edge=0.0, cost_bps=0.0)
    assert nothing.quantity is None
    assert "has no price" in nothing.note
    rupees = context_of(tmp_path, trained, worth=AccountWorth("inr", Decimal(1), "INR"))
    assert "INR for USD" in suggest(rupees).note


def test_contributions_add_up_to_what_a_feature_moves(tmp_path: Path, trained: Shelf) -> None:
    found = suggest(context_of(tmp_path, trained), least_edge=0.0, cost_bps=0.0)
    assert 0 < len(found.contributions) <= 8
    sizes = [abs(item.contribution) for item in found.contributions]
    assert sizes == sorted(sizes, reverse=True)
    names = trained.models[0].parsed.features
    assert all(item.feature in names for item in found.contributions)


def test_later_bars_change_nothing(tmp_path: Path, trained: Shelf) -> None:
    """The suggestion for a time is the same with later bars cut off, changed, or there."""
    at = 650
    as_of = rfc3339(int(BARS.time[at]) + DAY)
    whole = suggest(context_of(tmp_path, trained), as_of=as_of)
    cut = suggest(context_of(tmp_path, trained, BARS.take(slice(0, at + 1))), as_of=as_of)
    order = np.concatenate((np.arange(at + 1), at + 1 + np.random.default_rng(0).permutation(699 - at)))
    shuffled = Bars(BARS.time, *(column[order] for column in BARS.columns()[1:]))
    mixed = suggest(context_of(tmp_path, trained, shuffled), as_of=as_of)
    assert certain(whole) == certain(cut) == certain(mixed)
    assert (whole.backfilled, cut.backfilled, mixed.backfilled) == (True, False, True)
    assert "this was no forecast" in whole.note


def test_a_bar_that_has_not_closed_is_not_looked_at(tmp_path: Path, trained: Shelf) -> None:
    context = context_of(tmp_path, trained)
    context.now_ms = int(BARS.time[-1]) + DAY - 1
    assert suggest(context).as_of == rfc3339(int(BARS.time[-1]))
    context.now_ms += 1
    assert suggest(context).as_of == rfc3339(int(BARS.time[-1]) + DAY)


def test_a_time_that_was_learnt_from_is_no_test(tmp_path: Path, trained: Shelf) -> None:
    found = suggest(context_of(tmp_path, trained), as_of=rfc3339(int(BARS.time[500])))
    assert found.in_sample
    assert "trained on this time" in found.note


def test_old_bars_are_said_to_be_old(tmp_path: Path, trained: Shelf) -> None:
    context = context_of(tmp_path, trained)
    context.now_ms += 30 * DAY
    assert "import newer ones" in suggest(context).note


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path, trained: Shelf) -> None:
    empty = context_of(tmp_path, Shelf(tmp_path / "none"))
    with pytest.raises(NotFound, match="aitrader model train --symbols ACME --timeframe 1d --activate"):
        suggest(empty)
    store = context_of(tmp_path, trained)
    store.bars.write("OTHER", Timeframe.D1, BARS)
    with pytest.raises(NotFound, match="no active model was trained on 1d bars of OTHER"):
        suggest(store, symbols=["OTHER"])
    named = suggest(store, symbols=["OTHER"], model="barriers")
    assert "not trained on this symbol" in named.note


def test_what_cannot_be_asked_is_said(tmp_path: Path, trained: Shelf) -> None:
    with pytest.raises(Invalid, match="121 are needed"):
        suggest(context_of(tmp_path, trained, BARS.take(slice(0, 120))))
    with pytest.raises(Invalid, match="had closed by"):
        suggest(context_of(tmp_path, trained), as_of="2001-01-01")
    with pytest.raises(Invalid, match="looks at 1d bars, not at 1h"):
        suggest(context_of(tmp_path, trained), timeframe="1h", model="barriers")
    old = replace(trained.models[0], manifest={**trained.models[0].manifest, "feature_version": 0})
    shelf = Shelf(tmp_path / "old")
    shelf.models.append(old)
    with pytest.raises(Invalid, match="train it again"):
        suggest(context_of(tmp_path, shelf))


def test_an_engine_that_fails_is_no_hold(tmp_path: Path, trained: Shelf) -> None:
    class Down:
        name = "remote"

        def infer(self, *args: Any) -> Any:
            raise Unavailable("the model server did not answer")

    context = context_of(tmp_path, trained)
    context.inference_engine = Down()
    with pytest.raises(Unavailable):
        suggest(context)
    assert context.records == []


@pytest.mark.parametrize("answer", [np.full((100, 3), 0.5), np.full((2, 3), 1 / 3), np.zeros((1, 2))])
def test_an_answer_that_is_no_probabilities_is_refused(tmp_path: Path, trained: Shelf, answer: Any) -> None:
    class Lies:
        name = "remote"

        def infer(self, model: str, inputs: Any, outputs: Any = ()) -> Any:
            from domain.intelligence.inference import Inference

            return Inference("remote", model, {"probabilities": answer}, 1.0)

    context = context_of(tmp_path, trained)
    context.inference_engine = Lies()
    with pytest.raises(Unavailable, match="no probabilities"):
        suggest(context)


def test_an_outcome_is_told_once_the_horizon_has_passed(tmp_path: Path, trained: Shelf) -> None:
    context = context_of(tmp_path, trained)
    suggest(context, as_of=rfc3339(int(BARS.time[650]) + DAY), least_edge=0.0, cost_bps=0.0)
    (row,) = context.records
    assert isinstance(row, Suggestion)
    found = resolution(row, BARS)
    assert found is not None
    assert found.outcome in ("down", "flat", "up")
    assert found.outcome_return is not None
    assert resolution(row, BARS.take(slice(0, 656))) == found  # five bars later, and not before
    assert resolution(row, BARS.take(slice(0, 655))) is None
    assert resolution(row, BARS.take(slice(640, 700))) == found
    assert resolution(row, BARS.take(slice(651, 700))) is None
    held = resolution(replace(row, action="hold"), BARS)
    assert held is not None
    assert held.outcome_return is None
