"""What the two dialects ask and are answered.

``/predict`` is the one of Text Embeddings Inference (https://huggingface.github.io/text-embeddings-inference/), with
its statuses: 400 nothing to do, 413 too much, 422 not understood, 424 the engine failed, 429 too many questions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from aitrader.api import AITraderError, Sentiment

_MOST_SOURCE = 128
_SUMMARY = 280
_SENTENCE_END = re.compile(r"(?<=[.!?।])\s+")
_LEAST = 1e-9


class Refused(AITraderError):
    """A question that is not answered. ``kind`` is TEI's word for why."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def parse_predict(body: str | bytes, most: int) -> tuple[list[str], bool, bool, bool]:
    """Return the texts of ``POST /predict``, whether they are a batch, whether they may be cut, and ``raw_scores``.

    Raises:
        Refused: the body cannot be read, or holds nothing, too much, or pairs of texts.
    """
    asked = _object(body)
    truncate, raw = (_flag(asked, name, default) for name, default in (("truncate", True), ("raw_scores", False)))
    inputs = asked.get("inputs")
    if isinstance(inputs, str):
        return [_filled(inputs)], False, truncate, raw
    if not isinstance(inputs, list):
        raise _misread("inputs must be text, or a batch such as [[text],[text]]")
    if not inputs:
        raise Refused(400, "Empty", "the batch is empty")
    if isinstance(inputs[0], str):
        return [_filled(_alone(inputs))], False, truncate, raw
    if len(inputs) > most:
        raise Refused(413, "Validation", f"the batch has {len(inputs)} texts, more than {most}")
    return [_filled(_alone(item)) for item in inputs], True, truncate, raw


def predicted(found: Sentiment, raw: bool) -> list[dict[str, Any]]:
    """Return the labels of a text with their probabilities, the highest first.

    Args:
        raw: tell the logarithms of the probabilities instead; a softmax turns them into probabilities again.
    """
    ranked = sorted(found.probabilities.items(), key=lambda item: (-item[1], item[0].value))
    return [
        {"score": math.log(max(probability, _LEAST)) if raw else probability, "label": polarity.value}
        for polarity, probability in ranked
    ]


def parse_analyze(body: str | bytes) -> tuple[str, str]:
    """Return the text and the source of ``POST /analyze``.

    Raises:
        Refused: the body cannot be read, or holds no text.
    """
    asked = _object(body)
    text, source = asked.get("text"), asked.get("source")
    if not isinstance(text, str):
        raise _misread("text must be text")
    if source is not None and (not isinstance(source, str) or len(source) > _MOST_SOURCE):
        raise _misread(f"source must be text of at most {_MOST_SOURCE} characters")
    return _filled(text), source or "unknown"


def analyzed(text: str, source: str, found: Sentiment, model: str, authenticity: float) -> dict[str, Any]:
    """Return the answer of ``POST /analyze``.

    Args:
        authenticity: how far the source is believed, as set; nothing of the text was judged for it.
    """
    return {
        "source": source,
        "authenticity_score": authenticity,
        "sentiment_score": found.score,
        "summary": summary(text),
        "label": found.label.value,
        "confidence": found.confidence,
        "words": [[word, weight] for word, weight in found.words],
        "truncated": found.truncated,
        "model": model,
    }


def summary(text: str) -> str:
    """Return the first sentences of a text, as many as fit; a first one that is too long is cut at a word."""
    plain = " ".join(text.split())
    kept = ""
    for sentence in _SENTENCE_END.split(plain):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > _SUMMARY:
            break
        kept = longer
    cut = plain[: _SUMMARY - 1]
    return kept or f"{cut.rpartition(' ')[0] or cut}…"


def authenticity_of(source: str, sources: Mapping[str, float], otherwise: float) -> float:
    """Return how far a source is believed, whatever its case."""
    known = {name.lower(): weight for name, weight in sources.items()}
    return known.get(source.lower(), otherwise)


def _alone(item: Any) -> str:
    if not isinstance(item, list) or not item or not all(isinstance(part, str) for part in item):
        raise _misread("inputs must be text, or a batch such as [[text],[text]]")
    if len(item) > 1:
        raise _misread("a list of two texts is one pair, which has no sentiment; a batch is [[text],[text]]")
    return str(item[0])


def _filled(text: str) -> str:
    if not text.strip():
        raise Refused(400, "Empty", "a text is empty")
    return text


def _object(body: str | bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _misread("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise _misread("the body is not an object")
    return asked


def _flag(asked: Mapping[str, Any], name: str, default: bool) -> bool:
    value = asked.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _misread(f"{name} must be true or false")
    return value


def _misread(reason: str) -> Refused:
    return Refused(422, "Tokenizer", reason)
