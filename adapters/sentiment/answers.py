"""From texts to answers: the texts go to the compiled `kernel` as bytes, its columns come back as values.

The tables are those of the ONNX model. The runtime is asked for them once and not for each text: one call of it takes
longer than some texts take here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from adapters.sentiment.kernel import (
    COLUMNS,
    CONFIDENCE,
    LABEL,
    LINE,
    SCORE,
    WEIGHTS,
    WORDS,
    Tables,
    reading_tables,
    score,
)
from adapters.sentiment.scanning import LEFT
from adapters.sentiment.vocabulary import Vocabulary
from domain.common.errors import Invalid
from domain.intelligence.sentiment import Polarity, Sentiment

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from adapters.sentiment.scanning import Floats

Words = tuple[tuple[str, float], ...]
_LABELS = tuple(Polarity)
_line = Struct(f"{COLUMNS}d").unpack_from
_FIELDS = ("score", "label", "confidence", "words", "truncated")
_SETTERS = [vars(Sentiment)[name].__set__ for name in _FIELDS]


def session_of(content: bytes) -> InferenceSession:
    """Return the runtime of a model, on the caller's thread.

    Raises:
        Invalid: these bytes are no model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common base
        raise Invalid(f"the sentiment model cannot be loaded: {error}", code="sentiment_weights_changed") from error


def tables_of(session: InferenceSession, vocabulary: Vocabulary) -> Tables:
    """Return what texts are read and summed up with.

    Raises:
        Invalid: the model and the vocabulary do not belong together.
    """
    nothing = np.zeros(0, np.int32)
    codes, words, rows, bias = session.run(
        ["codes_table", "word_weights_table", "row_weights_table", "bias_table"],
        {"words": np.zeros(1, np.int32), "starts": nothing, "ends": nothing},
    )
    kinds, left, right = codes.astype(np.int32)
    if len(words) != len(vocabulary.words):
        raise Invalid("the sentiment model has another vocabulary", code="sentiment_weights_changed")
    slots, table = reading_tables(vocabulary, kinds.tolist())
    table[:, LEFT:] = np.column_stack([left, right, words])
    positive, negative = bias.tolist()
    return Tables(slots, table, np.ascontiguousarray(rows), int(kinds.max()) + 1, positive, negative)


class Answers:
    """Answers with the tables of a model. Safe for threads."""

    def __init__(self, session: InferenceSession, vocabulary: Vocabulary) -> None:
        self._tables = tables_of(session, vocabulary)

    def one(self, text: str, truncated: bool) -> Sentiment:
        """Return what is said of a text."""
        data = np.frombuffer(_bytes(text.replace("\0", " ")), np.uint8)
        found = score(data, 1, *self._tables).tobytes()
        line = _line(found)
        words = tuple(zip(found[LINE:].decode().split("\n"), line[WEIGHTS:], strict=True))
        if not line[-1]:
            words = tuple([pair for pair in words if pair[1]])
        return Sentiment(line[SCORE], _LABELS[int(line[LABEL])], line[CONFIDENCE], words, truncated)

    def many(self, texts: Sequence[str], truncated: Sequence[bool]) -> list[Sentiment]:
        """Return what is said of each text."""
        whole = "\0".join(texts)
        if whole.count("\0") >= len(texts):
            whole = "\0".join([text.replace("\0", " ") for text in texts])
        data = np.frombuffer(_bytes(whole), np.uint8)
        found = score(data, len(texts), *self._tables).tobytes()
        said = np.frombuffer(found, np.float64, COLUMNS * len(texts)).reshape(len(texts), COLUMNS)
        made = list(map(object.__new__, repeat(Sentiment, len(said))))
        labels = map(_LABELS.__getitem__, said[:, LABEL].astype(np.int64).tolist())
        scores, confidences = said[:, SCORE].tolist(), said[:, CONFIDENCE].tolist()
        columns = (scores, labels, confidences, _decided(found[LINE * len(texts) :], said[:, WEIGHTS:]), truncated)
        for setter, column in zip(_SETTERS, columns, strict=True):  # a quarter of the time of constructors
            deque(map(setter, made, column), maxlen=0)
        return made


def _decided(letters: bytes, weights: Floats) -> list[Words]:
    """Return the heaviest words of each text, as they stand in it."""
    pairs = zip(letters.decode().split("\n"), weights.ravel().tolist(), strict=True)
    decided: list[Words] = list(zip(*[pairs] * WORDS, strict=True))
    for row in np.flatnonzero((weights == 0).any(1)).tolist():
        decided[row] = tuple([pair for pair in decided[row] if pair[1]])
    return decided


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "ignore")  # half a pair of surrogates is no letter
