"""What kinds of words there are, and what two of them near each other say: the part of the engine that is no data.

A direction says nothing without its object: profits that fall are bad, losses that fall are good. Words therefore
have a kind, a kind may have a polarity of its own, and `RULES` add to it what a pair of kinds says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEXICON = Path(__file__).parent / "lexicon.txt"
WINDOW = 4  # how many words ahead a word looks for the other one of a pair

# What a word of the kind says by itself. Kinds that are not named say nothing.
POLARITY = {
    "up": 0.8,
    "up_strong": 1.2,
    "down": -0.8,
    "down_strong": -1.2,
    "cut": -0.3,
    "raise": 0.5,
    "ease": -0.3,
    "good": 1.0,
    "bad": -1.0,
    "bad_thing": -0.4,
    "beat": 0.6,
    "miss": -0.8,
    "high": 0.4,
    "low": -0.4,
    "failure": -0.5,
    "rate_buy": 0.5,
    "rate_sell": -0.4,
    "deal": 0.3,
    "percent_up": 1.0,
    "percent_down": -1.0,
    "more_than": 0.8,
    "less_than": -0.8,
    "relief": 1.4,
    "worse": -1.4,
    "not_good": -1.0,
    "not_bad": 1.2,
    "was_bad": 0.9,
    "was_good": -0.9,
    "bad_ends": 1.4,
    "good_ends": -1.4,
}
# Kinds that no lexicon names: they are given to what is not a word.
OTHER_KINDS = (
    "number",
    "percent",
    "percent_up",
    "percent_down",
    "pause",
    "ticker",
    "more_than",
    "less_than",
    "thing",
    "relief",
    "worse",
    "not_good",
    "not_bad",
    "was_bad",
    "was_good",
    "bad_ends",
    "good_ends",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Two kinds within a distance of words, and what is added to their polarity."""

    first: str
    second: str
    within: int
    weight: float


_RATINGS = ("rate_buy", "rate_hold")


def _rules() -> Iterator[Rule]:
    for kind, weight in POLARITY.items():
        yield Rule("more", kind, 1, 0.4 * weight)  # sharply lower
        yield Rule(kind, "more", 1, 0.4 * weight)  # falls sharply
        yield Rule("less", kind, 1, -0.4 * weight)  # slightly lower
        yield Rule(kind, "less", 1, -0.4 * weight)  # falls slightly
    yield Rule("cut", "good_thing", 3, -0.6)  # cuts its dividend
    yield Rule("raise", "good_thing", 3, 0.3)  # raises its forecast
    yield Rule("ease", "bad", 2, 1.4)  # eases the crunch
    yield Rule("bad", "ease", 2, 1.4)  # weakness abates
    yield Rule("end", "good_thing", 2, -0.8)  # halts production
    yield Rule("end", "deal", 3, -0.8)  # ends the partnership
    yield Rule("before", "bad_thing", 1, 0.6)  # before taxes
    for kind in ("cut", "down"):
        for rating in (*_RATINGS, "rate_sell"):
            yield Rule(kind, rating, 3, -0.8)  # cut to hold
    for rating in _RATINGS:
        yield Rule("raise", rating, 3, 0.6)  # raised to buy


RULES = tuple(_rules())


def read_lexicon(path: Path = LEXICON) -> dict[str, str]:
    """Return the kind of every word of a lexicon, inflected forms included."""
    kinds: dict[str, str] = {}
    kind = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif not line.startswith("#"):
            for word in line.split():
                for form in inflected(word[:-1]) if word.endswith("*") else (word,):
                    kinds.setdefault(form, kind)
    return kinds


def inflected(word: str) -> tuple[str, ...]:
    """Return the word with the forms in -s, -ed and -ing, spelled by the regular rules."""
    if word.endswith("e"):
        return word, f"{word}s", f"{word}d", f"{word[:-1]}ing"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word, f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing"
    if word.endswith(("s", "x", "ch", "sh", "z")):
        return word, f"{word}es", f"{word}ed", f"{word}ing"
    regular = (word, f"{word}s", f"{word}ed", f"{word}ing")
    if re.search(r"[^aeiou][aeiou][bdgklmnprt]$", word):
        return (*regular, f"{word}{word[-1]}ed", f"{word}{word[-1]}ing")
    return regular


_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er", "est", "ness", "ment", "ers", "ings", "n")


def stems(word: str) -> Iterator[str]:
    """Yield what a word may be a form of, itself first."""
    if word.endswith("'s"):
        word = word[:-2]
    yield word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            yield word[: -len(ending)]
            yield word[: -len(ending)] + "e"


def relatives(word: str) -> Iterator[str]:
    """Yield the words that may stand in for an unknown one: its stems, then those of its hyphenated parts."""
    yield from stems(word)
    if "-" in word:
        yield word.replace("-", "")
        parts = word.split("-")
        yield from stems(parts[-1])
        yield from stems(parts[0])
