"""The built-in engine: its two ways of summing, odd texts, its weights."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from adapters.sentiment.answers import session_of
from adapters.sentiment.built_in import LONGEST, BuiltInSentiment
from adapters.sentiment.evaluation import evaluate
from adapters.sentiment.features import read_words
from adapters.sentiment.folder import MANIFEST, MODEL, SHIPPED, VOCABULARY, Folder, read_folder
from adapters.sentiment.grammar import WINDOW
from adapters.sentiment.labelled import is_held_out
from adapters.sentiment.scheme import codes_of
from domain.common.errors import Invalid, NotFound
from domain.intelligence.sentiment import Polarity

ENGINE = BuiltInSentiment()
SAMPLE = Path(__file__).parent / "held_out_sample.csv"


def sample() -> list[tuple[str, Polarity]]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [(row["text"], Polarity(row["label"])) for row in csv.DictReader(file)]


def test_one_by_one_is_exactly_as_in_batches() -> None:
    texts = [text for text, _ in sample()]
    many = ENGINE.score(texts)
    for text, said in zip(texts, many, strict=True):
        (alone,) = ENGINE.score([text])
        assert alone.words == said.words
        assert (alone.label, alone.truncated) == (said.label, said.truncated)
        assert alone.score == pytest.approx(said.score, abs=1e-12)
        assert alone.confidence == pytest.approx(said.confidence, abs=1e-12)


def test_the_runtime_says_of_the_model_what_the_engine_says() -> None:
    folder = read_folder(SHIPPED)
    texts = [text for text, _ in sample()]
    kinds = codes_of(folder.vocabulary.words, folder.vocabulary.kinds).kinds
    read = read_words(texts, folder.vocabulary, kinds)
    words = [number for item in read for number in (*item, *[0] * WINDOW)]
    ends = np.cumsum([len(item) + WINDOW for item in read]) - WINDOW
    starts = ends - [len(item) for item in read]
    (said,) = session_of(folder.model).run(
        ["probabilities"],
        {
            "words": np.array(words, np.int32),
            "starts": starts.astype(np.int32),
            "ends": ends.astype(np.int32),
        },
    )
    for (negative, neutral, positive), item in zip(said.tolist(), ENGINE.score(texts), strict=True):
        assert item.score == pytest.approx(positive - negative, abs=1e-6)
        assert item.confidence == pytest.approx(max(negative, neutral, positive), abs=1e-6)


@pytest.mark.parametrize("text", ["profit fell,", "% of sales", ": profit", "profit?", "a\x00b \x00", "5 vs", "vs 5"])
def test_signs_at_the_edge_of_a_text_stay_in_it(text: str) -> None:
    (alone,) = ENGINE.score([text])
    for said in ENGINE.score([text] * 3):
        assert said.words == alone.words
        assert said.score == pytest.approx(alone.score, abs=1e-12)


def test_a_text_is_not_touched_by_its_neighbours() -> None:
    texts = ["losses", "narrowed", "profit", "fell"] * 5
    assert len({said.score for said in ENGINE.score(texts)}) == 4
    assert [said.score for said in ENGINE.score(texts)[:4]] == pytest.approx(
        [ENGINE.score([text])[0].score for text in texts[:4]], abs=1e-12
    )


@pytest.mark.parametrize("repeated", [1, 20])
@pytest.mark.parametrize(
    "text", ["🚀", "利益が増加", "\x00\x01", "—", "a" * 5000, "1,2,,3.4. vs 5", "–", "#", "'s", "profit\u2028rises"]
)
def test_odd_texts_have_an_answer(text: str, repeated: int) -> None:
    for said in ENGINE.score([text] * repeated):
        assert -1 <= said.score <= 1


def test_a_rocket_is_good_news_and_a_falling_chart_bad() -> None:
    rocket, falling = ENGINE.score(["$ABC 🚀", "$ABC 📉"])
    assert rocket.score > 0 > falling.score


def test_only_the_beginning_of_a_very_long_text_is_read() -> None:
    beginning = ("profit rises " * LONGEST)[:LONGEST]
    for texts in ([beginning + " fraud"], [beginning + " fraud"] * 20):
        assert all(said.truncated for said in ENGINE.score(texts))
    whole, cut = ENGINE.score([beginning, beginning + " fraud"])
    assert not whole.truncated
    assert cut.score == whole.score


@pytest.mark.parametrize("others", [0, 30])
def test_an_empty_text_is_refused(others: int) -> None:
    with pytest.raises(Invalid) as refused:
        ENGINE.score(["profit"] * others + [" \n"])
    assert refused.value.code == "text_empty"


def test_threads_load_once_and_agree() -> None:
    engine = BuiltInSentiment()
    texts = [text for text, _ in sample()]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: engine.score(texts), range(16)))
    assert all(said == found[0] for said in found)


def test_the_model_names_its_weights() -> None:
    manifest = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))
    assert ENGINE.model == f"built_in-{manifest['version']}"
    assert manifest["files"][MODEL].startswith(manifest["version"])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "weights"))


@pytest.mark.parametrize("name", [MODEL, VOCABULARY])
def test_files_that_were_changed_are_refused(copied: Path, name: str) -> None:
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Invalid, match="manifest") as refused:
        BuiltInSentiment(copied).score(["profit"])
    assert refused.value.code == "sentiment_weights_changed"


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "{}", '{"feature_scheme": 1}', '{"feature_scheme": 99, "files": {}}']
)
def test_a_manifest_that_says_nothing_is_refused(copied: Path, content: str) -> None:
    (copied / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(Invalid):
        BuiltInSentiment(copied).score(["profit"])


@pytest.mark.parametrize("name", [MODEL, VOCABULARY, MANIFEST])
def test_a_file_that_is_missing_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(NotFound, match=name):
        BuiltInSentiment(copied).score(["profit"])


def test_what_is_no_model_is_refused(copied: Path) -> None:
    import hashlib

    (copied / MODEL).write_bytes(b"no model")
    manifest = json.loads((copied / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][MODEL] = hashlib.sha256(b"no model").hexdigest()
    (copied / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(Invalid, match="cannot be loaded"):
        BuiltInSentiment(copied).score(["profit"])


def test_the_sample_was_held_out_and_is_scored_as_the_manifest_says() -> None:
    """The 200 held-out headlines with the lowest sha256, of SEntFiN 1.0 (Sinha, Kedas, Kumar, Malo 2021; MIT)."""
    rows = sample()
    assert len(rows) == 200
    assert all(is_held_out(text) for text, _ in rows)
    said = [item.label for item in ENGINE.score([text for text, _ in rows])]
    found = evaluate([polarity for _, polarity in rows], said)
    expected = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))["held_out"]
    assert found.low <= expected["macro_f1"] <= found.high
    assert expected["low"] < expected["macro_f1"] < expected["high"]


def test_labels_do_not_depend_on_what_is_asked_before() -> None:
    texts = [text for text, _ in sample()]

    def labels(engine: BuiltInSentiment, order: Sequence[str]) -> dict[str, Polarity]:
        return dict(zip(order, (said.label for said in engine.score(order)), strict=True))

    assert labels(BuiltInSentiment(), texts) == labels(BuiltInSentiment(), texts[::-1])


def test_long_loading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sentiment.built_in._SLOW_S", 0.0)
    told, heard = threading.Event(), list[str]()

    def say(text: str) -> None:
        heard.append(text)
        told.set()

    def read_slowly(path: Path) -> Folder:
        assert told.wait(30)
        return read_folder(path)

    monkeypatch.setattr("adapters.sentiment.built_in.read_folder", read_slowly)
    assert BuiltInSentiment(say=say).score(["Profit rises"])[0].label is Polarity.POSITIVE
    assert "first use" in heard[0]
