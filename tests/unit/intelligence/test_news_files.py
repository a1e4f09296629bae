"""Files of news: what people have is read, what could do harm or mean two things is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.news.files import NewsFile, kind_of, read_aliases
from adapters.news.text import plain_text
from domain.common.errors import AITraderError, Conflict, Invalid, NotFound, TooLarge
from domain.intelligence.importing import NewsRules, RawNews, Tally, news_items
from domain.market.validation import RowProblem

NOW = 1_710_000_000_000
Write = Callable[..., Path]

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>The &amp; Wire</title><link>https://x.org</link>
<item><title>INFY wins &lt;b&gt;deal&lt;/b&gt;</title><link>https://x.org/1</link>
<description><![CDATA[<p>Good &amp; <a href="/y">new</a>s.<script>bad()</script></p><!-- no -->]]></description>
<pubDate>Fri, 01 Mar 2024 10:00:00 GMT</pubDate><guid isPermaLink="false">77</guid></item>
<item><title>Second</title><guid>https://x.org/2</guid><dc:date>2024-03-01T11:00:00Z</dc:date>
<description>short</description><content:encoded>whole text</content:encoded><source url="https://b.org">Blog</source></item>
<item><title>Third, 5 &lt; 6</title><link></link><guid>abc</guid><pubDate>1 Mar 2024 12:00 EST</pubDate></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Atomic</title>
<entry><title type="text">a &lt;b&gt; c</title><link rel="self" href="https://x.org/self"/><link href="https://x.org/1"/>
<summary>short</summary><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>One</p><p>two</p></div></content>
<updated>2024-03-01T11:00:00Z</updated><published>2024-03-01T10:00:00+05:30</published></entry>
<entry><title type="html">&lt;i&gt;x&lt;/i&gt;y</title><updated>2024-03-01T11:00:00Z</updated></entry>
</feed>"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(content: str | bytes, name: str = "news.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return made


def rows(path: Path, **options: Any) -> list[RawNews | RowProblem]:
    return list(NewsFile(path, **options).rows())


def raw(path: Path, **options: Any) -> list[RawNews]:
    found = rows(path, **options)
    assert [row for row in found if isinstance(row, RowProblem)] == []
    return [row for row in found if isinstance(row, RawNews)]


class TestCsv:
    def test_columns_are_found_by_the_names_people_give_them(self, write: Write) -> None:
        path = write("Date,Headline,Body,Link,Publisher,Tickers,x\n2024-03-01,T,B,https://x.org,P,A;B,1\n")
        (found,) = raw(path)
        assert found == RawNews(2, "T", "B", "https://x.org", "P", "A;B", "2024-03-01")

    def test_a_date_and_a_time_of_day_are_one_time(self, write: Write) -> None:
        (found,) = raw(write("title,date,time\nx,2024-03-01,10:00Z\n"))
        assert found.published == "2024-03-01 10:00Z"

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_any_usual_delimiter(self, write: Write, delimiter: str) -> None:
        content = f'title{delimiter}published\n"a{delimiter}b ""c"""{delimiter}2024-03-01\n'
        assert raw(write(content))[0].title == f'a{delimiter}b "c"'

    def test_lines_inside_cells_and_blank_lines(self, write: Write) -> None:
        found = raw(write('title,published\r\n"two\nlines\u2028more",2024\r\n\r\nx,2025\r\n'))
        assert [(row.row, row.title) for row in found] == [(2, "two\nlines\u2028more"), (4, "x")]

    def test_rows_that_cannot_be_told_apart_are_named_and_the_others_read(self, write: Write) -> None:
        found = rows(write('title,published\na,b,c\n"a"b,c\nok,2024-03-01\nshort\n'))
        problems = [(row.row, row.field) for row in found if isinstance(row, RowProblem)]
        assert problems == [(2, "cells"), (3, "cells"), (5, "cells")]
        assert [row.title for row in found if isinstance(row, RawNews)] == ["ok"]

    def test_a_quote_that_never_ends_does_not_eat_the_file(self, write: Write) -> None:
        found = rows(write('title,published\n"a' + "x\n" * 200_000))
        assert isinstance(found[0], RowProblem)
        assert "field larger than field limit" in found[0].message

    @pytest.mark.parametrize("content", ["", "\n", "   \n1,2\n", "a,b\n1,2\n", "published\n2024\n", "title\nx\n"])
    def test_without_the_columns_that_are_needed_it_is_refused(self, write: Write, content: str) -> None:
        with pytest.raises(Invalid) as caught:
            rows(write(content))
        assert caught.value.code in ("missing_columns", "unreadable_file")

    def test_without_a_time_when_all_was_received_at_one(self, write: Write) -> None:
        assert raw(write("title\nx\n"), timed=True)[0].published is None

    def test_what_is_there_twice_counts_once(self, write: Write) -> None:
        assert raw(write("title,title,headline,published\none,two,three,2024\n"))[0].title == "one"


