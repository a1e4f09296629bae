"""Sentiment from a transformer that was exported to ONNX, such as a FinBERT, in this process.

The folder is what ``optimum-cli export onnx`` writes of a text classifier: ``model.onnx``, ``tokenizer.json`` and
``config.json``; ``tokenizer_config.json`` is read where it is there. Nothing in it is run as code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from tokenizers import Encoding, Tokenizer

from adapters.onnx.guard import MOST_BYTES, check_onnx
from adapters.onnx.session import OnnxModel
from domain.common.errors import Invalid
from domain.intelligence.inference import Array
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import Sentiment

TRANSFORMER = "transformer"

_MODEL, _TOKENIZER, _CONFIG, _MORE = "model.onnx", "tokenizer.json", "config.json", "tokenizer_config.json"
_MOST_TOKENIZER = 64 << 20
_MOST_CONFIG = 4 << 20
_MOST_TOKENS = 512
_BATCH = 16
_DIGITS = 4
_IDS, _MASK, _TYPES = "input_ids", "attention_mask", "token_type_ids"


class TransformerSentiment:
    """``SentimentEngine`` over a folder. Safe for threads.

    Texts are read in batches, the shorter ones padded. What a batch holds can change the last digits of its numbers,
    so probabilities are rounded to four digits: the same text then has the same answer.

    Args:
        labels: what the labels of ``config.json`` mean.

    Raises:
        Invalid: the folder lacks something, or its model must not be loaded, takes something else, or has labels
            whose meaning nobody has said.
    """

    name = TRANSFORMER

    def __init__(self, folder: Path, labels: Labels) -> None:
        data = _read(folder, _MODEL, MOST_BYTES)
        check_onnx(data)
        self._onnx = OnnxModel(data)
        self._labels = labels
        self._names = _label_names(_json(_read(folder, _CONFIG, _MOST_CONFIG), _CONFIG))
        labels.sentiment([(name, 1 / len(self._names)) for name in self._names])
        self._output = _output_of(self._onnx, len(self._names))
        self._inputs = _inputs_of(self._onnx)
        self._tokenizer, self._pad = _tokenizer(folder)
        self.model = f"{folder.resolve().name}@{hashlib.sha256(data).hexdigest()[:12]}"

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what the model says of each text."""
        if not all(text.strip() for text in texts):
            raise Invalid("a text is empty", code="empty_text")
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded = self._tokenizer.encode_batch(clean)
        by_length = sorted(range(len(encoded)), key=lambda place: len(encoded[place].ids))
        found: dict[int, Sentiment] = {}
        for start in range(0, len(by_length), _BATCH):
            places = by_length[start : start + _BATCH]
            answers = self._batch([encoded[place] for place in places])
            found |= zip(places, answers, strict=True)
        return [found[place] for place in range(len(texts))]

    def _batch(self, encoded: Sequence[Encoding]) -> list[Sentiment]:
        width = max(1, *(len(item.ids) for item in encoded))
        columns = {
            _IDS: _padded([item.ids for item in encoded], width, self._pad),
            _MASK: _padded([item.attention_mask for item in encoded], width, 0),
            _TYPES: _padded([item.type_ids for item in encoded], width, 0),
        }
        found = self._onnx.run({name: columns[name] for name in self._inputs}, [self._output])[self._output]
        rows = np.round(_softmax(found.astype(np.float64)), _DIGITS)
        return [
            self._labels.sentiment(list(zip(self._names, row, strict=True)), truncated=bool(item.overflowing))
            for row, item in zip(rows.tolist(), encoded, strict=True)
        ]


def _padded(rows: Sequence[Sequence[int]], width: int, filler: int) -> Array:
    found = np.full((len(rows), width), filler, np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """Return the tokenizer, which cuts what is too long, and the id that fills shorter rows."""
    text = _read(folder, _TOKENIZER, _MOST_TOKENIZER).decode("utf-8", "replace")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises Exception itself
        raise _refused(f"{_TOKENIZER} cannot be read: {error}") from None
    padding = tokenizer.padding or {}
    tokenizer.no_padding()
    tokenizer.enable_truncation(_most_tokens(folder))
    pad = padding.get("pad_id")
    if pad is None:
        known = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
        pad = next((number for number in known if number is not None), 0)
    return tokenizer, int(pad)


def _most_tokens(folder: Path) -> int:
    told: list[Any] = [_json(_read(folder, _CONFIG, _MOST_CONFIG), _CONFIG).get("max_position_embeddings")]
    if (folder / _MORE).is_file():
        told.append(_json(_read(folder, _MORE, _MOST_CONFIG), _MORE).get("model_max_length"))
    return min([_MOST_TOKENS, *(number for number in told if type(number) is int and number > 2)])


def _label_names(config: Mapping[str, Any]) -> list[str]:
    found = config.get("id2label")
    if not isinstance(found, dict) or set(found) != {str(place) for place in range(len(found))}:
        raise _refused(f"{_CONFIG} has no id2label from 0")
    return [str(found[str(place)]) for place in range(len(found))]


def _inputs_of(onnx: OnnxModel) -> list[str]:
    names = [spec.name for spec in onnx.signature.inputs]
    integers = all(spec.datatype == "INT64" and len(spec.shape) == 2 for spec in onnx.signature.inputs)
    if _IDS not in names or not set(names) <= {_IDS, _MASK, _TYPES} or not integers:
        raise _refused(f"it takes {', '.join(names)}; a text classifier takes {_IDS}, {_MASK}, {_TYPES}")
    return names


def _output_of(onnx: OnnxModel, labels: int) -> str:
    specs = onnx.signature.outputs
    found = next((spec for spec in specs if spec.name == "logits"), specs[0])
    if len(found.shape) != 2 or found.shape[1] not in (-1, labels):
        raise _refused(f"its output {found.name} is not a number for each of {labels} labels")
    return found.name


def _read(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    try:
        if path.stat().st_size > most:
            raise _refused(f"{name} is larger than {most} bytes")
        return path.read_bytes()
    except OSError:
        raise _refused(f"there is no {name} in {folder}") from None


def _json(text: bytes, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _refused(f"{name} is not a JSON object")
    return found


def _refused(reason: str) -> Invalid:
    return Invalid(f"the transformer cannot be used: {reason}", code="invalid_model")
