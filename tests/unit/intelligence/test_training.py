"""Training, and reading labelled texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.sentiment.built_in import BuiltInSentiment
from adapters.sentiment.evaluation import evaluate, macro_f1
from adapters.sentiment.folder import MANIFEST, MODEL, VOCABULARY
from adapters.sentiment.labelled import is_held_out, read_labelled
from adapters.sentiment.training import train
from domain.common.errors import Invalid, NotFound
from domain.intelligence.sentiment import Polarity

NEGATIVE, NEUTRAL, POSITIVE = Polarity
_WORDS = [first + second for first in ("al", "be", "ga", "de", "ep", "ze") for second in ("pha", "ta", "mma")]


def written(folder: Path) -> Path:
    """A file of texts whose words say which polarity they have."""
    path = folder / "texts.csv"
    lines = ["text,label"]
    for first in _WORDS:
        for second in _WORDS[:6]:
            lines += [
                f"{first} {second} wibble,positive",
                f"{first} {second} wobble,negative",
                f"{first} {second},neutral",
            ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_same_data_has_the_same_weights(tmp_path: Path) -> None:
    data = written(tmp_path)
    one, other = (train(data, tmp_path / name / "weights", seed=3) for name in ("a", "b"))
    assert one == other
    for name in (MODEL, VOCABULARY, MANIFEST):
        assert (tmp_path / "a" / "weights" / name).read_bytes() == (tmp_path / "b" / "weights" / name).read_bytes()


def test_what_is_learned_is_used(tmp_path: Path) -> None:
    told: list[str] = []
    done = train(written(tmp_path), tmp_path / "weights", licence="none", say=told.append)
    assert done.figures.macro_f1 > 0.95
    assert "held out" in told[0]
    engine = BuiltInSentiment(tmp_path / "weights")
    assert done.model == engine.model
    assert [said.label for said in engine.score(["wobble", "wibble", "profit"])][:2] == [NEGATIVE, POSITIVE]
    manifest = json.loads((tmp_path / "weights" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["training_data"]["rows"] == done.rows
    assert manifest["held_out"]["texts"] == done.figures.texts
    assert manifest["licence"] == "none"
    assert manifest["command"].startswith("aitrader sentiment train texts.csv --output weights")


def test_held_out_texts_teach_nothing(tmp_path: Path) -> None:
    data = written(tmp_path)
    train(data, tmp_path / "a")
    kept = data.read_text(encoding="utf-8").splitlines()
    turned = [
        line.replace(",positive", ",neutral") if is_held_out(line.rpartition(",")[0]) else line for line in kept
    ]
    assert turned != kept
    data.write_text("\n".join(turned), encoding="utf-8")
    train(data, tmp_path / "b")
    assert (tmp_path / "a" / MODEL).read_bytes() == (tmp_path / "b" / MODEL).read_bytes()


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("text,label\nprofit rises,positive\nprofit falls,negative\n", encoding="utf-8")
    with pytest.raises(Invalid, match="too few"):
        train(path, tmp_path / "weights")


def test_the_three_forms_are_read(tmp_path: Path) -> None:
    sentfin = tmp_path / "sentfin.csv"
    sentfin.write_text(
        "S No.,Title,Decisions,Words\n"
        "1,A rises,{'A': 'positive'},2\n"
        "2,\"A rises, B falls\",\"{'A': 'positive', 'B': 'negative'}\",4\n"
        "3,Dr Reddy's falls,{'Dr Reddy's': 'negative'},3\n",
        encoding="utf-8",
    )
    assert [(item.text, item.polarity) for item in read_labelled(sentfin)] == [
        ("A rises", POSITIVE),
        ("Dr Reddy's falls", NEGATIVE),
    ]
    plain = tmp_path / "plain.csv"
    plain.write_text('label,text\n1,"up,\nup"\n2,same\n', encoding="utf-8")
    found = read_labelled(plain, ("negative", "positive", "neutral"))
    assert [(item.text, item.polarity) for item in found] == [("up,\nup", POSITIVE), ("same", NEUTRAL)]
    lines = tmp_path / "lines.txt"
    lines.write_bytes("Yhti\u00f6 @ home falls@negative\n\nSame@neutral\n".encode("latin-1"))
    assert [(item.text, item.polarity) for item in read_labelled(lines)] == [
        ("Yhtiö @ home falls", NEGATIVE),
        ("Same", NEUTRAL),
    ]


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "text,label\n", "text,label\nx,maybe\n", "text,label\nx,1\n"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Invalid):
        read_labelled(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_labelled(tmp_path / "none.csv")


def test_near_duplicates_are_on_one_side() -> None:
    texts = [f"Firm {n} Q1 net profit up" for n in range(300)]
    assert len({is_held_out(text.upper()) for text in texts} | {is_held_out(f"{text} 12.5%!") for text in texts}) == 1
    many = [is_held_out("firm " + "x" * n) for n in range(2000)]
    assert 0.12 < sum(many) / len(many) < 0.18


def test_figures_by_hand() -> None:
    truth = [POSITIVE, POSITIVE, NEUTRAL, NEGATIVE]
    said = [POSITIVE, NEUTRAL, NEUTRAL, NEGATIVE]
    figures = evaluate(truth, said)
    assert figures.accuracy == 0.75
    assert figures.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3) == pytest.approx(macro_f1(truth, said))
    assert figures.classes["positive"].recall == 0.5
    assert figures.classes["neutral"].precision == 0.5
    assert figures.low <= figures.macro_f1 <= figures.high
