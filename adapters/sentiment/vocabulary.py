"""The words that a model knows, by number, and what part they play when they are composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapters.sentiment.grammar import relatives

# The first words of every vocabulary: nothing, what is put in place of others, and what is no word. See `composing`
# and `scanning`.
NOTHING, THING, RELIEF, WORSE, NOT_GOOD, NOT_BAD, WAS_BAD, WAS_GOOD, BAD_ENDS, GOOD_ENDS = range(10)
TICKER, NUMBER, PERCENT, PERCENT_UP, PERCENT_DOWN, MORE_THAN, LESS_THAN, PAUSE, ASKS, CALLS = range(10, 20)
SPECIAL = {
    "<nothing>": "",
    "<thing>": "thing",
    "<relief>": "relief",
    "<worse>": "worse",
    "<not good>": "not_good",
    "<not bad>": "not_bad",
    "<was bad>": "was_bad",
    "<was good>": "was_good",
    "<bad ends>": "bad_ends",
    "<good ends>": "good_ends",
    "<ticker>": "ticker",
    "<number>": "number",
    "<percent>": "percent",
    "<percent up>": "percent_up",
    "<percent down>": "percent_down",
    "<more than>": "more_than",
    "<less than>": "less_than",
    "<pause>": "pause",
    "<asks>": "question",
    "<calls>": "",
}
BETWEEN = -1  # stands between two texts

RISES, FALLS, RAISES, CUTS, GOOD, BAD, GOOD_THING, BAD_THING, OTHER_THING = range(1, 10)
NEGATES, FAILS, COMPARES, COMPARES_MORE, COMPARES_LESS, BREAKS, LINKS, ENDS = range(10, 18)
_ROLE_OF_KIND = {
    **dict.fromkeys(("up", "up_strong", "high"), RISES),
    **dict.fromkeys(("down", "down_strong", "low", "ease"), FALLS),
    "raise": RAISES,
    "cut": CUTS,
    **dict.fromkeys(("good", "beat", "rate_buy"), GOOD),
    **dict.fromkeys(("bad", "miss"), BAD),
    "good_thing": GOOD_THING,
    "bad_thing": BAD_THING,
    **dict.fromkeys(("asset", "ticker"), OTHER_THING),
    "negation": NEGATES,
    "failure": FAILS,
    "end": ENDS,
    "compare": COMPARES,
    "more_than": COMPARES_MORE,
    "less_than": COMPARES_LESS,
    **dict.fromkeys(("pause", "but", "cause"), BREAKS),
}
_ROLE_OF_WORD = {"in": LINKS, "of": LINKS}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The spelling and the kind of every word, "" where it has none."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]

    def roles(self) -> npt.NDArray[np.int32]:
        """Return the role of every word; 0 for none."""
        pairs = zip(self.words, self.kinds, strict=True)
        return np.array([_ROLE_OF_KIND.get(kind) or _ROLE_OF_WORD.get(word, 0) for word, kind in pairs], np.int32)


def vocabulary_of(lexicon: Mapping[str, str], learned: Iterable[str]) -> Vocabulary:
    """Return a vocabulary of the special words, the lexicon, and words that were learned from texts."""
    kinds = {**SPECIAL, **lexicon}
    for word in learned:
        if word not in kinds:
            kinds[word] = next((lexicon[near] for near in relatives(word) if near in lexicon), "")
    return Vocabulary(tuple(kinds), tuple(kinds.values()))
