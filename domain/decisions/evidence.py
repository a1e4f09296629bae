"""The built-in strategy engine: weighted evidence.

The newest signal of each producer and pattern that may still be acted on counts once; signals of one kind are
averaged, and the kinds are added up by their weights:

    combined = Σ over kinds of weight · mean(score)

At or above the threshold that is ``buy``, at or below its negative ``sell``. It is what the predecessor's engine did
on :8082, so that either can stand in for the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from domain.decisions.model import Action
from domain.decisions.ports import DecideRequest, Evidence, Opinion, Reward

EVIDENCE = "evidence"


class EvidenceEngine:
    """Weighted evidence; keeps nothing, so that the same question has the same answer."""

    name = EVIDENCE

    def decide(self, request: DecideRequest) -> Opinion:
        """Return what the evidence says."""
        return weigh(request.evidence, request.params.weights, request.params.threshold)

    def reward(self, reward: Reward) -> None:
        """Learn nothing: its weights are the user's."""


def weigh(evidence: Sequence[Evidence], weights: Mapping[str, float], threshold: float) -> Opinion:
    """Return the opinion that evidence on one symbol adds up to."""
    parts = {kind: _mean(item.score for item in evidence if item.kind == kind) for kind in sorted(weights)}
    known = {kind: mean for kind, mean in parts.items() if mean is not None and weights[kind]}
    combined = sum(weights[kind] * mean for kind, mean in known.items())
    # Weights such as 0.6 are not exact in binary: what adds up to the threshold on paper reaches it.
    combined = max(-1.0, min(1.0, round(combined, 9)))
    action = Action.BUY if combined >= threshold else Action.SELL if combined <= -threshold else Action.HOLD
    if not known:
        return Opinion(Action.HOLD, 0.0, "no evidence")
    said = " + ".join(f"{weights[kind]:g}·{kind} {mean:+.3f}" for kind, mean in known.items())
    return Opinion(action, round(abs(combined), 6), f"combined={combined:+.3f} ({said}), threshold {threshold:g}")


def _mean(scores: Iterable[float]) -> float | None:
    found = list(scores)
    return sum(found) / len(found) if found else None