class TestEncodings:
    TEXT = "title,published\nGrüße ₹,2024-03-01\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_marks_tell_what_they_are(self, write: Write, encoding: str) -> None:
        assert raw(write(self.TEXT, encoding=encoding))[0].title == "Grüße ₹"

    @pytest.mark.parametrize("encoding", ["utf-16-be", "latin-1", "cp1252"])
    def test_others_are_told_by_a_person(self, write: Write, encoding: str) -> None:
        path = write(self.TEXT.replace(" ₹", ""), encoding=encoding)
        with pytest.raises(Invalid, match="ay which encoding it has") as caught:
            rows(path)
        assert caught.value.code == "wrong_encoding"
        assert raw(path, encoding=encoding)[0].title == "Grüße"

    @pytest.mark.parametrize("name", ["klingon", "hex", "rot13"])
    def test_what_is_no_encoding(self, write: Write, name: str) -> None:
        with pytest.raises(Invalid) as caught:
            rows(write(self.TEXT), encoding=name)
        assert caught.value.code in ("unknown_encoding", "wrong_encoding")

    @pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
    def test_xml_says_it_itself(self, write: Write, encoding: str) -> None:
        item = "<item><title>Grüße</title></item>"
        text = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel>{item}</channel></rss>'
        assert raw(write(text, "a.rss", encoding=encoding))[0].title == "Grüße"


class TestJsonLines:
    def test_an_object_a_line(self, write: Write) -> None:
        lines = [
            {"headline": "one", "publishedAt": "2024-03-01", "tickers": ["A", "B"], "url": None, "other": {"x": 1}},
            {"text": "two", "timestamp": 1_709_287_200, "symbols": "A,B", "source": "s", "received": 1.5},
        ]
        found = raw(write("\n".join(map(json.dumps, lines)) + "\n\n", "a.jsonl"))
        assert found == [
            RawNews(1, title="one", symbols=["A", "B"], published="2024-03-01"),
            RawNews(2, text="two", source="s", symbols="A,B", published=1_709_287_200, available=1.5),
        ]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", "not one JSON object"),
            ("[1]", "something else"),
            ('"x"', "something else"),
            ('{"title": "a", "title": "b"}', "same name twice"),
            ('{"title": NaN}', "NaN is not JSON"),
            ('{"title": 5}', "must be text"),
            ('{"published": true}', "must be text or a number"),
            ('{"published": {"$date": 1}}', "must be text or a number"),
            ('{"symbols": ["A", 5]}', "must be text or a list of text"),
            ('{"symbols": {"A": 1}}', "must be text or a list of text"),
            ('{"title": "a"} {"title": "b"}', "not one JSON object"),
            ("[" * 100_000, "not one JSON object"),
            ('{"published": ' + "9" * 5000 + "}", "not one JSON object"),
        ],
    )
    def test_anything_else_is_named_by_its_line(self, write: Write, line: str, message: str) -> None:
        first, last = rows(write(line + '\n{"title": "good"}\n', "a.ndjson"))
        assert isinstance(first, RowProblem)
        assert first.row == 1
        assert message in f"{first.field} {first.message}"
        assert isinstance(last, RawNews)


