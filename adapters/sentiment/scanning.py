"""From the bytes of texts to the words that count, compiled.

Words are known by a hash of their lower-case letters. One that is not known is looked up by what it may be a form of.
Numbers, tickers, addresses and people are taken for what they are, not for which.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from adapters.sentiment.vocabulary import (
    ASKS,
    BETWEEN,
    CALLS,
    NUMBER,
    PAUSE,
    PERCENT,
    PERCENT_DOWN,
    PERCENT_UP,
    TICKER,
)

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LONGEST_WORD = 48
KIND, ROLE, LEFT, RIGHT, POSITIVE, NEGATIVE = range(6)  # the columns of the words of a model

_BASIS, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a
_NUMBER_BITS = (1 << 20) - 1  # of a slot; the others are the hash's
_NUMBERS = np.uint64(_NUMBER_BITS)

# Bytes of 128 and above are parts of other letters, of signs such as “ and …, or of emoji.
_SPACE, _LETTER, _DIGIT, _PAUSES, _EDGE, _BORDER, _HIGH = range(7)
_TYPE = np.full(256, _EDGE, np.uint8)
_TYPE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = _SPACE
_TYPE[[*range(65, 91), *range(97, 123)]] = _LETTER
_TYPE[48:58] = _DIGIT
_TYPE[[*b",;:?!"]] = _PAUSES
_TYPE[0] = _BORDER
_TYPE[128:] = _HIGH
_COMMA, _DOT, _DASH, _PLUS, _DOLLAR, _PER_CENT, _AT, _COLON, _SLASH, _ASK, _CALL, _ZERO = b",.-+$%@:/?!0"
_APOSTROPHE, _AND, _SMALL_E, _SMALL_S = b"'&es"
_TO_LOWER, _FIRST_SMALL = 32, 97
_SIGNS, _LATIN_SIGNS, _EMOJI, _SELECTOR = 0xE2, 0xC2, 0xF0, 0xEF  # first bytes
_PUNCTUATION = 0x80  # the second byte of “ ” ‘ ’ – — and …
_CURLY = 0x99  # the third one of ’

_ENDINGS = (b"s", b"es", b"ed", b"d", b"ing", b"ly", b"er", b"est", b"ness", b"ment", b"ers", b"ings", b"n")
_ENDING = np.array([list(ending.ljust(4, b" ")) for ending in _ENDINGS], np.uint8)
_ENDING_LENGTH = np.array([len(ending) for ending in _ENDINGS])
_ENDS_ONE = np.zeros(256, np.bool_)
_ENDS_ONE[[ending[-1] for ending in _ENDINGS]] = True
_SHORTEST_STEM = 4
_ZEROS = bytes(48 if 48 <= code <= 57 else code for code in range(256))  # every digit is a 0
_CURRENCY = 3  # letters of a currency's code

_UNITS: dict[bytes, float] = {
    **dict.fromkeys((b"k", b"thousand"), 1e3),
    b"lakh": 1e5,
    **dict.fromkeys((b"m", b"mn", b"mln", b"million"), 1e6),
    **dict.fromkeys((b"cr", b"crore"), 1e7),
    **dict.fromkeys((b"b", b"bn", b"bln", b"billion"), 1e9),
    b"trillion": 1e12,
}


def word_hash(word: bytes) -> int:
    """Return the hash of a spelling."""
    found = int(_BASIS)
    for byte in word:
        found = (found ^ byte) * int(_PRIME) % 2**64
    return found


_UNIT_HASHES = np.array([word_hash(unit) for unit in _UNITS], np.uint64)
_UNIT_SCALES = np.array(list(_UNITS.values()))


def slots_of(words: Sequence[str]) -> Hashes:
    """Return the hash table of a vocabulary: in each slot the high bits of a word's hash and its number, or 0.

    The first letters of words are in it as well, with the number 0: a word that begins like none has no stem in it.
    It is as small as it can be, because looking words up is mostly waiting for memory.

    Raises:
        ValueError: a word is named twice.
    """
    numbers = {word_hash(word.encode()) & ~_NUMBER_BITS: number for number, word in enumerate(words)}
    if len(numbers) < len(words):
        raise ValueError("the vocabulary has a word twice, or two with one hash")
    hashes = {word_hash(word.encode()): number for number, word in enumerate(words)}
    for word in words:
        hashes.setdefault(word_hash(word.encode()[:_SHORTEST_STEM]), 0)
    size = 1 << (2 * len(hashes) - 1).bit_length() if hashes else 1
    slots = np.zeros(max(2, size), np.uint64)
    for found, number in hashes.items():
        slot = found % len(slots)
        while slots[slot]:
            slot = (slot + 1) % len(slots)
        slots[slot] = found & ~_NUMBER_BITS | number
    return slots


@njit(nogil=True)
def _entry(slots: Hashes, wanted: np.uint64) -> np.uint64:
    """Return what the slot of a hash holds, 0 where it is in none."""
    mask = np.uint64(len(slots) - 1)
    slot = wanted & mask
    while slots[slot] != 0 and (slots[slot] ^ wanted) > _NUMBERS:
        slot = (slot + np.uint64(1)) & mask
    return np.uint64(slots[slot])


@njit(nogil=True)
def _find(slots: Hashes, wanted: np.uint64) -> int:
    return int(np.int64(_entry(slots, wanted) & _NUMBERS))


@njit(nogil=True)
def _begins(slots: Hashes, wanted: np.uint64) -> bool:
    """Return whether a word with that hash, or one that begins like it, is known."""
    return bool(_entry(slots, wanted) != 0)


@njit(nogil=True)
def _longer(found: np.uint64, byte: int) -> np.uint64:
    return (found ^ np.uint64(byte)) * _PRIME


@njit(nogil=True)
def _stem(word: Bytes, first: int, end: int, prefixes: Hashes, slots: Hashes, words: Ints) -> int:
    """Return the number of what a part of a word may be a form of, if its kind is known."""
    prefixes[first] = _BASIS
    for i in range(first, end):
        prefixes[i + 1] = _longer(prefixes[i], word[i])
        if i + 1 == first + _SHORTEST_STEM and not _begins(slots, prefixes[i + 1]):
            return 0
    if end <= first:
        return 0
    if end - first > 2 and word[end - 2] == _APOSTROPHE and word[end - 1] == _SMALL_S:
        end -= 2
    number = _find(slots, prefixes[end])
    if words[number, KIND]:
        return number
    for row in range(len(_ENDING_LENGTH) if _ENDS_ONE[word[end - 1]] else 0):
        stem = end - _ENDING_LENGTH[row]
        if stem - first < _SHORTEST_STEM:
            continue
        same = True
        for i in range(_ENDING_LENGTH[row]):
            same = same and word[stem + i] == _ENDING[row, i]
        if same:
            number = _find(slots, prefixes[stem])
            if words[number, KIND]:
                return number
            number = _find(slots, _longer(prefixes[stem], _SMALL_E))
            if words[number, KIND]:
                return number
    return 0


@njit(nogil=True)
def _relative(word: Bytes, length: int, prefixes: Hashes, slots: Hashes, words: Ints) -> int:
    """Return the number of a word of known kind that may stand in for an unknown one, 0 if there is none."""
    number = _stem(word, 0, length, prefixes, slots, words)
    if number:
        return number
    joined, first, last = _BASIS, -1, -1
    for i in range(length):
        if word[i] == _DASH:
            first = i if first < 0 else first
            last = i
        else:
            joined = _longer(joined, word[i])
    if last < 0:
        return 0
    number = _find(slots, joined)
    if words[number, KIND]:
        return number
    number = _stem(word, last + 1, length, prefixes, slots, words)
    return number if number else _stem(word, 0, first, prefixes, slots, words)


@njit(nogil=True)
def _unit(wanted: np.uint64) -> float:
    for i in range(len(_UNIT_HASHES)):
        if _UNIT_HASHES[i] == wanted:
            return float(_UNIT_SCALES[i])
    return 0.0


@njit(nogil=True)
def _skipped(data: Bytes, i: int) -> int:
    while i < len(data) and _TYPE[data[i]] != _SPACE and _TYPE[data[i]] != _BORDER:
        i += 1
    return i


@njit(nogil=True)
def _amount(data: Bytes, i: int, amounts: Floats, count: int) -> tuple[int, int]:
    """Read a number that begins at a place; return where it ends and what it is, the place itself where none begins.

    The row of ``amounts`` becomes the amount and its unit: 0 for none, -1 for per cent, nan for what is no amount
    ("52-week").
    """
    end = len(data)
    sign = data[i]
    j = i + 1 if sign in (_PLUS, _DASH) else i
    if j < end and data[j] == _DOLLAR:
        j += 1
    if j >= end or _TYPE[data[j]] != _DIGIT:
        return i, 0
    value, scale, unit = 0.0, 0.0, 0.0
    while j < end:
        if _TYPE[data[j]] == _DIGIT:
            value = 10 * value + (data[j] - _ZERO)
            scale *= 10
        elif j + 1 < end and _TYPE[data[j + 1]] == _DIGIT and (data[j] == _COMMA or data[j] == _DOT):
            if data[j] == _DOT:
                unit = np.nan if scale else unit
                scale = 1.0
        else:
            break
        j += 1
    tail = _BASIS
    stuck = j
    while j < end:
        kind = _TYPE[data[j]]
        dash = data[j] == _DASH and j + 1 < end and _TYPE[data[j + 1]] == _LETTER
        if kind != _LETTER and kind != _DIGIT and not dash:
            break
        tail = _longer(tail, data[j] + _TO_LOWER if kind == _LETTER and data[j] < _FIRST_SMALL else data[j])
        j += 1
    if j > stuck and unit == 0.0:
        unit = _unit(tail)
        if unit == 0.0:
            unit = np.nan
    number = NUMBER
    per_cent = j
    if per_cent + 1 < end and data[per_cent] == 32:
        per_cent += 1
    if per_cent < end and data[per_cent] == _PER_CENT:
        j = per_cent + 1
        unit = -1.0
        number = PERCENT_UP if sign == _PLUS else PERCENT_DOWN if sign == _DASH else PERCENT
    amounts[count, 0] = value / scale if scale else value
    amounts[count, 1] = unit
    return j, number


@njit(nogil=True)
def _word(data: Bytes, i: int, word: Bytes) -> tuple[int, int, np.uint64]:
    """Read a word in lower case that begins at a place; return where it ends, its length and its hash."""
    end, length, capitals, whole = len(data), 0, 0, _BASIS
    while i < end:
        byte, kind, step = data[i], _TYPE[data[i]], 1
        if kind == _LETTER:
            if byte < _FIRST_SMALL:
                capitals += 1
                byte = np.uint8(byte + _TO_LOWER)
        elif kind == _DIGIT:
            if capitals == _CURRENCY and length == _CURRENCY:  # EUR15m
                break
            byte = np.uint8(_ZERO)
        elif kind == _HIGH:
            if byte == _SIGNS and i + 3 < end and data[i + 1] == _PUNCTUATION and data[i + 2] == _CURLY:
                byte, step = np.uint8(_APOSTROPHE), 3
                if _TYPE[data[i + 3]] != _LETTER:
                    break
            elif byte in (_SIGNS, _LATIN_SIGNS) or byte >= _SELECTOR:
                break
        elif byte not in (_DASH, _APOSTROPHE, _AND, _DOT) or i + 1 >= end or _TYPE[data[i + 1]] != _LETTER:
            break
        if length < LONGEST_WORD:
            word[length] = byte
        whole = _longer(whole, byte)
        length += 1
        i += step
    return i, length, whole


@njit(nogil=True)
def scan(data: Bytes, slots: Hashes, words: Ints, tokens: Ints, amounts: Floats) -> int:
    """Write the tokens of texts, one after the other, and return how many there are; never more than bytes.

    Args:
        data: the texts in UTF-8, with a zero byte between two of them.
        slots: of `slots_of`.
        words: the kind of every word of the vocabulary in the column `KIND`; 0 for none.
        tokens: (room, 3) the number, where it begins and where it ends. The number is 0 where a token does not count
            and `BETWEEN` between texts.
        amounts: (room, 2) the amount and its unit of what is a number; see `_amount`.
    """
    word, prefixes = np.empty(LONGEST_WORD, np.uint8), np.empty(LONGEST_WORD + 1, np.uint64)
    end, count, i = len(data), 0, 0
    while i < end:
        byte, kind = data[i], _TYPE[data[i]]
        start, number = i, 0
        if kind == _SPACE or (kind == _EDGE and byte not in (_PLUS, _DASH, _DOLLAR, _AT)):
            i += 1
            continue
        if kind == _BORDER:
            number = BETWEEN
            i += 1
        elif kind == _PAUSES:
            number = ASKS if byte == _ASK else CALLS if byte == _CALL else PAUSE
            i += 1
        elif byte == _AT:
            i = _skipped(data, i)
            continue
        elif byte == _SIGNS and i + 2 < end and data[i + 1] == _PUNCTUATION:
            i += 3
            continue
        elif byte in (_LATIN_SIGNS, _SELECTOR):
            i += 2 if byte == _LATIN_SIGNS else 3
            continue
        elif byte == _SIGNS or byte >= _EMOJI:
            i = min(end, i + (3 if byte == _SIGNS else 4))
            sign = _BASIS
            for place in range(start, i):
                sign = _longer(sign, data[place])
            number = _find(slots, sign)
        elif kind in (_LETTER, _HIGH):
            i, length, whole = _word(data, i, word)
            if i + 2 < end and data[i] == _COLON and data[i + 1] == _SLASH and data[i + 2] == _SLASH:
                i = _skipped(data, i)
                continue
            if length <= LONGEST_WORD:
                number = _find(slots, whole)
                if number == 0:
                    number = _relative(word, length, prefixes, slots, words)
                if count and tokens[count - 1, 0] == NUMBER and amounts[count - 1, 1] == 0.0:
                    amounts[count - 1, 1] = _unit(whole)
        else:
            i, number = _amount(data, i, amounts, count)
            if i == start:
                i += 1
                if byte != _DOLLAR or i >= end or _TYPE[data[i]] != _LETTER:
                    continue
                while i < end and _TYPE[data[i]] == _LETTER:
                    i += 1
                number = TICKER
        tokens[count, 0], tokens[count, 1], tokens[count, 2] = number, start, i
        count += 1
    return count


def spelled(word: str) -> str:
    """Return how the vocabulary spells a token."""
    return word.encode("utf-8", "ignore").lower().translate(_ZEROS).decode().replace("’", "'")
