"""Training: a linear support vector machine over words, neighbours, pairs of kinds and the grammar's own polarity.

Its scores become log-odds by one factor, fitted to what it says of texts whose fold is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import hstack

from adapters.sentiment.built_in import BuiltInSentiment
from adapters.sentiment.evaluation import Figures, evaluate, macro_f1
from adapters.sentiment.features import (
    PAIR_SCALE,
    POLARITY_SCALE,
    Columns,
    columns_of,
    pieces_of,
    unknown_words,
    used,
)
from adapters.sentiment.folder import write_folder
from adapters.sentiment.grammar import LEXICON, read_lexicon
from adapters.sentiment.graph import LARGEST, UNIT, Model, model_bytes
from adapters.sentiment.labelled import SPLIT_RULE, Labelled, is_held_out, read_labelled
from adapters.sentiment.scanning import spelled
from adapters.sentiment.scheme import codes_of, pair_rows
from adapters.sentiment.vocabulary import vocabulary_of
from domain.common.errors import Invalid
from domain.intelligence.sentiment import Polarity

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.svm import LinearSVC

STRENGTHS = (0.2, 0.3, 0.5)  # of the data against the prior
_FACTORS = (0.1, 10.0)  # between which that of the log-odds lies
_FOLDS = 5
_PIECE_SEEN = 3  # texts that a piece of words must be in
_NAME = 0.4  # a word that is capitalised that often within texts is a name
_ORDER = tuple(Polarity)
_NEUTRAL = _ORDER.index(Polarity.NEUTRAL)

Say = Callable[[str], None]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trained:
    """What training has done.

    Args:
        model: the name of the model.
        rows: how many texts it has learned from.
        choice: how it was learned; the best in cross-validation.
        figures: on the texts that were held out.
    """

    model: str
    rows: int
    choice: Choice
    figures: Figures


@dataclass(frozen=True, slots=True)
class Choice:
    """The strength of the data against the prior, the factor from scores to log-odds, and the macro-F1."""

    strength: float
    factor: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class _Design:
    """What a regression sees: the columns that enough texts have, then the pieces of words."""

    columns: Columns
    kept: Numbers
    pieces: csr_matrix
    matrix: csr_matrix
    truth: Numbers


def train(
    data: Path,
    output: Path,
    *,
    labels: Sequence[str] = (),
    licence: str = "",
    seed: int = 0,
    created: str = "",
    say: Say = lambda _: None,
) -> Trained:
    """Train on the part of a file that is not held out, evaluate on the part that is, and write a folder of weights.

    Args:
        data: labelled texts; see `read_labelled`.
        output: the folder to write.
        labels: what the labels 0, 1, 2 … mean.
        licence: the licence of the texts, for the manifest.
        seed: of the folds and of the bootstrap.
        created: the date, for the manifest.
        say: is told what is being done.

    Raises:
        NotFound, Invalid: the file cannot be read, or has too few texts of a polarity.
    """
    everything = read_labelled(data, labels)
    held_out = [item for item in everything if is_held_out(item.text)]
    learned = [item for item in everything if not is_held_out(item.text)]
    _check(learned, held_out)
    say(f"{len(learned)} texts to learn from, {len(held_out)} held out")
    design = _design(learned)
    say(f"{design.columns.words} words, {design.matrix.shape[1]} columns")
    choice = _choose(design, seed, say)
    model = model_bytes(_model(design, choice))
    about = {
        "created": created,
        "training_data": {"file": data.name, "sha256": sha256(data.read_bytes()).hexdigest(), "rows": len(learned)},
        "licence": licence,
        "lexicon": {"file": LEXICON.name, "sha256": sha256(LEXICON.read_bytes()).hexdigest()},
        "split": SPLIT_RULE,
        "seed": seed,
        "cross_validation": asdict(choice),
        "command": _command(data, output, labels, licence, seed),
    }
    write_folder(output, model, design.columns.vocabulary, about)
    engine = BuiltInSentiment(output)
    said = [item.label for item in engine.score([item.text for item in held_out])]
    figures = evaluate([item.polarity for item in held_out], said, seed=seed)
    held = _rounded(asdict(figures))
    write_folder(output, model, design.columns.vocabulary, {**about, "held_out": held})
    return Trained(engine.model, len(learned), choice, figures)


def common_words(texts: Sequence[str]) -> list[str]:
    """Return the words of texts that are not names, in their order by spelling."""
    within: Counter[str] = Counter()
    capitalised: Counter[str] = Counter()
    seen: set[str] = set()
    for words in unknown_words(texts):
        for place, word in enumerate(words):
            spelling = spelled(word)
            seen.add(spelling)
            if place:
                within[spelling] += 1
                capitalised[spelling] += word[:1].isupper()
    return sorted(word for word in seen if capitalised[word] <= _NAME * within[word])


def _check(learned: Sequence[Labelled], held_out: Sequence[Labelled]) -> None:
    counts = Counter(item.polarity for item in learned)
    if not held_out or any(counts[polarity] < 2 * _FOLDS for polarity in _ORDER):
        raise Invalid(
            f"too few texts to learn from: at least {2 * _FOLDS} of each polarity, and a sixth more to be held out",
            code="too_few_texts",
        )


def _design(learned: Sequence[Labelled]) -> _Design:
    texts = [item.text for item in learned]
    vocabulary = vocabulary_of(read_lexicon(), common_words(texts))
    columns = columns_of(vocabulary, codes_of(vocabulary.words, vocabulary.kinds))
    full = columns.matrix(texts)
    pieces = pieces_of(vocabulary.words)
    in_texts = (full[:, : columns.words] @ pieces).tocsr()
    kept, pieces_kept = used(full), used(in_texts, _PIECE_SEEN)
    matrix = hstack([full[:, kept], in_texts[:, pieces_kept]]).tocsr()
    truth = np.array([_ORDER.index(item.polarity) for item in learned])
    return _Design(columns, kept, pieces[:, pieces_kept], matrix, truth)


def _fitted(matrix: csr_matrix, truth: Numbers, strength: float) -> LinearSVC:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=strength, max_iter=5000, random_state=0).fit(matrix, truth)


def _choose(design: _Design, seed: int, say: Say) -> Choice:
    """Return the best choice by what is said of each text when its fold is left out."""
    from sklearn.model_selection import StratifiedKFold

    tried = []
    truth = [_ORDER[place] for place in design.truth]
    for strength in STRENGTHS:
        said = np.zeros((len(truth), len(_ORDER)))
        for learned, tested in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(said, design.truth):
            fitted = _fitted(design.matrix[learned], design.truth[learned], strength)
            said[tested] = fitted.decision_function(design.matrix[tested])
        found = macro_f1(truth, [_ORDER[place] for place in said.argmax(1)])
        tried.append(Choice(strength, _factor(said, design.truth), found))
        say(f"strength {strength:g}: macro-F1 {found:.4f} in cross-validation")
    return max(tried, key=lambda choice: choice.macro_f1)


def _factor(said: npt.NDArray[np.float64], truth: Numbers) -> float:
    """Return the factor of scores at which what is true is the most probable."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def surprise(factor: float) -> float:
        return -float(log_softmax(factor * said, axis=1)[np.arange(len(truth)), truth].mean())

    return round(float(minimize_scalar(surprise, bounds=_FACTORS, method="bounded").x), 3)


