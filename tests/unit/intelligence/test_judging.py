"""How good probabilities and actions were, and how sure one can be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.intelligence.calibration import calibrated
from domain.intelligence.judging import (
    action_score,
    block_interval,
    brier,
    log_loss,
    reliability,
    skill,
)
from domain.intelligence.suggesting import (
    BUY,
    HOLD,
    SELL,
    ActionRule,
    SizeRule,
    actions,
    expected_r,
    hoped_for,
    quantity,
)
from domain.intelligence.suggestions import CLASSES


def test_brier_and_log_loss_by_hand() -> None:
    told = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    came = np.array([2, 1], dtype=np.int8)
    assert brier(told, came).tolist() == pytest.approx([0.04 + 0.09 + 0.25, 2.0])
    assert log_loss(told[:1], came[:1]) == pytest.approx(-math.log(0.5))
    assert log_loss(told[:0], came[:0]) is None
    assert skill(np.array([0.3]), np.array([0.6])) == pytest.approx(0.5)
    assert skill(np.empty(0), np.empty(0)) is None


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        steps = random.normal(0, 1, 420)
        overlapping = np.convolve(steps, np.ones(10) / math.sqrt(10), mode="valid")  # ten neighbours share most of it
        found = block_interval(overlapping, 20, seed)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert 0.85 <= hits / 200 <= 1.0
    naive = [
        block_interval(np.convolve(random.normal(0, 1, 420), np.ones(10), mode="valid"), 1, s) for s in range(200)
    ]
    covered = sum(item.low <= 0 <= item.high for item in naive if item.low is not None and item.high is not None)
    assert covered / 200 < 0.6  # what overlapping labels do to an interval that does not know of them


def test_an_interval_of_too_little_is_no_interval() -> None:
    assert block_interval(np.ones(29), 1).low is None
    assert block_interval(np.ones(39), 20).high is None
    nothing = block_interval(np.empty(0), 5)
    assert (nothing.mean, nothing.n) == (None, 0)
    same = block_interval(np.full(100, 0.5), 10)
    assert (same.mean, same.low, same.high) == pytest.approx((0.5, 0.5, 0.5))


def test_actions_that_were_not_taken_do_not_count() -> None:
    score = action_score(np.array([0.02, np.nan, -0.01, np.nan]), 1)
    assert (score.n, score.acted, score.hit_rate) == (4, 2, 0.5)
    assert score.mean_return.mean == pytest.approx(0.005)
    nothing = action_score(np.full(3, np.nan), 1)
    assert (nothing.acted, nothing.hit_rate, nothing.mean_return.mean) == (0, None, None)


def test_reliability_says_how_often_what_was_told_came_true() -> None:
    told = np.array([0.05, 0.12, 0.18, 1.0])
    rows = reliability(told, np.array([False, True, False, True]))
    assert [(row["from"], row["n"], row["came_true"]) for row in rows] == [
        (0.0, 1, 0.0),
        (0.1, 2, 0.5),
        (0.9, 1, 1.0),
    ]


def test_calibration_reads_the_curves_and_adds_up_to_one() -> None:
    curves = {name: [[0.0, 1.0], [0.0, 1.0]] for name in CLASSES}
    raw = np.array([[0.2, 0.3, 0.5]])
    assert calibrated(raw, curves).tolist() == raw.tolist()
    assert calibrated(raw, {}).tolist() == raw.tolist()
    curves["up"] = [[0.0, 0.5, 1.0], [0.0, 0.25, 0.25]]
    assert calibrated(raw, curves)[0].tolist() == pytest.approx([0.2 / 0.75, 0.3 / 0.75, 0.25 / 0.75])
    zero = {name: [[0.0, 1.0], [0.0, 0.0]] for name in CLASSES}
    assert calibrated(raw, zero).tolist() == raw.tolist()


def test_an_action_needs_an_edge_above_its_costs() -> None:
    told = np.array([[0.2, 0.4, 0.4], [0.4, 0.4, 0.2], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]])
    price, barrier = np.full(4, 100.0), np.full(4, 2.0)
    rule = ActionRule(cost_bps=10.0, least_edge=0.05)  # 10 bp of 100 are 0.05 barriers: 0.1 is needed
    assert actions(told, price, barrier, rule).tolist() == [BUY, SELL, HOLD, BUY]
    dear = ActionRule(cost_bps=20.0, least_edge=0.05)
    assert actions(told, price, barrier, dear).tolist() == [BUY, SELL, HOLD, HOLD]
    long_only = ActionRule(cost_bps=10.0, least_edge=0.05, allow_short=False)
    assert actions(told, price, barrier, long_only).tolist() == [BUY, HOLD, HOLD, BUY]


def test_what_an_action_hopes_for_and_expects() -> None:
    told = np.array([0.2, 0.3, 0.5])
    assert [CLASSES[hoped_for(action)] for action in (BUY, HOLD, SELL)] == ["up", "flat", "down"]
    assert expected_r(told, BUY) == pytest.approx(0.3)
    assert expected_r(told, SELL) == pytest.approx(-0.3)
    assert expected_r(told, HOLD) is None


def test_size_is_a_share_of_equity() -> None:
    from decimal import Decimal

    assert quantity(Decimal(100_000), 100.0, 2.0, SizeRule(max_position=1.0)) == 500
    assert quantity(Decimal(100_000), 100.0, 2.0, SizeRule(max_position=0.1)) == 100
    assert quantity(Decimal(100), 1000.0, 2.0, SizeRule()) == 0
    assert quantity(Decimal(100), 1000.0, 2.0, SizeRule(fractional=True)) == Decimal("0.02")
