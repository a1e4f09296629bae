"""The built-in sentiment engine: needs no download and no network."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.sentiment.folder import NAME, SHIPPED, Folder, read_folder
from domain.common.errors import Invalid
from domain.intelligence.sentiment import Sentiment

log = logging.getLogger(__name__)

LONGEST = 20_000  # characters that are read of a text
_FEW = 3  # texts that take less one by one
_BATCH = 512
_SLOW_S = 3.0
_SLOW = "preparing the built-in sentiment engine; on its first use on a machine that takes up to half a minute"


class BuiltInSentiment:
    """A `SentimentEngine` over a folder of weights, which it reads when it is first asked.

    Args:
        folder: the weights; the shipped ones where omitted.
        say: told when loading takes longer than a moment.
    """

    name = NAME

    def __init__(self, folder: Path = SHIPPED, say: Callable[[str], object] = log.info) -> None:
        self._path = folder
        self._say = say
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    @property
    def model(self) -> str:
        return self._load().model

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        answers = (self._loaded or self._load()).answers
        if not all(map(str.strip, texts)):
            raise Invalid("a text is empty: send at least one word", code="text_empty")
        if len(texts) <= _FEW:
            return [answers.one(text[:LONGEST], len(text) > LONGEST) for text in texts]
        truncated = [len(text) > LONGEST for text in texts]
        if any(truncated):
            texts = [text[:LONGEST] for text in texts]
        found: list[Sentiment] = []
        for start in range(0, len(texts), _BATCH):
            found += answers.many(texts[start : start + _BATCH], truncated[start : start + _BATCH])
        return found

    def _load(self) -> _Loaded:
        loaded = self._loaded
        if loaded is None:
            with self._lock, _told(self._say):
                loaded = self._loaded = self._loaded or _Loaded(read_folder(self._path))
        return loaded


class _Loaded:
    def __init__(self, folder: Folder) -> None:
        from adapters.sentiment.answers import Answers, session_of  # compiled code, which takes a moment to import

        self.model = f"{NAME}-{folder.version}"
        self.answers = Answers(session_of(folder.model), folder.vocabulary)
        self.answers.one("", False)  # compiled now rather than under the first question


@contextmanager
def _told(say: Callable[[str], object]) -> Iterator[None]:
    timer = threading.Timer(_SLOW_S, say, [_SLOW])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