def _model(design: _Design, choice: Choice) -> Model:
    """Return the tables: what was learned of each column, and the learned part of what the grammar says of it."""
    columns, fitted = design.columns, _fitted(design.matrix, design.truth, choice.strength)
    full = np.zeros((columns.grammar + 3, 2))
    learned = choice.factor * (fitted.coef_[[2, 0]] - fitted.coef_[_NEUTRAL]).T
    full[design.kept] = learned[: len(design.kept)]
    full[: columns.words] += design.pieces @ learned[len(design.kept) :]
    rows = slice(columns.words, columns.words + pair_rows(columns.codes.count))
    full[rows] *= PAIR_SCALE
    up, down, both = POLARITY_SCALE * full[columns.grammar :]
    said = columns.said[:, None]
    tables = full[: columns.grammar]
    tables[: len(said)] += np.maximum(said, 0) * up + np.maximum(-said, 0) * down + said * both
    fitting = min(1.0, LARGEST / float(np.abs(tables).max()))
    whole = np.rint(fitting * UNIT * tables).astype(np.int16)
    bias = choice.factor * (fitted.intercept_[[2, 0]] - fitted.intercept_[_NEUTRAL])
    return Model(columns.codes, whole[: columns.words], whole[columns.words :], np.rint(fitting * bias * UNIT) / UNIT)


def _command(data: Path, output: Path, labels: Sequence[str], licence: str, seed: int) -> str:
    words = ["aitrader sentiment train", data.name, "--output", output.name]
    words += ["--labels", ",".join(labels)] if labels else []
    words += ["--licence", f"'{licence}'"] if licence else []
    return " ".join([*words, "--seed", str(seed)])


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