class TestFeeds:
    def test_rss(self, write: Write) -> None:
        first, second, third = raw(write(RSS, "a.xml"))
        assert (first.row, first.title, first.url, first.source) == (
            1,
            "INFY wins deal",
            "https://x.org/1",
            "The & Wire",
        )
        assert (first.text, first.published) == ("Good & news.", "Fri, 01 Mar 2024 10:00:00 GMT")
        assert (second.url, second.published) == ("https://x.org/2", "2024-03-01T11:00:00Z")
        assert (second.text, second.source) == ("whole text", "Blog")
        assert (third.title, third.url, third.published) == ("Third, 5 < 6", "", "1 Mar 2024 12:00 EST")

    def test_the_items_of_a_feed_become_news(self, write: Write) -> None:
        tally = Tally()
        found = list(news_items(NewsFile(write(RSS, "a.xml")).rows(), NewsRules("ann", NOW), tally))
        assert (len(found), tally.bad) == (3, 0)
        assert found[2].published_at == 1_709_312_400_000

    def test_atom(self, write: Write) -> None:
        first, second = raw(write(ATOM, "a.atom"))
        assert (first.title, first.url, first.source) == ("a <b> c", "https://x.org/1", "Atomic")
        assert (first.text.split(), first.published) == (["One", "two"], "2024-03-01T10:00:00+05:30")
        assert (second.title, second.published) == ("xy", "2024-03-01T11:00:00Z")

    def test_a_source_that_is_told_stands_before_the_title(self, write: Write) -> None:
        assert [row.source for row in raw(write(RSS, "a.xml"), source="mine")] == ["", "Blog", ""]

    def test_the_order_inside_an_item_does_not_matter(self, write: Write) -> None:
        item = "<item><description>d</description><title>t</title></item>"
        text = f"<rss><channel>{item}<title>late</title></channel></rss>"
        (found,) = raw(write(text, "a.rss"))
        assert (found.title, found.text, found.source) == ("t", "d", "")

    @pytest.mark.parametrize(
        "text",
        [
            '<!DOCTYPE rss [<!ENTITY a "b">]><rss><channel><item><title>&a;</title></item></channel></rss>',
            '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><title>&a;</title></rss>',
            '<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/x.dtd"><rss/>',
            "<!DOCTYPE rss><rss><channel/></rss>",
            '<!DOCTYPE l [<!ENTITY a "lol">'
            + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
            + "]><rss><channel><item><title>&j;</title></item></channel></rss>",
        ],
        ids=["entity", "file", "remote", "doctype", "billion laughs"],
    )
    def test_document_types_and_entities_are_refused(self, write: Write, text: str) -> None:
        with pytest.raises(Invalid, match="not safe to read") as caught:
            rows(write(text, "a.xml"))
        assert caught.value.code == "unsafe_xml"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "no xml",
            "<rss><channel>",
            "<rss><channel><item></channel></rss>",
            "<html><body/></html>",
            "<rss>&nbsp;</rss>",
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
            '<?xml version="1.0" encoding="klingon"?><rss/>',
            "<rss>" + "<a>" * 100 + "</a>" * 100 + "</rss>",
            "<rss><channel><item>" + "<title>" * 100,
            "\x00\x01",
        ],
    )
    def test_what_is_no_feed_is_refused(self, write: Write, text: str) -> None:
        with pytest.raises(Invalid) as caught:
            rows(write(text, "a.xml"))
        assert caught.value.code == "unreadable_file"

    def test_an_endless_text_is_a_bad_item(self, write: Write) -> None:
        text = (
            f"<rss><channel><item><title>{'x' * 600_000}</title></item><item><title>b</title></item></channel></rss>"
        )
        first, second = rows(write(text, "a.xml"))
        assert first == RowProblem(1, "title", "has more than 524288 characters")
        assert isinstance(second, RawNews)

    def test_items_inside_items_are_part_of_them(self, write: Write) -> None:
        text = "<rss><channel><item><title>a</title><item><title>b</title></item></item></channel></rss>"
        assert [row.title for row in raw(write(text, "a.xml"))] == ["a"]


