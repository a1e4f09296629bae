"""From texts to sparse columns, for training. What runs later reads the same rows out of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from adapters.sentiment.grammar import POLARITY, WINDOW
from adapters.sentiment.kernel import read, reading_tables, tokens_of
from adapters.sentiment.scheme import Codes, damping, kind_names, neighbour_rows, pair_row, pair_rows, rule_weights
from adapters.sentiment.vocabulary import Vocabulary

PAIR_SCALE, POLARITY_SCALE = 0.5, 3.0  # the larger, the less a group is held back
_SEEN = 2  # texts that a column must be in


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns there are: words, then pairs, then neighbours, then three of the grammar's own polarity.

    Args:
        said: what the grammar says of each of the columns of words and pairs.
    """

    vocabulary: Vocabulary
    codes: Codes
    said: npt.NDArray[np.float64]

    @property
    def words(self) -> int:
        """How many columns are words."""
        return len(self.vocabulary.words)

    @property
    def grammar(self) -> int:
        """The first of the three columns of the grammar."""
        return self.words + pair_rows(self.codes.count) + neighbour_rows()

    def of(self, read: Sequence[int]) -> dict[int, float]:
        """Return the columns of the words of a text."""
        codes = self.codes
        rows: Counter[int] = Counter(read)
        pairs = self.words + pair_rows(codes.count)
        for i, word in enumerate(read):
            for distance, other in enumerate(read[i + 1 : i + 1 + WINDOW], 1):
                if codes.kinds[word] and codes.kinds[other]:
                    rows[self.words + pair_row(codes.kinds[word], codes.kinds[other], distance, codes.count)] += 1
                if distance == 1:
                    rows[pairs + codes.left[word] + codes.right[other]] += 1
        up = down = 0.0
        for row, times in rows.items():
            if row < pairs:
                up += times * max(0.0, self.said[row])
                down += times * max(0.0, -self.said[row])
        found = {row: times * (PAIR_SCALE if self.words <= row < pairs else 1.0) for row, times in rows.items()}
        found |= {self.grammar + i: POLARITY_SCALE * value for i, value in enumerate((up, down, up - down))}
        damped = damping(len(read))
        return {row: value * damped for row, value in found.items()}

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """Return the columns of texts, one text a row."""
        found = [self.of(words) for words in read_words(texts, self.vocabulary, self.codes.kinds)]
        starts = np.cumsum([0, *map(len, found)])
        columns = np.fromiter((row for item in found for row in item), np.int64, starts[-1])
        values = np.fromiter((value for item in found for value in item.values()), np.float64, starts[-1])
        return csr_matrix((values, columns, starts), shape=(len(found), self.grammar + 3))


def read_words(texts: Sequence[str], vocabulary: Vocabulary, kinds: Sequence[int]) -> list[list[int]]:
    """Return the words of each text that count, composed, by their numbers."""
    data = "\0".join([text.replace("\0", " ") for text in texts]).encode("utf-8", "ignore")
    words, ends = read(np.frombuffer(data, np.uint8), len(texts), *reading_tables(vocabulary, kinds))
    return [part.tolist() for part in np.split(words, ends[:-1])]


def unknown_words(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the tokens of each text that are neither numbers nor signs."""
    nothing = Vocabulary((), ())
    slots, words = reading_tables(nothing, ())
    for text in texts:
        data = text.replace("\0", " ").encode("utf-8", "ignore")
        tokens = tokens_of(np.frombuffer(data, np.uint8), slots, np.zeros((1, words.shape[1]), np.int32))
        yield [data[start:end].decode() for number, start, end in tokens.tolist() if number == 0]


def columns_of(vocabulary: Vocabulary, codes: Codes) -> Columns:
    """Return the columns of a vocabulary."""
    said = np.zeros(len(vocabulary.words) + pair_rows(codes.count))
    said[: len(vocabulary.words)] = [POLARITY.get(kind, 0.0) for kind in vocabulary.kinds]
    for row, weight in rule_weights(kind_names(vocabulary.kinds)).items():
        said[len(vocabulary.words) + row] = weight
    return Columns(vocabulary, codes, said)


def pieces_of(words: Sequence[str]) -> csr_matrix:
    """Return which runs of 3 to 5 letters each word has, one word a row: what words that look alike share.

    The more a word has, the less each counts. What is learned of the pieces becomes a part of the words' own weights.
    """
    numbers: dict[str, int] = {}
    rows, columns = [], []
    for row, word in enumerate(words):
        padded = f" {word} " if word[0].isalpha() else ""
        found = {padded[i : i + size] for size in (3, 4, 5) for i in range(len(padded) - size + 1)}
        columns += [numbers.setdefault(piece, len(numbers)) for piece in sorted(found)]
        rows += [row] * len(found)
    shape = (len(words), len(numbers))
    pieces = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return diags(1 / np.sqrt(np.maximum(np.diff(pieces.indptr), 1))) @ pieces


def used(matrix: csr_matrix, seen: int = _SEEN) -> npt.NDArray[np.int64]:
    """Return the columns that enough texts have."""
    return np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= seen)
