"""From the bytes of texts to what is said of them, compiled.

What it computes of the words is the graph of `graph.py`, without the fixed cost of a runtime.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from adapters.sentiment.composing import compose
from adapters.sentiment.grammar import WINDOW
from adapters.sentiment.graph import UNIT
from adapters.sentiment.scanning import (
    KIND,
    LEFT,
    NEGATIVE,
    POSITIVE,
    RIGHT,
    ROLE,
    Bytes,
    Floats,
    Hashes,
    Ints,
    scan,
    slots_of,
)
from adapters.sentiment.scheme import SOFTENING
from adapters.sentiment.vocabulary import BETWEEN, COMPARES, LESS_THAN, MORE_THAN, NUMBER, PERCENT_DOWN, Vocabulary
from domain.common.compiling import compiled

WORDS = 3  # that decided
# The columns of an answer: three figures, then the weights of the words.
SCORE, LABEL, CONFIDENCE, WEIGHTS = range(4)
COLUMNS = WEIGHTS + WORDS
LINE = 8 * COLUMNS  # bytes
_NEW_LINE = 10
_REACH = 9  # tokens from the word that compares to the amounts
_FIRST_YEAR, _LAST_YEAR = 1900.0, 2100.0


Rows = npt.NDArray[np.int16]


class Tables(NamedTuple):
    """What texts are read and summed up with.

    Args:
        slots: the hash table of the vocabulary; see `slots_of`.
        words: (vocabulary, 6) kind, role, left, right, positive and negative of each word.
        rows: (rows, 2) of pairs and then of neighbours.
        kinds: how many there are, none included.
        positive, negative: the bias.
    """

    slots: Hashes
    words: Ints
    rows: Rows
    kinds: int
    positive: float
    negative: float


def reading_tables(vocabulary: Vocabulary, kinds: Sequence[int]) -> tuple[Hashes, Ints]:
    """Return what texts are read with: the slots, and the words without their weights."""
    words = np.zeros((len(vocabulary.words), NEGATIVE + 1), np.int32)
    words[:, KIND], words[:, ROLE] = kinds, vocabulary.roles()
    return slots_of(vocabulary.words), words


@njit(nogil=True)
def _amount(tokens: Ints, amounts: Floats, first: int, end: int, step: int) -> int:
    """Return the place of the first amount that is no year, -1 where there is none."""
    for place in range(first, end, step):
        if NUMBER <= tokens[place, 0] <= PERCENT_DOWN and not math.isnan(amounts[place, 1]):
            value = amounts[place, 0]
            if amounts[place, 1] != 0 or not _FIRST_YEAR <= value <= _LAST_YEAR or value != math.floor(value):
                return place
    return -1


@njit(nogil=True)
def _compare(tokens: Ints, amounts: Floats, place: int, first: int, end: int) -> int:
    """Return what a word that compares says: which of the two amounts around it is the larger, if there are two."""
    before = _amount(tokens, amounts, place - 1, max(first - 1, place - 1 - _REACH), -1)
    after = _amount(tokens, amounts, place + 1, min(end, place + 1 + _REACH), 1)
    if before >= 0 and after >= 0:
        one, other = amounts[before, 0], amounts[after, 0]
        unit, other_unit = amounts[before, 1], amounts[after, 1]
        if (unit < 0) == (other_unit < 0):
            if unit > 0 and other_unit > 0:
                one, other = one * unit, other * other_unit
            if one != other:
                return MORE_THAN if one > other else LESS_THAN
    return int(tokens[place, 0])


@njit(nogil=True)
def _read(tokens: Ints, amounts: Floats, first: int, end: int, words: Ints, plain: Ints, where: Ints) -> int:
    """Write the words of a text that count and where they are; return how many there are."""
    length = 0
    compared = False
    for place in range(first, end):
        number = tokens[place, 0]
        if number > 0:
            if words[number, ROLE] == COMPARES and not compared:
                number = _compare(tokens, amounts, place, first, end)
                compared = True
            plain[length] = number
            where[length] = place
            length += 1
    return length


@njit(nogil=True)
def _end(tokens: Ints, count: int, start: int) -> int:
    """Return where a text ends that starts at a token."""
    while start < count and tokens[start, 0] != BETWEEN:
        start += 1
    return start


@njit(nogil=True)
def _read_all(data: Bytes, texts: int, slots: Hashes, words: Ints) -> tuple[Ints, Ints]:
    tokens, amounts = np.empty((len(data) + 1, 3), np.int32), np.empty((len(data) + 1, 2))
    count = scan(data, slots, words, tokens, amounts)
    plain, where = np.empty(count, np.int32), np.empty(count, np.int32)
    composed, ends = np.empty(count, np.int32), np.empty(texts, np.int32)
    start = done = 0
    for text in range(texts):
        end = _end(tokens, count, start)
        length = _read(tokens, amounts, start, end, words, plain, where)
        compose(plain, length, words, composed[done:])
        done += length
        ends[text] = done
        start = end + 1
    return composed[:done], ends


@njit(nogil=True)
def _score_all(
    data: Bytes,
    texts: int,
    slots: Hashes,
    words: Ints,
    rows: Rows,
    kinds: int,
    positive: float,
    negative: float,
) -> Bytes:
    tokens, amounts = np.empty((len(data) + 1, 3), np.int32), np.empty((len(data) + 1, 2))
    count = scan(data, slots, words, tokens, amounts)
    plain, where, composed = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    answers = np.empty((LINE + WORDS) * texts + len(data), np.uint8)
    said, letters = answers[: LINE * texts].view(np.float64).reshape(texts, COLUMNS), answers[LINE * texts :]
    said[:] = 0
    places = np.empty(WORDS, np.int32)
    start = written = 0
    for text in range(texts):
        end = _end(tokens, count, start)
        length = _read(tokens, amounts, start, end, words, plain, where)
        compose(plain, length, words, composed)
        _sum_up(composed, where, length, words, rows, kinds, said, text, places)
        _decide(said, text, length, positive, negative)
        written = _spell(said, text, places, tokens, data, letters, written)
        start = end + 1
    return answers[: LINE * texts + written - 1]


@njit(nogil=True)
def _sum_up(
    read: Ints,
    where: Ints,
    length: int,
    words: Ints,
    rows: Rows,
    kinds: int,
    said: Floats,
    text: int,
    places: Ints,
) -> None:
    """Write the two sums of a text to the first columns, and the weights of the heaviest words to the last."""
    neighbours = WINDOW * kinds * kinds
    positive = negative = 0
    for i in range(length):
        word = read[i]
        kind = words[word, KIND]
        up, down = words[word, POSITIVE], words[word, NEGATIVE]
        if kind:
            for distance in range(1, min(WINDOW, length - 1 - i) + 1):
                row = ((distance - 1) * kinds + kind) * kinds + words[read[i + distance], KIND]
                up += rows[row, 0]
                down += rows[row, 1]
        if i + 1 < length:
            row = neighbours + words[word, LEFT] + words[read[i + 1], RIGHT]
            up += rows[row, 0]
            down += rows[row, 1]
        positive += up
        negative += down
        _keep(said, text, places, float(up - down), where[i])
    said[text, 0], said[text, 1] = positive, negative


@njit(nogil=True)
def _keep(said: Floats, text: int, places: Ints, weight: float, place: int) -> None:
    """Keep a word among the heaviest of a text; of two that weigh the same, the first."""
    for rank in range(WORDS):
        if abs(weight) > abs(said[text, WEIGHTS + rank]):
            for later in range(WORDS - 1, rank, -1):
                said[text, WEIGHTS + later] = said[text, WEIGHTS + later - 1]
                places[later] = places[later - 1]
            said[text, WEIGHTS + rank], places[rank] = weight, place
            return


@njit(nogil=True)
def _decide(said: Floats, text: int, length: int, positive: float, negative: float) -> None:
    """Make the figures of an answer of the two sums."""
    root = UNIT * math.sqrt(length + SOFTENING)
    up, down = said[text, 0] / root + positive, said[text, 1] / root + negative
    highest = max(0.0, up, down)
    p_positive, p_neutral, p_negative = math.exp(up - highest), math.exp(-highest), math.exp(down - highest)
    best, total = max(p_positive, p_neutral, p_negative), p_positive + p_neutral + p_negative
    said[text, SCORE] = (p_positive - p_negative) / total
    said[text, LABEL] = 0 if best == p_negative else 1 if best == p_neutral else 2
    said[text, CONFIDENCE] = best / total
    for rank in range(WORDS):
        said[text, WEIGHTS + rank] /= root


@njit(nogil=True)
def _spell(said: Floats, text: int, places: Ints, tokens: Ints, data: Bytes, letters: Bytes, written: int) -> int:
    """Write the heaviest words of a text as they stand in it, a line for each; return where the next is written."""
    for rank in range(WORDS):
        if said[text, WEIGHTS + rank] != 0:
            for i in range(tokens[places[rank], 1], tokens[places[rank], 2]):
                letters[written] = data[i]
                written += 1
        letters[written] = _NEW_LINE
        written += 1
    return written


def _stamp() -> int:
    """Return a number that changes with the sources of this folder."""
    return zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


# What is compiled is kept on the disk by the file of the outermost function alone, and would be used on when another
# file has changed. It is kept by the values that an inner function holds as well: hence the stamp.


def _tokens_function(stamp: int) -> Callable[[Bytes, Hashes, Ints], Ints]:
    @compiled(nogil=True)
    def tokens_of(data: Bytes, slots: Hashes, words: Ints) -> Ints:
        tokens, amounts = np.empty((len(data) + 1, 3), np.int32), np.empty((len(data) + 1, 2))
        return tokens[: scan(data, slots, words, tokens, amounts) if stamp >= 0 else 0]

    return tokens_of


def _read_function(stamp: int) -> Callable[[Bytes, int, Hashes, Ints], tuple[Ints, Ints]]:
    @compiled(nogil=True)
    def read(data: Bytes, texts: int, slots: Hashes, words: Ints) -> tuple[Ints, Ints]:
        return _read_all(data, texts if stamp >= 0 else 0, slots, words)

    return read


def _score_function(stamp: int) -> Callable[..., Bytes]:
    @compiled(nogil=True)
    def score(
        data: Bytes,
        texts: int,
        slots: Hashes,
        words: Ints,
        rows: Rows,
        kinds: int,
        positive: float,
        negative: float,
    ) -> Bytes:
        return _score_all(data, texts if stamp >= 0 else 0, slots, words, rows, kinds, positive, negative)

    return score


_STAMP = _stamp()
# tokens_of(data, slots, words): the tokens of texts; see `scan`.
tokens_of = _tokens_function(_STAMP)
# read(data, texts, slots, words): the words of all texts that count, composed, and the end of each text in them.
read = _read_function(_STAMP)
# score(data, texts, *tables): the bytes of (texts, `COLUMNS`) what is said of each text, and then its heaviest words,
# `WORDS` lines each. It takes one text at least. Texts are in UTF-8, a zero byte between two of them.
score = _score_function(_STAMP)
