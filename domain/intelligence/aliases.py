"""Finding out which symbols a text is about, by the names that companies go by."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


class Aliases:
    """Names of symbols. A text is about a symbol when it holds one of its names as whole words.

    Case and punctuation do not matter: ``Dr. Reddy's`` is found in ``DR REDDY'S``, but not in ``Dr Reddys``. A name
    that is a common word finds too much: nothing here knows what a text means.
    """

    def __init__(self, names: Iterable[tuple[str, str]] = ()) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for symbol, name in names:
            words = tuple(_WORD.findall(name.casefold()))
            if words:
                self._by_first[words[0]].append((words, symbol))

    def symbols_in(self, text: str) -> list[str]:
        """Return the symbols that a text names, in the order in which it does; each once."""
        if not self._by_first:
            return []
        words = _WORD.findall(text.casefold())
        found = [
            symbol
            for place, word in enumerate(words)
            for name, symbol in self._by_first.get(word, ())
            if tuple(words[place : place + len(name)]) == name
        ]
        return list(dict.fromkeys(found))


NO_ALIASES = Aliases()
