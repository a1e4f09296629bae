"""What classifiers call the three polarities. Models name them differently and number them in any order, so a label
is known by its name, never by its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from domain.common.errors import Invalid
from domain.intelligence.sentiment import Polarity, Sentiment, sentiment_of

_NAMES = {
    "positive": Polarity.POSITIVE,
    "bullish": Polarity.POSITIVE,
    "neutral": Polarity.NEUTRAL,
    "negative": Polarity.NEGATIVE,
    "bearish": Polarity.NEGATIVE,
}
_SLACK = 0.02


class Labels:
    """The labels of a classifier, whatever their case.

    Args:
        more: what labels without a meaning of their own mean, such as LABEL_0.
    """

    def __init__(self, more: Mapping[str, Polarity] | None = None) -> None:
        self._names = _NAMES | {name.lower(): polarity for name, polarity in (more or {}).items()}

    def polarity(self, label: str) -> Polarity:
        """Return what a label means.

        Raises:
            Invalid: nobody has said.
        """
        found = self._names.get(label.strip().lower())
        if found is None:
            shown = label[:64]
            raise Invalid(
                f"the label {shown!r} is unknown; say what it means: AITRADER_SENTIMENT_LABELS={shown}=positive,…",
                code="unknown_label",
            )
        return found

    def sentiment(self, scores: Sequence[tuple[str, float]], *, truncated: bool = False) -> Sentiment:
        """Return what the probabilities of all labels of a classifier say. A polarity that it does not know has 0.

        Raises:
            Invalid: a label is unknown, the polarities lack one of positive and negative, or these are not the
                probabilities of all labels, such as when only the best one is told.
        """
        found = dict.fromkeys(Polarity, 0.0)
        named = {self.polarity(label) for label, _ in scores}
        if not named >= {Polarity.POSITIVE, Polarity.NEGATIVE}:
            raise Invalid("it must tell the probabilities of all labels, not only the best", code="labels_missing")
        for label, score in scores:
            found[self.polarity(label)] += score
        total = math.fsum(found.values())
        if any(not 0 <= score <= 1 for _, score in scores) or abs(total - 1) > _SLACK:
            raise Invalid("its scores are no probabilities that add up to 1", code="labels_missing")
        negative, neutral, positive = (
            found[polarity] / total for polarity in (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)
        )
        return sentiment_of(negative, neutral, positive, truncated=truncated)


def parse_labels(pairs: Sequence[str]) -> dict[str, Polarity]:
    """Return what labels mean, from pairs such as ``LABEL_0=negative``.

    Raises:
        Invalid: one is none.
    """
    found = {}
    for pair in pairs:
        name, _, word = pair.partition("=")
        if not name.strip() or word.strip().lower() not in list(Polarity):
            words = ", ".join(Polarity)
            raise Invalid(f"{pair[:64]!r} is not a label such as LABEL_0=negative; one of: {words}", code="bad_label")
        found[name.strip()] = Polarity(word.strip().lower())
    return found
