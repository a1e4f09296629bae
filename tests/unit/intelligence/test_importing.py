"""News of others into items: what is understood, what is refused and in which words, and what makes one the same."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.common.errors import Invalid
from domain.common.time import rfc3339
from domain.intelligence.aliases import Aliases
from domain.intelligence.importing import (
    NewsRules,
    RawNews,
    Tally,
    news_item,
    news_items,
    text_key,
)
from domain.intelligence.news_times import DateOrder, read_time
from domain.market.validation import RowProblem

NOW = 1_710_000_000_000  # 2024-03-09T16:00:00Z
NEW_YORK = ZoneInfo("America/New_York")
RULES = NewsRules("ann", NOW, source="wire")


def item(rules: NewsRules = RULES, **changes: Any) -> Any:
    raw = {"row": 7, "title": "INFY wins", "published": "2024-03-01T10:00:00Z", **changes}
    return news_item(RawNews(**raw), rules)


def problems(rules: NewsRules = RULES, **changes: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        item(rules, **changes)
    return {problem.field: problem.message for problem in caught.value.errors}


def test_an_item_is_made_of_what_is_there() -> None:
    made = item(text=" a\r\nb \x07 ", url=" https://x.org/1 ", symbols="nse:infy; TCS ,NSE:INFY")
    assert (made.title, made.text, made.url, made.source) == ("INFY wins", "a\nb", "https://x.org/1", "wire")
    assert made.symbols == ("NSE:INFY", "TCS")
    assert made.published_at == made.available_at == 1_709_287_200_000
    assert (made.user_id, made.imported_at) == ("ann", NOW)


def test_text_without_a_title_and_without_symbols_is_an_item() -> None:
    made = item(title="", text="profit warning")
    assert (made.title, made.text, made.symbols) == ("", "profit warning", ())


def test_the_same_item_has_the_same_key_whoever_imports_it() -> None:
    by_url = item(url="https://x.org/1")
    assert item(NewsRules("bob", NOW + 5), url="https://x.org/1", title="Corrected").key == by_url.key
    assert item(url="https://x.org/2").key != by_url.key
    without = item()
    assert item(text="more of it").key == without.key
    assert item(source="blog").key != without.key
    assert item(published="2024-03-01T10:00:01Z").key != without.key
    assert item(title="", text="one").key != item(title="", text="two").key
    assert len(without.key) == 64


def test_the_key_of_a_text_is_its_words_and_its_source() -> None:
    assert text_key("INFY  wins\n", "a") == text_key("INFY wins", "a")
    assert text_key("INFY wins", "b") != text_key("INFY wins", "a") != text_key("infy wins", "a")
    assert len({text_key("x", "a"), text_key("x", "a", 1), text_key("x", "a", 2)}) == 3


def test_what_every_item_is_about_and_what_its_names_tell() -> None:
    names = Aliases([("NSE:TCS", "Tata Consultancy"), ("NSE:DRREDDY", "Dr. Reddy's"), ("NSE:X", "...")])
    rules = NewsRules("ann", NOW, symbols=("NSE:NIFTY",), aliases=names)
    made = item(rules, title="TATA consultancy gains", text="so does DR REDDY'S; Tatas do not", symbols="INFY")
    assert made.symbols == ("INFY", "NSE:NIFTY", "NSE:TCS", "NSE:DRREDDY")
    assert item(rules, title="Tata", text="Consultancy").symbols == ("NSE:NIFTY", "NSE:TCS")
    assert item(rules, title="Tatax Consultancy").symbols == ("NSE:NIFTY",)


class TestWhenItCouldBeKnown:
    def known(self, rules: NewsRules = RULES, **changes: Any) -> tuple[str, str]:
        made = item(rules, **changes)
        return rfc3339(made.published_at)[:16], rfc3339(made.available_at)[:16]

    def test_when_it_was_published(self) -> None:
        assert self.known() == ("2024-03-01T10:00", "2024-03-01T10:00")

    def test_when_it_was_received_if_that_is_told(self) -> None:
        received = {"available": "2024-03-01T10:05:00Z"}
        assert self.known(**received) == ("2024-03-01T10:00", "2024-03-01T10:05")
        later = NewsRules("ann", NOW, received_ms=NOW)
        assert self.known(later)[1] == "2024-03-09T16:00"
        assert self.known(later, **received)[1] == "2024-03-01T10:05"
        assert self.known(later, published=None) == ("2024-03-09T16:00", "2024-03-09T16:00")
        earlier = NewsRules("ann", NOW, received_ms=0)
        assert self.known(earlier) == ("2024-03-01T10:00", "2024-03-01T10:00")

    @pytest.mark.parametrize("day", ["2024-03-01", "2024-03-01T00:00:00", "20240301", "1 Mar 2024"])
    def test_a_day_is_known_when_it_is_over(self, day: str) -> None:
        """Whoever took its beginning would know the day's news before they happen."""
        rules = NewsRules("ann", NOW, zone=NEW_YORK)
        assert self.known(rules, published=day) == ("2024-03-01T05:00", "2024-03-02T05:00")

    def test_midnight_that_a_computer_counted_is_a_moment(self) -> None:
        assert self.known(published="1709251200") == ("2024-03-01T00:00", "2024-03-01T00:00")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00.000Z"),
        ("2024-03-01T10:00:00.250+05:30", "2024-03-01T04:30:00.250Z"),
        ("2024-03-01 10:00:00 +0530", "2024-03-01T04:30:00.000Z"),
        ("2024-03-01 10:00 UTC", "2024-03-01T10:00:00.000Z"),
        ("2024-03-01 10:00", "2024-03-01T15:00:00.000Z"),
        ("Fri, 01 Mar 2024 10:00:00 GMT", "2024-03-01T10:00:00.000Z"),
        ("1 Mar 24 9:05 PST", "2024-03-01T17:05:00.000Z"),
        ("Fri, 1 Mar 2024 10:00:00 -0500", "2024-03-01T15:00:00.000Z"),
        ("01 Mar 2024 10:00:00", "2024-03-01T15:00:00.000Z"),
        ("1709287200", "2024-03-01T10:00:00.000Z"),
        ("1709287200.5", "2024-03-01T10:00:00.500Z"),
        ("1709287200250", "2024-03-01T10:00:00.250Z"),
        ("2023-11-05 01:30", "2023-11-05T06:30:00.000Z"),  # twice that night: the later one
        ("3/1/2024 10:00", "2024-03-01T15:00:00.000Z"),
    ],
)
def test_times_that_are_understood(text: str, at: str) -> None:
    assert rfc3339(read_time(text, NEW_YORK, "mdy").at) == at


