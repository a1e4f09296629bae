"""The walk-forward test: each block of time is predicted by what was learnt before it, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aitrader.api import (
    BUY,
    CLASSES,
    SELL,
    ActionRule,
    Fold,
    action_score,
    action_view,
    actions,
    block_interval,
    brier,
    calibrated,
    interval_view,
    log_loss,
    reliability,
    skill,
)
from plugins.model_train.learner import Learner, LearnerSettings
from plugins.model_train.samples import Samples

Probabilities = NDArray[np.float64]
Curves = dict[str, list[list[float]]]
# A bin of a calibration curve holds this many labels that do not overlap.
_INDEPENDENT = 20
_MOST_BINS = 50


@dataclass(frozen=True, slots=True)
class Walk:
    """What was said of the samples that were tested, in order of time, before they were learnt from.

    Args:
        tested: the samples.
        fold: which fold each was tested in.
        raw, calibrated: the model's probabilities; calibrated by what the folds before had shown.
        shuffled: those of the same learner trained on shuffled labels.
        base: how often each class had come true until then: what always-hold says.
        momentum: how often each class had come true after moves of the same direction.
    """

    tested: Samples
    fold: NDArray[np.int64]
    raw: Probabilities
    calibrated: Probabilities
    shuffled: Probabilities
    base: Probabilities
    momentum: Probabilities


def walk(
    samples: Samples,
    folds: list[Fold],
    settings: LearnerSettings,
    block: int,
    progress: Callable[[float, str], None],
) -> Walk:
    """Train on each fold and say what comes next."""
    parts: list[tuple[Probabilities, ...]] = []
    random = np.random.default_rng(settings.seed)
    for number, fold in enumerate(folds):
        progress(number / len(folds), f"fold {number + 1} of {len(folds)}")
        train, test = samples.take(fold.train), samples.take(fold.test)
        model = Learner(train.features, train.outcome, train.weight, settings)
        progress((number + 0.6) / len(folds), f"fold {number + 1} of {len(folds)}, shuffled labels")
        lied = Learner(train.features, random.permutation(train.outcome), train.weight, settings)
        raw = model.predict(test.features)
        said = calibrated(raw, _curves([part[0] for part in parts], samples, folds[:number], block))
        parts.append((raw, said, lied.predict(test.features), _base(train, len(test)), _momentum(train, test)))
    tested = samples.take(np.concatenate([fold.test for fold in folds]))
    fold_of = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])
    raw, said, shuffled, base, momentum = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Walk(tested, fold_of, raw, said, shuffled, base, momentum)


def _curves(said: list[Probabilities], samples: Samples, folds: list[Fold], block: int) -> Curves:
    """Return the curves that the folds so far show; none before the second."""
    if not folds:
        return {}
    outcomes = samples.outcome[np.concatenate([fold.test for fold in folds])]
    return calibration_curves(np.concatenate(said), outcomes, block)


def calibration_curves(raw: Probabilities, outcomes: NDArray[np.int8], block: int) -> Curves:
    """Return per class a monotone curve from what was said to how often it came true (isotonic regression).

    Labels overlap, so that neighbours are hardly more than one observation; fitted to each sample, the curve would
    learn noise. It is fitted to bins of samples of like probability, each some independent labels wide.

    Args:
        raw: what was said.
        outcomes: what came true.
        block: how many samples overlap.
    """
    from sklearn.isotonic import IsotonicRegression

    curves = {}
    for place, name in enumerate(CLASSES):
        said, true = _binned(raw[:, place], outcomes == place, _INDEPENDENT * block)
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(said, true)
        curves[name] = [said.tolist(), fitted.predict(said).tolist()]
    return curves


def _binned(
    said: NDArray[np.float64], true: NDArray[np.bool_], least: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of bins of samples by what was said, ascending."""
    order = np.argsort(said, kind="stable")
    bins = np.array_split(order, max(1, min(_MOST_BINS, len(said) // least)))
    means = np.array([said[places].mean() for places in bins])
    rates = np.array([true[places].mean() for places in bins])
    return means, rates


def _base(train: Samples, count: int) -> Probabilities:
    rates = base_rates(train.outcome)
    return np.tile(rates, (count, 1))


def base_rates(outcomes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return how often each class came true."""
    return np.bincount(outcomes, minlength=len(CLASSES)) / max(1, len(outcomes))


def _momentum(train: Samples, test: Samples) -> Probabilities:
    found = _base(train, len(test))
    for sign in (-1.0, 0.0, 1.0):
        seen = train.momentum == sign
        if seen.any():
            found[test.momentum == sign] = base_rates(train.outcome[seen])
    return found


def trade_returns(samples: Samples, chosen: NDArray[np.int8], cost_bps: float) -> NDArray[np.float64]:
    """Return what each action brought after costs, as a fraction; NaN where there was nothing to do."""
    cost = cost_bps / 1e4
    return np.where(chosen == BUY, samples.buy - cost, np.where(chosen == SELL, samples.sell - cost, np.nan))


def score(samples: Samples, said: Probabilities, rule: ActionRule, block: int) -> dict[str, Any]:
    """Return figures of one set of probabilities on samples in order of time."""
    errors = brier(said, samples.outcome)
    chosen = actions(said, samples.price, samples.barrier, rule)
    return {
        "n": len(samples),
        "brier": interval_view(block_interval(errors, block)),
        "log_loss": log_loss(said, samples.outcome),
        "accuracy": float((said.argmax(axis=1) == samples.outcome).mean()) if len(samples) else None,
        "actions": action_view(action_score(trade_returns(samples, chosen, rule.cost_bps), block)),
    }


def judge(found: Walk, rule: ActionRule, block: int) -> dict[str, Any]:
    """Return the figures of a walk-forward test, and of its baselines on the same samples.

    The first fold is left out: its probabilities could not be calibrated by anything before.
    """
    later = found.fold > 0
    samples = found.tested.take(later)
    said, base = found.calibrated[later], found.base[later]
    momentum_actions = np.where(samples.momentum >= 0, BUY, SELL).astype(np.int8)
    by_hold = brier(base, samples.outcome)
    gains = {
        name: by_hold - brier(values[later], samples.outcome)
        for name, values in (
            ("model", found.calibrated),
            ("raw", found.raw),
            ("momentum", found.momentum),
            ("shuffled", found.shuffled),
        )
    }
    nothing = action_score(np.full(len(samples), np.nan), block)
    momentum_returns = trade_returns(samples, momentum_actions, rule.cost_bps)
    return {
        "sample": "out_of_sample",
        "model": score(samples, said, rule, block),
        "baselines": {
            "always_hold": {**score(samples, base, rule, block), "actions": action_view(nothing)},
            "momentum": {
                **score(samples, found.momentum[later], rule, block),
                "actions": action_view(action_score(momentum_returns, block)),
            },
            "shuffled_labels": score(samples, found.shuffled[later], rule, block),
        },
        "brier_gain": {name: interval_view(block_interval(gain, block)) for name, gain in gains.items()},
        "brier_skill": skill(by_hold - gains["model"], by_hold),
        "reliability": {
            name: reliability(said[:, place], samples.outcome == place) for place, name in enumerate(CLASSES)
        },
    }


def verdict(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return whether the model beat its baselines, out of sample, and in words."""
    gain = metrics["brier_gain"]
    trades = metrics["model"]["actions"]["mean_return"]
    momentum = metrics["baselines"]["momentum"]["actions"]["mean_return"]["mean"]
    better = _surely_above(gain["model"])
    gains = _surely_above(trades) and (momentum is None or trades["mean"] > momentum)
    chance = not _surely_above(gain["shuffled"])
    words = [
        "its probabilities are better than the base rates"
        if better
        else "its probabilities are not surely better than the base rates",
        "its actions gain after costs"
        if gains
        else "its actions do not surely gain after costs, or not more than momentum",
    ]
    if chance:
        words.append("the same learner on shuffled labels is no better than chance, as it must be")
    else:
        words.append("the same learner on shuffled labels looks better than chance: do not trust this test")
    beats = better and gains and chance
    start = "It beat its baselines out of sample: " if beats else "It did not beat its baselines out of sample: "
    return {
        "beats_baselines": beats,
        "probabilities_better": better,
        "actions_better": gains,
        "shuffled_is_chance": chance,
        "text": start + "; ".join(words) + ".",
    }


def _surely_above(interval: dict[str, Any]) -> bool:
    return interval["low"] is not None and interval["low"] > 0
