"""What words say together is said by words of its own: "losses narrow" becomes a relief, "not strong" not good.

Headlines say "fall" of shares a hundred times for each time of costs. Learned from them alone, every fall is bad;
replaced by what it means, it is learned as what it means.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from adapters.sentiment.scanning import ROLE
from adapters.sentiment.vocabulary import (
    BAD,
    BAD_ENDS,
    BAD_THING,
    BREAKS,
    COMPARES,
    COMPARES_LESS,
    COMPARES_MORE,
    CUTS,
    ENDS,
    FAILS,
    FALLS,
    GOOD,
    GOOD_ENDS,
    GOOD_THING,
    LINKS,
    NEGATES,
    NOT_BAD,
    NOT_GOOD,
    OTHER_THING,
    RAISES,
    RELIEF,
    RISES,
    THING,
    WAS_BAD,
    WAS_GOOD,
    WORSE,
)

Ints = npt.NDArray[np.int32]

_AHEAD, _AHEAD_LINKED, _AHEAD_TAKING, _BEHIND, _BEHIND_AMOUNT = 1, 4, 3, 6, 11  # words to the object
_SCOPE = 3  # words that a negation or a comparison reaches
_FORMER = 11  # words back to what the former state is compared with


@njit(nogil=True)
def _object_of(read: Ints, length: int, words: Ints, i: int) -> int:
    """Return the place of what rises or falls, -1 where nothing is named.

    It is the word after ("higher costs", "fall in costs"), with verbs that take an object some more ("cuts its
    debt"), or else the nearest one before it in the same part of the sentence ("costs fall"). Amounts are compared of
    what was named before.
    """
    role = words[read[i], ROLE]
    amount = role in (COMPARES_MORE, COMPARES_LESS)
    ahead = _AHEAD_TAKING if role in (RAISES, CUTS) else _AHEAD
    if i + 1 < length and words[read[i + 1], ROLE] == LINKS:
        ahead = _AHEAD_LINKED
    for j in range(i + 1, i + 1 if amount else min(length, i + 1 + ahead)):
        other = words[read[j], ROLE]
        if other == BREAKS:
            break
        if GOOD_THING <= other <= OTHER_THING:
            return j
    for j in range(i - 1, max(-1, i - 1 - (_BEHIND_AMOUNT if amount else _BEHIND)), -1):
        other = words[read[j], ROLE]
        if other == BREAKS and not amount:
            break
        if GOOD_THING <= other <= OTHER_THING:
            return j
    return -1


@njit(nogil=True)
def _negate(read: Ints, length: int, words: Ints, composed: Ints, i: int) -> None:
    """Turn around the next word that says something; failing to do something bad is not said to be good."""
    for j in range(i + 1, min(length, i + 1 + _SCOPE)):
        same = composed[j] == read[j]
        role = words[read[j], ROLE]
        if composed[j] == RELIEF or (same and (role in (RISES, RAISES, GOOD))):
            composed[j] = NOT_GOOD
            return
        bad = role in (FALLS, CUTS, BAD, BAD_THING)
        if composed[j] == WORSE or (same and bad):
            if words[read[i], ROLE] == NEGATES:
                composed[j] = NOT_BAD
            return


@njit(nogil=True)
def _look_back(read: Ints, length: int, words: Ints, composed: Ints, i: int) -> None:
    """Take what follows a comparison for what was: a profit compared with a loss, a loss from a profit."""
    for j in range(i + 1, min(length, i + 1 + _SCOPE)):
        role = words[read[j], ROLE]
        if role == BAD_THING and composed[j] == read[j]:
            composed[j] = WAS_BAD
            return
        if role == GOOD_THING:
            for k in range(i - 1, max(-1, i - 1 - _FORMER), -1):
                if words[read[k], ROLE] == BAD_THING and composed[k] == read[k]:
                    composed[j] = WAS_GOOD
                    return
            return


@njit(nogil=True)
def _end(read: Ints, length: int, words: Ints, composed: Ints, i: int) -> None:
    """Take the end of a rise for bad, and of something bad for good: "pares gains", "erases losses"."""
    scope = _SCOPE if words[read[i], ROLE] == ENDS else 1
    for j in range(i + 1, min(length, i + 1 + scope)):
        role = words[read[j], ROLE]
        if role == BREAKS:
            return
        if role in (RISES, GOOD):
            composed[i], composed[j] = GOOD_ENDS, THING
            return
        if role in (FALLS, BAD, BAD_THING):
            if words[read[i], ROLE] == ENDS:
                composed[i], composed[j] = BAD_ENDS, THING
            return


@njit(nogil=True)
def compose(read: Ints, length: int, words: Ints, composed: Ints) -> None:
    """Write the first words of a text to ``composed``, with what they say together in place of those that say it."""
    for i in range(length):
        composed[i] = read[i]
    for i in range(length):
        role = words[read[i], ROLE]
        if RISES <= role <= CUTS or role in (COMPARES_MORE, COMPARES_LESS):
            found = _object_of(read, length, words, i)
            if found >= 0 and words[read[found], ROLE] == BAD_THING:
                composed[i] = WORSE if role in (RISES, RAISES, COMPARES_MORE) else RELIEF
                while found >= 0 and words[read[found], ROLE] == BAD_THING:
                    composed[found] = THING
                    found -= 1
    for i in range(length):
        role = words[read[i], ROLE]
        if role in (ENDS, CUTS) and composed[i] == read[i]:
            _end(read, length, words, composed, i)
        if role in (NEGATES, FAILS):
            _negate(read, length, words, composed, i)
        elif COMPARES <= role <= COMPARES_LESS:
            _look_back(read, length, words, composed, i)