class TestFiles:
    def test_the_suffix_tells_the_format_unless_it_is_told(self, write: Write) -> None:
        assert [kind_of(Path(name)) for name in ("a.CSV", "a.tsv", "a.ndjson", "a.rss")] == [
            "csv",
            "csv",
            "jsonl",
            "feed",
        ]
        with pytest.raises(Invalid, match="of no known format"):
            rows(write("title,published\n", "news.docx"))
        assert rows(write("title,published\n", "news.docx"), kind="csv") == []

    def test_what_is_not_there_or_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound):
            rows(tmp_path / "none.csv")
        with pytest.raises(Invalid, match="cannot be read"):
            rows(tmp_path, kind="csv")

    def test_limits(self, write: Write) -> None:
        path = write("title,published\n" + "x,2024\n" * 10)
        with pytest.raises(TooLarge, match="larger than 0 MB"):
            rows(path, max_bytes=20)
        with pytest.raises(TooLarge, match="more than 9 rows"):
            rows(path, max_rows=9)
        assert len(rows(path, max_rows=10)) == 10

    def test_a_file_that_changes_between_two_looks_is_refused(self, write: Write) -> None:
        file = NewsFile(write("title,published\nx,2024\n"))
        digest = file.digest()
        assert len(list(file.rows(digest))) == 1
        write("title,published\ny,2024\n")
        with pytest.raises(Conflict) as caught:
            list(file.rows(digest))
        assert caught.value.code == "file_changed"

    def test_the_source_of_what_names_none(self, write: Write) -> None:
        path = write("title,published\n", "reuters.csv")
        assert NewsFile(path).default_source == "reuters"
        assert NewsFile(path, source="mine").default_source == "mine"


class TestAliases:
    def test_symbols_and_their_names(self, write: Write) -> None:
        assert read_aliases(write('Symbol,Alias\nnse:infy,Infosys\n\nNSE:LT,"Larsen, Toubro"\n')) == [
            ("NSE:INFY", "Infosys"),
            ("NSE:LT", "Larsen, Toubro"),
        ]

    @pytest.mark.parametrize(
        "content",
        ["", "a,b\n", "symbol,alias\n?,x\n", "symbol,alias\nA,...\n", "symbol,alias\nA\n", 'symbol,alias\n"A"b,c\n'],
    )
    def test_anything_else_is_refused(self, write: Write, content: str) -> None:
        with pytest.raises(AITraderError) as caught:
            read_aliases(write(content))
        assert caught.value.code == "invalid_aliases"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>two</p>", "One two"),
        ("<b>bo</b>ld", "bold"),
        ("a &amp; b &#8377; &lt;c&gt;", "a & b ₹ <c>"),
        ("x < y > z", "x < y > z"),
        ("<style>p{}</style>x<SCRIPT>if (a<b) {}</SCRIPT >y", "x y"),
        ("a<!-- <b> -->b", "a b"),
        ("a<!-- never ends", "a<!-- never ends"),
        ("a<script>never ends>", "a"),
        ("<a href='x'>link</a", "link</a"),
        ("<br/>x<br>y", "x y"),
        ("İ<b>İ</b>", "İİ"),
    ],
)
def test_html_becomes_what_is_read(markup: str, text: str) -> None:
    assert " ".join(plain_text(markup).split()) == text


@pytest.mark.parametrize("piece", ["<a", "<!--", "<script>", "<", "&#", "</script", "<a>"])
def test_html_of_any_shape_takes_one_pass(piece: str) -> None:
    """Half a megabyte of each; anything quadratic would run into the test's time limit."""
    plain_text(piece * (500_000 // len(piece)))
    plain_text(piece * (500_000 // len(piece)) + ">")
