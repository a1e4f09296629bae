"""Labelled texts, read by path."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.common.errors import Invalid, NotFound
from domain.intelligence.sentiment import Polarity

NAMES: dict[str, Polarity] = {
    **dict.fromkeys(("negative", "neg", "bearish", "-1"), Polarity.NEGATIVE),
    **dict.fromkeys(("neutral", "neu"), Polarity.NEUTRAL),
    **dict.fromkeys(("positive", "pos", "bullish"), Polarity.POSITIVE),
}
_HELD_OUT = 0.15
_ENTITY = re.compile(r"['\"]\s*:\s*['\"](positive|negative|neutral)['\"]")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what a person said of it."""

    text: str
    polarity: Polarity


def read_labelled(path: Path, labels: Sequence[str] = ()) -> list[Labelled]:
    """Return the texts of a file, in its order.

    Three forms are known by their first line: SEntFiN's CSV (``Title``, ``Decisions``; only headlines with one
    polarity are taken), a CSV with the columns ``text`` and ``label``, and lines of ``sentence@label``.

    Args:
        path: the file.
        labels: what the labels 0, 1, 2 … mean, such as ``("negative", "positive", "neutral")``.

    Raises:
        NotFound: there is no such file.
        Invalid: its form or a label is not known, or it has no texts.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}", code="labelled_file_missing")
    text = _decoded(path.read_bytes())
    known: dict[str, Polarity] = NAMES | {str(number): _polarity(name, NAMES) for number, name in enumerate(labels)}
    rows = csv.DictReader(io.StringIO(text, newline=""))
    columns = {(name or "").strip().lower() for name in rows.fieldnames or ()}
    if {"title", "decisions"} <= columns:
        found = list(_sentfin(rows))
    elif {"text", "label"} <= columns:
        found = [Labelled(row["text"], _polarity(row["label"], known)) for row in rows if (row["text"] or "").strip()]
    elif "@" in text.split("\n", 1)[0]:
        parts = (line.rpartition("@") for line in text.split("\n") if line.strip())
        found = [Labelled(sentence, _polarity(label, known)) for sentence, _, label in parts]
    else:
        raise Invalid(
            f"{path.name} has neither the columns text and label, nor Title and Decisions, "
            "nor lines of sentence@label",
            code="labelled_form_unknown",
        )
    if not found:
        raise Invalid(f"{path.name} has no labelled texts", code="labelled_empty")
    return found


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _polarity(label: str | None, known: Mapping[str, Polarity]) -> Polarity:
    found = known.get((label or "").strip().lower())
    if found is None:
        raise Invalid(
            f"the label {label!r} is not known: write negative, neutral or positive, or say what the numbers mean",
            code="label_unknown",
        )
    return found


def _sentfin(rows: Iterator[dict[str, str]]) -> Iterator[Labelled]:
    for row in rows:
        polarities = set(_decisions(row["Decisions"]))
        if len(polarities) == 1:
            yield Labelled(row["Title"], Polarity(polarities.pop()))


def _decisions(text: str) -> list[str]:
    try:
        return list(ast.literal_eval(text).values())
    except (ValueError, SyntaxError):  # an apostrophe in a name
        return _ENTITY.findall(text)


def is_held_out(text: str) -> bool:
    """Return whether a text belongs to the part that training never sees: 15 %, by the hash of its letters.

    Case, numbers and signs do not count, so that the same news with other numbers is on the same side.
    """
    letters = " ".join(re.findall(r"[a-z]+", text.lower()))
    drawn = int.from_bytes(hashlib.sha256(letters.encode()).digest()[:8], "big")
    return drawn < _HELD_OUT * 2**64


SPLIT_RULE = (
    "held out when sha256 of the text's letters (a-z runs, lower case, joined by blanks) is in the lowest 15 %"
)
