"""News in RSS 2.0 and Atom files, read as a stream; nothing outside the file is ever looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from adapters.news.text import plain_text
from domain.common.errors import Invalid
from domain.intelligence.importing import RawNews
from domain.market.validation import RowProblem

_CHUNK = 1 << 16
_DEEPEST = 64
_LONGEST = 1 << 19
_ATOM = "{http://www.w3.org/2005/Atom}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF"
_ROOTS = ("rss", f"{_ATOM}feed")
_ITEMS = ("item", f"{_ATOM}entry")
# What an element inside an item is; of several for one role the first in this order that is not empty.
_ROLES = {
    "title": ("title", f"{_ATOM}title"),
    "text": (
        "{http://purl.org/rss/1.0/modules/content/}encoded",
        f"{_ATOM}content",
        "description",
        f"{_ATOM}summary",
    ),
    "url": ("link", f"{_ATOM}link", "guid"),
    "source": ("source",),
    "published": (
        "pubDate",
        f"{_ATOM}published",
        "{http://purl.org/dc/elements/1.1/}date",
        f"{_ATOM}updated",
    ),
}
_READ = frozenset(name for names in _ROLES.values() for name in names)


def feed_rows(data: bytes, name: str, *, titled: bool) -> Iterator[RawNews | RowProblem]:
    """Return the items of a feed, numbered from 1.

    A document type, entities and whatever else could lead out of the file or make it grow is refused.

    Args:
        data: the file; its own XML declaration says its encoding.
        name: of the file.
        titled: whether items without a source have the title of the feed.

    Raises:
        Invalid: it is no RSS 2.0 or Atom, or no XML that is safe to read.
    """
    target = _Items(titled)
    parser = XMLParser(target=target, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
            yield from target.taken()
        parser.close()
    except DefusedXmlException:
        raise Invalid(
            f"{name} has a document type or entities, which is not safe to read; take them out", code="unsafe_xml"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise Invalid(f"{name} is not XML that can be read: {error}"[:300], code="unreadable_file") from None
    yield from target.taken()
    if not target.rooted:
        raise _no_feed(name)


def _no_feed(name: str) -> Invalid:
    return Invalid(f"{name} is not RSS 2.0 or Atom", code="unreadable_file")


@dataclass(slots=True)
class _Item:
    row: int
    texts: dict[str, str] = field(default_factory=dict)
    too_long: str = ""


class _Items:
    """What the parser tells, element by element. Keeps one item at a time."""

    def __init__(self, titled: bool) -> None:
        self.rooted = False
        self._titled = titled
        self._title = ""
        self._rows: list[RawNews | RowProblem] = []
        self._number = 0
        self._path: list[str] = []
        self._item: _Item | None = None
        self._reading: str | None = None
        self._depth = 0
        self._plain = False
        self._text: list[str] = []
        self._length = 0

    def taken(self) -> list[RawNews | RowProblem]:
        """Return the items that are complete, each once."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if not self._path:
            if tag not in _ROOTS:
                raise ValueError("RDF (RSS 1.0) is not supported" if tag == _RDF else "it is not RSS 2.0 or Atom")
            self.rooted = True
        self._path.append(tag)
        if len(self._path) > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        if self._reading is not None:
            return
        if tag in _ITEMS and self._item is None:
            self._number += 1
            self._item = _Item(self._number)
        elif self._item is not None and tag in _READ and self._path[-2] in _ITEMS:
            self._begin(tag, attributes)
        elif self._item is None and tag in ("title", f"{_ATOM}title") and len(self._path) <= 3 and not self._title:
            self._begin("feed title", attributes)

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == f"{_ATOM}link":
            if attributes.get("rel", "alternate") == "alternate" and self._item is not None:
                self._item.texts.setdefault(tag, attributes.get("href", ""))
            return
        if tag == "guid" and attributes.get("isPermaLink") == "false":
            return
        self._reading, self._depth, self._text, self._length = tag, len(self._path), [], 0
        # Atom says what its text is; RSS does not, and most of it is HTML.
        self._plain = tag.startswith(_ATOM) and attributes.get("type", "text") == "text"

    def data(self, text: str) -> None:
        """Take text."""
        if self._reading is None:
            return
        self._length += len(text)
        if self._length <= _LONGEST:
            self._text.append(text)

    def end(self, tag: str) -> None:
        """End an element."""
        depth = len(self._path)
        self._path.pop()
        if self._reading is not None:
            if depth == self._depth:
                self._finish(self._reading)
            else:
                self._text.append(" ")  # of markup inside Atom's XHTML
            return
        if tag in _ITEMS and self._item is not None and not any(part in _ITEMS for part in self._path):
            self._rows.append(self._row(self._item))
            self._item = None

    def close(self) -> None:
        """End the document."""

    def _finish(self, tag: str) -> None:
        text = "".join(self._text)
        self._reading = None
        if self._item is None:
            self._title = " ".join(plain_text(text).split())
        elif self._length > _LONGEST:
            self._item.too_long = tag.rpartition("}")[2]
        elif text.strip() and (tag != "guid" or text.strip().startswith("http")):
            self._item.texts.setdefault(tag, text if self._plain else plain_text(text))

    def _row(self, item: _Item) -> RawNews | RowProblem:
        if item.too_long:
            return RowProblem(item.row, item.too_long, f"has more than {_LONGEST} characters")
        found = {
            role: next((item.texts[name].strip() for name in names if item.texts.get(name, "").strip()), "")
            for role, names in _ROLES.items()
        }
        found["source"] = found["source"] or (self._title if self._titled else "")
        return RawNews(item.row, **found)
