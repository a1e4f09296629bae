"""A transformer in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.onnx.transformer import TransformerSentiment
from domain.common.errors import Invalid
from domain.intelligence.labels import Labels
from domain.intelligence.sentiment import Polarity
from tests import tiny_transformer

GOOD, BAD, NEITHER = "Infosys beats: record profit", "Fraud: shares plunges", "The meeting on results today"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformer.write(tmp_path_factory.mktemp("models") / "finbert")


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformerSentiment:
    return TransformerSentiment(folder, Labels())


def test_texts_are_understood(engine: TransformerSentiment) -> None:
    good, bad, neither = engine.score([GOOD, BAD, NEITHER])
    assert (good.label, bad.label, neither.label) == (Polarity.POSITIVE, Polarity.NEGATIVE, Polarity.NEUTRAL)
    assert bad.score < -0.5 < neither.score < 0.5 < good.score
    for found in (good, bad, neither):
        assert sum(found.probabilities.values()) == pytest.approx(1)
        assert found.confidence == max(found.probabilities.values())
        assert not found.truncated


def test_known_probabilities(engine: TransformerSentiment) -> None:
    # [CLS] record profit [SEP]: a mean of (4, 0), so logits of 1 − 4, 8 and −4.
    (found,) = engine.score(["record profit"])
    assert found.probabilities[Polarity.POSITIVE] == pytest.approx(1.0, abs=2e-4)
    # [CLS] the company profit a meeting today [SEP]: (1, 0), so 0, 2 and −1.
    (found,) = engine.score(["the company profit a meeting today"])
    assert found.confidence == pytest.approx(0.8438, abs=1e-4)
    assert found.score == pytest.approx(0.8438 - 0.0420, abs=1e-4)


def test_a_text_has_the_same_answer_alone_and_among_others(engine: TransformerSentiment) -> None:
    texts = [f"{GOOD} {'the ' * count}" for count in range(40)] + [BAD, NEITHER, "नमस्ते", "x" * 300]
    together = engine.score(texts)
    assert [engine.score([text])[0] for text in texts] == together
    assert engine.score(list(reversed(texts))) == list(reversed(together))


def test_long_texts_are_cut_and_it_is_said(engine: TransformerSentiment) -> None:
    short, long = engine.score([GOOD, GOOD + " the" * 100])
    assert (short.truncated, long.truncated) == (False, True)


def test_nothing_and_empty_texts(engine: TransformerSentiment) -> None:
    assert engine.score([]) == []
    for text in ("", " \n"):
        with pytest.raises(Invalid, match="empty"):
            engine.score([GOOD, text])


def test_half_a_surrogate_is_no_trouble(engine: TransformerSentiment) -> None:
    assert len(engine.score(["\ud800 profit"])) == 1


def test_it_says_which_model_it_is(engine: TransformerSentiment) -> None:
    assert engine.name == "transformer"
    assert engine.model.startswith("finbert@")
    assert len(engine.model) == len("finbert@") + 12


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        (("Bearish", "Bullish", "Neutral"), {}),
        (("LABEL_0", "LABEL_1", "LABEL_2"), {"label_0": "negative", "LABEL_1": "positive", "LABEL_2": "neutral"}),
    ],
)
def test_labels_count_by_name(tmp_path: Path, labels: tuple[str, ...], more: dict[str, str]) -> None:
    known = Labels({name: Polarity(word) for name, word in more.items()})
    found = TransformerSentiment(tiny_transformer.write(tmp_path, labels=labels), known).score([GOOD, NEITHER])
    assert [item.label for item in found] == [Polarity.POSITIVE, Polarity.NEGATIVE]


@pytest.mark.parametrize(
    "options", [{"output": "scores"}, {"inputs": ("attention_mask", "input_ids", "token_type_ids")}]
)
def test_inputs_and_outputs_are_found_by_name(tmp_path: Path, options: dict[str, Any]) -> None:
    (found,) = TransformerSentiment(tiny_transformer.write(tmp_path, **options), Labels()).score([GOOD])
    assert found.label is Polarity.POSITIVE


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": ("LABEL_0", "LABEL_1", "LABEL_2")}, "AITRADER_SENTIMENT_LABELS=LABEL_0=positive"),
        ({"labels": ("joy", "positive", "negative")}, "'joy' is unknown"),
        ({"labels": ("positive", "neutral", "bullish")}, "all labels"),
        ({"labels": ("positive", "negative")}, "not a number for each of 2 labels"),
        ({"inputs": ("input_ids", "attention_mask", "pixels")}, "it takes input_ids, attention_mask, pixels"),
    ],
)
def test_a_model_that_is_something_else_is_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        TransformerSentiment(tiny_transformer.write(tmp_path, **options), Labels())


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_folder_that_lacks_something_is_refused(tmp_path: Path, name: str) -> None:
    tiny_transformer.write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(Invalid, match=f"no {name}"):
        TransformerSentiment(tmp_path, Labels())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.onnx", b"\x80\x04pickle"),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"\xff"),
        ("config.json", b"["),
        ("config.json", b"{}"),
        ("config.json", json.dumps({"id2label": {"1": "positive", "2": "negative"}}).encode()),
        ("tokenizer_config.json", b"["),
    ],
)
def test_garbage_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    tiny_transformer.write(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match="cannot be"):
        TransformerSentiment(tmp_path, Labels())
