"""Sentiment as strategies and models see it: how fast it is forgotten, and what it was at each bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.common.errors import FieldError, Invalid
from domain.market.model import FloatColumn

HOUR_MS = 3_600_000

_LONGEST_MS = 3650 * 24 * HOUR_MS
# 2^±512 times anything that weights and scores can be stays far from the ends of float64.
_MOST_HALF_LIVES = 512


@dataclass(frozen=True, slots=True)
class Decay:
    """How fast what was said is forgotten.

    Args:
        half_life_ms: after which a text counts half.
        window_ms: after which it does not count any more; at most 512 half-lives.

    Raises:
        Invalid: one is not above zero, is above ten years, or the window is too long for the half-life.
    """

    half_life_ms: int = 48 * HOUR_MS
    window_ms: int = 14 * 24 * HOUR_MS

    def __post_init__(self) -> None:
        problems = [
            FieldError(f"{name}_hours", "must be above 0 and at most 87600")
            for name, value in (("half_life", self.half_life_ms), ("window", self.window_ms))
            if not 0 < value <= _LONGEST_MS
        ]
        if not problems and self.window_ms > _MOST_HALF_LIVES * self.half_life_ms:
            problems.append(FieldError("window_hours", f"must be at most {_MOST_HALF_LIVES} half-lives"))
        if problems:
            first = f"{problems[0].field} {problems[0].message}"
            raise Invalid(f"sentiment cannot decay like this: {first}", code="invalid_decay", errors=problems)


def decay_of(half_life_hours: float, window_hours: float) -> Decay:
    """Return a decay that is told in hours.

    Raises:
        Invalid: see `Decay`.
    """
    return Decay(round(half_life_hours * HOUR_MS), round(window_hours * HOUR_MS))


@dataclass(frozen=True, slots=True)
class SentimentAtBars:
    """What the texts about a symbol added up to as of each of n moments, such as the closes of bars. Shape (n,).

    ``score``: weighted mean, −1…1; 0 where ``weight`` is 0, which is not the same as texts that balance.
    ``weight``: sum of the decayed weights. ``count``: texts within the window that weigh anything.
    """

    score: FloatColumn
    weight: FloatColumn
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.score)
