"""Somebody else's sentiment engine over HTTP, in one of two dialects.

``predict`` is ``POST /predict`` of Hugging Face's Text Embeddings Inference with a text classifier, such as a
FinBERT: batches, and a probability for each label. ``analyze`` is ``POST /analyze`` of the predecessor's engine: one
text a call, and a score alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from adapters.engines.http import AT_ONCE, EngineHttp, EngineRefused
from domain.common.errors import Invalid, Unavailable
from domain.engines.ports import REMOTE
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import Sentiment, SentimentEngine, sentiment_of

_CLIENT_BATCH = 32
_FACTS_S = 60.0


class Dialect(Protocol):
    """How one kind of engine is asked. Safe for threads."""

    def model(self) -> str:
        """Return what exactly scores."""
        ...

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what it says of texts, none of them empty."""
        ...


class RemoteSentiment:
    """``SentimentEngine`` behind a URL. Safe for threads.

    Args:
        find_dialect: finds out what the engine speaks. It is asked until it succeeds, then never again.
    """

    name = REMOTE

    def __init__(self, find_dialect: Callable[[], Dialect]) -> None:
        self._find_dialect = find_dialect
        self._found: Dialect | None = None

    @property
    def model(self) -> str:
        """What exactly scores.

        Raises:
            Unavailable: the engine was never heard of.
        """
        return self._dialect().model()

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what the engine says of each text."""
        if not all(text.strip() for text in texts):
            raise Invalid("a text is empty", code="empty_text")
        if not texts:
            return []
        return self._dialect().score([text.encode("utf-8", "replace").decode("utf-8") for text in texts])

    def _dialect(self) -> Dialect:
        if self._found is None:
            self._found = self._find_dialect()
        return self._found


def remote_sentiment(http: EngineHttp, dialect: str, labels: Labels) -> SentimentEngine:
    """Return an engine behind a URL.

    Args:
        dialect: ``analyze``, ``predict``, or ``auto``, which asks the engine itself when it is first needed.
        labels: what the labels of ``predict`` mean.
    """
    known: dict[str, Callable[[], Dialect]] = {
        "analyze": lambda: Analyze(http),
        "predict": lambda: Predict(http, labels),
    }
    return RemoteSentiment(known.get(dialect) or (lambda: known[_spoken(http)]()))


def _spoken(http: EngineHttp) -> str:
    """Return the dialect of an engine: only TEI has ``/info``, only the predecessor's ``/health`` has a body.

    Raises:
        Unavailable: no answer in time, or neither of them.
    """
    if isinstance(_asked(http, "/info"), dict):
        return "predict"
    if isinstance(_asked(http, "/health"), dict):
        return "analyze"
    raise Unavailable(
        "the sentiment engine does not say what it speaks; set AITRADER_SENTIMENT_DIALECT to analyze or predict",
        code="engine_answer_unusable",
    )


class Predict:
    """``POST /predict``. Whether a text was cut is not told."""

    def __init__(self, http: EngineHttp, labels: Labels) -> None:
        self._http = http
        self._labels = labels
        self._facts = Facts(lambda: _asked(http, "/info"))

    def model(self) -> str:
        facts = self._facts()
        name = facts.get("model_id")
        return name[:128] if isinstance(name, str) and name else f"predict at {self._http.host}"

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        most = self._facts().get("max_client_batch_size")
        size = most if type(most) is int and most > 0 else _CLIENT_BATCH
        return [found for start in range(0, len(texts), size) for found in self._batch(texts[start : start + size])]

    def _batch(self, texts: Sequence[str]) -> list[Sentiment]:
        # A flat list of two texts would be one pair of them.
        body = {"inputs": [[text] for text in texts], "truncate": True, "raw_scores": False}
        answer = self._http.post("/predict", body)
        if len(texts) == 1 and isinstance(answer, list) and answer and isinstance(answer[0], dict):
            answer = [answer]
        if not isinstance(answer, list) or len(answer) != len(texts):
            raise _unusable("it does not answer each text")
        try:
            return [self._labels.sentiment(_scores(item)) for item in answer]
        except Invalid as error:
            raise _unusable(error.detail) from error


class Analyze:
    """``POST /analyze``.

    The engine tells p(positive) − p(negative) alone. Taken as all that speaks for one side, it leaves the rest to
    neutral: label and confidence are those of max(−score, 0), 1 − |score|, max(score, 0), so a text is positive above
    0.5. What it says of the source (``authenticity_score``) and its summary are left alone.

    An engine without a model answers 0 to everything and says so in its ``/health``; it is not believed then.
    """

    def __init__(self, http: EngineHttp) -> None:
        self._http = http
        self._facts = Facts(lambda: _asked(http, "/health"))
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="analyze")

    def model(self) -> str:
        name = self._facts().get("model")
        return name[:128] if isinstance(name, str) and name else f"analyze at {self._http.host}"

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        if self._facts().get("has_hf") is False:
            raise Unavailable("the sentiment engine has no model: its /health says has_hf false", code="no_model")
        return list(self._pool.map(self._one, texts))

    def _one(self, text: str) -> Sentiment:
        answer = self._http.post("/analyze", {"text": text, "source": "aitrader"})
        score = answer.get("sentiment_score") if isinstance(answer, dict) else None
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not -1 <= score <= 1:
            raise _unusable("sentiment_score must be a number from -1 to 1")
        truncated = answer.get("truncated") is True
        return sentiment_of(max(-score, 0.0), 1.0 - abs(score), max(score, 0.0), truncated=truncated)


class Facts:
    """What an engine says of itself, asked again after a minute. A failure is not kept."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known: Mapping[str, Any] | None = None
        self._until = 0.0

    def __call__(self) -> Mapping[str, Any]:
        """Return them; empty where it says nothing.

        Raises:
            Unavailable: no usable answer in time.
        """
        with self._lock:
            if self._known is None or time.monotonic() > self._until:
                told = self._ask()
                self._known = told if isinstance(told, dict) else {}
                self._until = time.monotonic() + _FACTS_S
            return self._known


def _asked(http: EngineHttp, path: str) -> Any:
    try:
        return http.get(path)
    except EngineRefused:
        return None


def _scores(item: Any) -> list[tuple[str, float]]:
    if not isinstance(item, list):
        raise _unusable("it does not list labels")
    found = []
    for part in item:
        label, score = (part.get("label"), part.get("score")) if isinstance(part, dict) else (None, None)
        if not isinstance(label, str) or isinstance(score, bool) or not isinstance(score, (int, float)):
            raise _unusable("a label has no name or no score")
        found.append((label, float(score)))
    return found


def _unusable(reason: str) -> Unavailable:
    return Unavailable(f"the sentiment engine's answer cannot be used: {reason}", code="engine_answer_unusable")
