"""What a model looks at: every word, every two neighbours, and the kinds of two words within a window.

All three are rows of one table each. A text's two sums over its rows, divided by the root of its length, are the
log-odds of positive and of negative against neutral.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.sentiment.grammar import OTHER_KINDS, POLARITY, RULES, WINDOW

VERSION = 2
NEIGHBOURS = 1 << 16  # rows of the table of neighbours
_HALF = NEIGHBOURS >> 1
SOFTENING = 8.0  # words that a text has on top of its own, so that short ones are not over-confident


@dataclass(frozen=True, slots=True)
class Codes:
    """What the rows of words are made of, per number of the vocabulary.

    Args:
        kinds: the kind's number; 0 for none.
        left, right: a word's part in the row of two neighbours, as the first and as the second of them.
        count: how many kinds there are, none included.
    """

    kinds: list[int]
    left: list[int]
    right: list[int]
    count: int


def kind_names(kinds: Sequence[str]) -> list[str]:
    """Return the kinds in the order of their numbers; the first is none."""
    return ["", *sorted({*kinds, *OTHER_KINDS, *POLARITY} - {""})]


def codes_of(words: Sequence[str], kinds: Sequence[str]) -> Codes:
    """Return the codes of a vocabulary. What does not count has the codes past the table's used rows."""
    names = {name: number for number, name in enumerate(kind_names(kinds))}
    left = [zlib.crc32(f"left {word}".encode()) % _HALF for word in words]
    right = [zlib.crc32(f"right {word}".encode()) % _HALF for word in words]
    left[0] = right[0] = NEIGHBOURS
    return Codes([names[kind] for kind in kinds], left, right, len(names))


def neighbour_rows() -> int:
    """Return the length of the table of neighbours, with the rows that say nothing."""
    return 2 * NEIGHBOURS + 1


def pair_row(first: int, second: int, distance: int, count: int) -> int:
    """Return the row of two kinds at a distance of words."""
    return ((distance - 1) * count + first) * count + second


def pair_rows(count: int) -> int:
    """Return the length of the table of pairs."""
    return WINDOW * count * count


def rule_weights(names: Sequence[str]) -> dict[int, float]:
    """Return what the rules of the grammar say of each row of pairs that they speak of."""
    numbers = {name: number for number, name in enumerate(names)}
    said: dict[int, float] = {}
    for rule in RULES:
        for distance in range(1, rule.within + 1):
            row = pair_row(numbers[rule.first], numbers[rule.second], distance, len(names))
            said[row] = said.get(row, 0.0) + rule.weight
    return said


def damping(length: int) -> float:
    """Return what the sums of a text of that many words are multiplied by."""
    return 1.0 / math.sqrt(length + SOFTENING)


def probabilities(positive: float, negative: float) -> tuple[float, float, float]:
    """Return p(negative), p(neutral), p(positive) of two log-odds against neutral."""
    highest = max(0.0, positive, negative)
    up, none, down = math.exp(positive - highest), math.exp(-highest), math.exp(negative - highest)
    total = up + none + down
    return down / total, none / total, up / total