@pytest.mark.parametrize(
    ("text", "order", "message"),
    [
        ("2024-03-01 10:00", None, "no time zone"),
        ("2024-03-01", None, "no time zone"),
        ("01 Mar 2024 10:00:00", None, "no time zone"),
        ("Fri, 01 Mar 2024 10:00:00 IST", None, "'IST' is no time zone that has one meaning"),
        ("3/1/2024", None, "may be month/day or day/month"),
        ("13/13/2024", "mdy", "no known time"),
        ("2024-02-30T10:00:00Z", None, "no known time"),
        ("2024-03-01T25:00:00Z", None, "no known time"),
        ("yesterday", None, "no known time"),
        ("01 Foo 2024 10:00 GMT", None, "no known time"),
        ("1e9", None, "no known time"),
        ("9999-12-31T00:00:00Z", None, "out of range"),
    ],
)
def test_times_that_are_refused(text: str, order: DateOrder | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_time(text, None, order)


def test_an_hour_that_the_clocks_skip_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist in America/New_York"):
        read_time("2024-03-10 02:30", NEW_YORK)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"title": "", "text": " "}, "title", "is missing, and so is text"),
        ({"title": "x" * 1001}, "title", "has 1001 characters; at most 1000"),
        ({"text": "x" * 65_537}, "text", "at most 65536"),
        ({"title": "a\0b"}, "title", "NUL"),
        ({"text": "a\ud800"}, "text", "surrogate"),
        ({"source": "x" * 65}, "source", "at most 64"),
        ({"url": "javascript:alert(1)"}, "url", "http"),
        ({"url": "https://x.org/a b"}, "url", "no space"),
        ({"url": "file:///etc/passwd"}, "url", "http"),
        ({"url": "https://x.org/" + "x" * 2048}, "url", "at most 2048"),
        ({"symbols": "INFY;??"}, "symbols", "'\\?\\?' is not a symbol"),
        ({"symbols": [f"S{number}" for number in range(33)]}, "symbols", "at most 32"),
        ({"published": None}, "published", "is missing"),
        ({"published": " "}, "published", "is missing"),
        ({"published": "soon"}, "published", "no known time"),
        ({"published": "1970-01-01T05:00:00Z"}, "published", "before 1980"),
        ({"published": "2024-03-09T16:06:00Z"}, "published", "in the future; is its time zone right"),
        ({"available": "2024-03-01T09:59:00Z"}, "available", "before it was published"),
        ({"available": "2025-03-01T09:59:00Z"}, "available", "in the future"),
        ({"published": "2024-03-01 10:00"}, "published", "no time zone"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str, message: str) -> None:
    found = problems(**changes)
    assert list(found) == [field]
    with pytest.raises(ValueError, match=message):
        raise ValueError(found[field])


def test_everything_wrong_is_named_at_once() -> None:
    found = problems(title="", url="x", symbols="?", published="x", available="y")
    assert set(found) == {"title", "url", "symbols", "published", "available"}


def test_rows_are_counted_and_the_first_bad_one_is_told() -> None:
    good = RawNews(2, "one", published="2024-03-01T10:00:00Z")
    rows = [good, RawNews(3, "one", published="2024-03-01T10:00:00Z"), RawNews(4), RowProblem(5, "cells", "are 2")]
    tally = Tally()
    items = list(news_items(rows, RULES, tally))
    assert [made.title for made in items] == ["one", "one"]
    assert (tally.read, tally.bad, tally.repeated) == (4, 2, 1)
    with pytest.raises(
        Invalid, match=r"news.csv: row 4: title is missing, and so is text \(and 2 more problems\)"
    ) as e:
        tally.refuse("news.csv")
    assert [error.field for error in e.value.errors] == ["rows.4.title", "rows.4.published", "rows.5.cells"]


def test_one_bad_row_is_one_line() -> None:
    tally = Tally()
    assert list(news_items([RawNews(9, "x")], RULES, tally)) == []
    with pytest.raises(Invalid, match=r"row 9: published is missing$") as caught:
        tally.refuse("news.csv")
    assert caught.value.errors == ()
    Tally().refuse("news.csv")


def test_not_more_than_twenty_problems_are_kept() -> None:
    tally = Tally()
    assert list(news_items((RawNews(row) for row in range(500)), RULES, tally)) == []
    assert (tally.bad, tally.found, len(tally.problems)) == (500, 1000, 20)
