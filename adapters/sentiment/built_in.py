"""The built-in sentiment engine: needs no download and no network."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from adapters.sentiment.folder import NAME, SHIPPED, Folder, read_folder
from domain.common.errors import Invalid
from domain.intelligence.sentiment import Sentiment

LONGEST = 20_000  # characters that are read of a text
_FEW = 3  # texts that take less one by one
_BATCH = 512


class BuiltInSentiment:
    """A `SentimentEngine` over a folder of weights, which it reads when it is first asked.

    Args:
        folder: the weights; the shipped ones where omitted.
    """

    name = NAME

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._path = folder
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
            with self._lock:
                loaded = self._loaded = self._loaded or _Loaded(read_folder(self._path))
        return loaded


class _Loaded:
    def __init__(self, folder: Folder) -> None:
        from adapters.sentiment.answers import Answers, session_of  # compiled code, which takes a moment to import

        self.model = f"{NAME}-{folder.version}"
        self.answers = Answers(session_of(folder.model), folder.vocabulary)
