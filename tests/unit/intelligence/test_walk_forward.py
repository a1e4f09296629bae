"""Folds never train on what they test, nor on labels that were open then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.intelligence.walk_forward import uniqueness, walk_forward


@given(st.integers(0, 1000), st.integers(2, 8), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_training_was_decided_before_the_test_began(seed: int, folds: int, embargo: int) -> None:
    random = np.random.default_rng(seed)
    known = np.sort(random.integers(0, 2000, 500))
    decided = known + random.integers(1, 30, 500)
    found = walk_forward(known, decided, folds=folds, embargo_ms=embargo)
    assert len(found) == folds
    for fold in found:
        start = known[fold.test].min()
        assert decided[fold.train].max() + embargo < start
        left_out = np.setdiff1d(np.flatnonzero(decided + embargo < start), fold.train)
        assert len(left_out) == 0  # nothing that may be learnt from is left out
    tests = np.concatenate([fold.test for fold in found])
    assert len(np.unique(tests)) == len(tests)
    assert (np.diff(known[tests]) >= 0).all()
    first = known[found[0].test].min()
    assert sorted(tests) == np.flatnonzero(known >= first).tolist()


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(Invalid, match="too few for 5 folds"):
        walk_forward(np.arange(11), np.arange(11) + 1, folds=5, embargo_ms=0)
    with pytest.raises(Invalid, match="nothing to train on"):
        walk_forward(np.arange(20), np.arange(20) + 100, folds=2, embargo_ms=0)


def test_uniqueness_is_the_share_of_open_labels() -> None:
    # 0 is alone at 0, and one of two at 1; 1 is one of two at 1, and alone at 2.
    known, decided = np.array([0, 1, 2]), np.array([1, 2, 2])
    whole = [np.mean([1, 1 / 2]), np.mean([1 / 2, 1 / 2]), 1 / 2]
    assert uniqueness(known, decided).tolist() == pytest.approx(whole)


@given(st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_uniqueness_is_the_slow_reading(seed: int, longest: int) -> None:
    random = np.random.default_rng(seed)
    known = np.cumsum(random.integers(1, 4, 40))
    decided = known + random.integers(0, longest, 40)
    open_at = [(known <= time) & (decided >= time) for time in known]
    slow = [np.mean([1 / mine.sum() for mine in open_at if mine[at]]) for at in range(40)]
    np.testing.assert_allclose(uniqueness(known, decided), slow)
