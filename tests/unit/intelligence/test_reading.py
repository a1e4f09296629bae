"""What is read of a text: its words, and what they say together."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.sentiment.features import read_words, unknown_words
from adapters.sentiment.grammar import inflected, read_lexicon
from adapters.sentiment.scanning import slots_of, spelled
from adapters.sentiment.scheme import codes_of
from adapters.sentiment.vocabulary import SPECIAL, vocabulary_of

VOCABULARY = vocabulary_of(read_lexicon(), ["the", "in", "of", "for", "third", "quarter", "its", "q0", "u.s"])
KINDS = codes_of(VOCABULARY.words, VOCABULARY.kinds).kinds


def words(text: str) -> list[str]:
    (read,) = read_words([text], VOCABULARY, KINDS)
    return [VOCABULARY.words[number] for number in read]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Profit FELL", "profit fell"),
        ("profit, (fell)…", "profit <pause> fell"),
        ("“Profit” fell?!", "profit fell <asks> <calls>"),
        ("Zyxcorp's profit", "profit"),
        ("profit up 5.4% to $1,234.5", "profit up <percent> to <number>"),
        ("up 5.4 % , +3% and -2%", "up <percent> <pause> <percent up> <percent down>"),
        ("$TSLA @joe https://x.y/profit profit", "<ticker> profit"),
        ("Q1 in the U.S.", "q0 in the u.s"),
        ("52-week high 20bn 2nd", "<number> high <number> <number>"),
        ("EUR15m", "<number>"),
        ("#profit up🚀🚀", "profit up 🚀 🚀"),
        ("profit‑up", "profit up"),
        ("profitability-boosting", "profitability-boosting"),
        ("ultra-bullish upgrading", "bullish upgrading"),
        ("doesn’t doesn't", "doesn't doesn't"),
        ("\ud83d profit \x00 up", "profit up"),
        ("", ""),
        ("a" * 200, ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("losses narrowed", "<thing> <relief>"),
        ("the loss for the third quarter narrowed", "the <thing> for the third quarter <relief>"),
        ("debt rises", "<thing> <worse>"),
        ("higher costs", "<worse> <thing>"),
        ("fall in costs", "<relief> in <thing>"),
        ("cuts its debt", "<relief> its <thing>"),
        ("profit falls on higher costs", "profit falls on <worse> <thing>"),
        ("gold falls on inflation", "gold falls on inflation"),
        ("costs, profit fell", "costs <pause> profit fell"),
        ("pares gains", "<good ends> <thing>"),
        ("erases its losses", "<bad ends> its <thing>"),
        ("not strong", "not <not good>"),
        ("did not fall", "not <not bad>"),
        ("fails to beat", "fails to <not good>"),
        ("fails to miss", "fails to miss"),
        ("debt did not fall", "<thing> not <not good>"),
        ("profit compared with a loss", "profit compared <was bad>"),
        ("loss from a profit", "loss from <was good>"),
        ("sales of $3 mn from a profit", "sales of <number> from profit"),
    ],
)
def test_what_words_say_together(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "larger"),
    [
        ("profit of EUR 5.4 mn compared to EUR 3.6 mn", 1),
        ("profit of EUR 3.6 mn, down from EUR 5.4 mn", -1),
        ("$1.2 billion vs. $900 million", 1),
        ("1,275 against 1,300", -1),
        ("sales of EUR58.9m , from EUR62.4m", -1),
        ("9.5 % against 8 %", 1),
        ("5 mn versus 5 mn", 0),
        ("5 % compared with 3", 0),
        ("rose 5 mn compared with 2008", 0),
        ("sales in 2009 of 5 mn compared with 4 mn in 2008", 1),
        ("from 5 to 6", 0),
        ("52-week low against 10", 0),
        ("1.2.3 vs 4", 0),
        ("vs", 0),
        ("9" * 400 + " vs 1", 1),
    ],
)
def test_compared_amounts(text: str, larger: int) -> None:
    read = words(text)
    assert ("<more than>" in read) - ("<less than>" in read) == larger


def test_texts_do_not_reach_into_each_other() -> None:
    texts = ["losses", "narrow", "", "5 vs", "4", "not", "strong"]
    together = read_words(texts, VOCABULARY, KINDS)
    assert together == [read_words([text], VOCABULARY, KINDS)[0] for text in texts]


def test_words_that_are_learned_are_spelled_as_they_are_read() -> None:
    text = "Zyxcorp’s Q1 Émile top-line 52-week 🚀 $ABC"
    found = [spelled(word) for words_of_text in unknown_words([text]) for word in words_of_text]
    assert found == ["zyxcorp's", "q0", "Émile", "top-line", "🚀"]
    learned = vocabulary_of({}, found)
    (read,) = read_words([text], learned, codes_of(learned.words, learned.kinds).kinds)
    assert [learned.words[number] for number in read] == [*found[:4], "<number>", "🚀", "<ticker>"]


def test_two_words_of_one_spelling_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        slots_of(["a", "b", "a"])


def test_inflected_forms() -> None:
    assert inflected("drop") == ("drop", "drops", "droped", "droping", "dropped", "dropping")
    assert inflected("ease") == ("ease", "eases", "eased", "easing")
    assert inflected("rally") == ("rally", "rallies", "rallied", "rallying")


def test_the_special_words_come_first() -> None:
    assert VOCABULARY.words[: len(SPECIAL)] == tuple(SPECIAL)
    assert np.all(VOCABULARY.roles()[: len(SPECIAL)] < 18)
