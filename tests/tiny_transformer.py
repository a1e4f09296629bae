"""A text classifier as a transformer's export has it, small enough to be made in a test: a trained WordPiece
tokenizer, and an ONNX graph of embeddings, their mean and a linear layer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer

LABELS = ("Neutral", "Positive", "Negative")
_GOOD = ("profit", "record", "surges", "beats", "rises")
_BAD = ("loss", "fraud", "plunges", "misses", "falls")
_OTHER = ("the", "company", "infosys", "shares", "quarter", "meeting", "today", "results", "on", "a")
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def write(
    folder: Path,
    *,
    labels: Sequence[str] = LABELS,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    output: str = "logits",
    most_tokens: int = 16,
) -> Path:
    """Write the folder; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "model.onnx").write_bytes(_onnx(tokenizer, inputs, output))
    names = {str(place): label for place, label in enumerate(labels)}
    config = {"id2label": names, "max_position_embeddings": 512, "model_type": "bert"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": most_tokens}))
    return folder


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    words = " ".join((*_GOOD, *_BAD, *_OTHER))
    trainer = WordPieceTrainer(vocab_size=400, special_tokens=_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator([words] * 20, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def _onnx(tokenizer: Tokenizer, inputs: Sequence[str], output: str) -> bytes:
    # Padding has a strong opinion of its own: where it is not masked, results are wrong.
    embeddings = np.zeros((tokenizer.get_vocab_size(), 2), np.float32)
    embeddings[tokenizer.token_to_id("[PAD]")] = (50.0, 0.0)
    for words, value in ((_GOOD, (8.0, 0.0)), (_BAD, (0.0, 8.0))):
        for word in words:
            embeddings[tokenizer.token_to_id(word)] = value
    weights: dict[str, Any] = {
        "embeddings": embeddings,
        "weights": np.array([[-1.0, 2.0, -1.0], [-1.0, -1.0, 2.0]], np.float32),
        "bias": np.array([1.0, 0.0, 0.0], np.float32),
        "last": np.array([-1], np.int64),
        "tokens": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["embeddings", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["each", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "tokens"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Gemm", ["mean", "weights", "bias"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return data
