"""News of others into news of ours: checked, normalised, and each the same item however often it comes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from domain.common.errors import FieldError, Invalid
from domain.common.ids import new_id
from domain.intelligence.aliases import NO_ALIASES, Aliases
from domain.intelligence.news import NewsItem
from domain.intelligence.news_times import DateOrder, NewsTime, read_time
from domain.market.model import parse_symbol
from domain.market.validation import MAX_LISTED, RowProblem

MAX_TITLE = 1000
MAX_TEXT = 65_536
MAX_URL = 2048
MAX_SOURCE = 64
MAX_SYMBOLS = 32

_FIRST_MS = 315_532_800_000  # 1980: what is older is a wrong unit or a missing value
_AHEAD_MS = 300_000
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SEPARATORS = re.compile(r"[;,|]")


@dataclass(frozen=True, slots=True)
class RawNews:
    """One item as its source has it. ``row`` is the number that a person sees there.

    A time is text, a Unix time, or a `NewsTime` where the source is exact about it.
    """

    row: int
    title: str = ""
    text: str = ""
    url: str = ""
    source: str = ""
    symbols: str | Sequence[str] = ()
    published: str | float | NewsTime | None = None
    available: str | float | NewsTime | None = None


@dataclass(frozen=True, slots=True)
class NewsRules:
    """How to read what a source leaves open.

    Args:
        zone: of times that state none; None refuses those.
        date_order: of day and month in 3/4/2024; None refuses such dates.
        source: of items that name none.
        symbols: what every item is about, besides what it says itself.
        aliases: names of symbols to look for in title and text.
        received_ms: when all of it was received; an item that says so itself knows better.
    """

    user_id: str
    now_ms: int
    zone: ZoneInfo | None = None
    date_order: DateOrder | None = None
    source: str = ""
    symbols: tuple[str, ...] = ()
    aliases: Aliases = NO_ALIASES
    received_ms: int | None = None


@dataclass(slots=True)
class Tally:
    """What a reading of rows has come to so far; ``problems`` are the first of ``bad`` rows' problems."""

    read: int = 0
    bad: int = 0
    repeated: int = 0
    found: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def good(self, item: NewsItem) -> None:
        """Count an item."""
        self.repeated += item.key in self._seen
        self._seen.add(item.key)

    def wrong(self, problems: Sequence[RowProblem]) -> None:
        """Count a bad row."""
        self.bad += 1
        self.found += len(problems)
        self.problems += problems[: MAX_LISTED - len(self.problems)]

    def refuse(self, where: str) -> None:
        """Stop if there are bad rows.

        Raises:
            Invalid: there are; the first one is told with its row.
        """
        if not self.bad:
            return
        first = self.problems[0]
        more = f" (and {self.found - 1} more problems)" if self.found > 1 else ""
        raise Invalid(
            f"{where}: row {first.row}: {first.field} {first.message}{more}",
            code="invalid_news",
            errors=[problem.as_error() for problem in self.problems] if self.found > 1 else (),
        )


def news_items(rows: Iterable[RawNews | RowProblem], rules: NewsRules, tally: Tally) -> Iterator[NewsItem]:
    """Return the good ones as items; ``tally`` counts all, and keeps what is wrong with the others."""
    for row in rows:
        tally.read += 1
        if isinstance(row, RowProblem):
            tally.wrong([row])
            continue
        try:
            item = news_item(row, rules)
        except Invalid as error:
            tally.wrong([RowProblem(row.row, problem.field, problem.message) for problem in error.errors])
            continue
        tally.good(item)
        yield item


def news_item(raw: RawNews, rules: NewsRules) -> NewsItem:
    """Return one item.

    Raises:
        Invalid: it has neither title nor text, no time, a time that cannot be, text that is too long, a URL that is
            none, or a symbol that is none; all of that is named.
    """
    problems: list[FieldError] = []
    title, text = _line(raw.title, "title", MAX_TITLE, problems), _paragraphs(raw.text, problems)
    source = _line(raw.source or rules.source, "source", MAX_SOURCE, problems)
    url = _url(raw.url, problems)
    if not title and not text:
        problems.append(FieldError("title", "is missing, and so is text"))
    times = _times(raw, rules, problems)
    named = _symbols(raw.symbols, problems)
    if problems or times is None:
        raise Invalid("the news is not valid", code="invalid_news", errors=problems)
    told = [*named, *rules.symbols, *rules.aliases.symbols_in(f"{title}\n{text}")]
    symbols = tuple(dict.fromkeys(told))[:MAX_SYMBOLS]
    published, available = times
    return NewsItem(
        id=new_id(),
        user_id=rules.user_id,
        key=news_key(source, title or text, url, published),
        source=source,
        title=title,
        text=text,
        url=url,
        symbols=symbols,
        published_at=published,
        available_at=available,
        imported_at=rules.now_ms,
    )


def news_key(source: str, title: str, url: str, published_at: int) -> str:
    """Return what makes an item the same one: its URL, or else its source, title and time. SHA-256, hexadecimal."""
    identity = ["url", url] if url else ["item", source, title, published_at]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def text_key(text: str, source: str, at_ms: int | None = None) -> str:
    """Return what makes a text that is no news item the same one: its words, its source, and its time if it has one.

    SHA-256, hexadecimal. The same words on another day are another text; without a time they are the same one.
    """
    identity = json.dumps(["text", " ".join(text.split()), source, at_ms])
    return hashlib.sha256(identity.encode()).hexdigest()


def _line(value: str, name: str, most: int, problems: list[FieldError]) -> str:
    return _checked(" ".join(_CONTROLS.sub(" ", value).split()), name, most, problems)


def _paragraphs(value: str, problems: list[FieldError]) -> str:
    lines = (line.strip() for line in _CONTROLS.sub(" ", value).replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return _checked("\n".join(lines).strip(), "text", MAX_TEXT, problems)


def _checked(text: str, name: str, most: int, problems: list[FieldError]) -> str:
    if "\0" in text:
        problems.append(FieldError(name, "holds a NUL character"))
    elif _SURROGATE.search(text):
        problems.append(FieldError(name, "holds half a character (a lone surrogate)"))
    elif len(text) > most:
        problems.append(FieldError(name, f"has {len(text)} characters; at most {most} are allowed"))
    return text


def _url(value: str, problems: list[FieldError]) -> str:
    url = value.strip()
    if not url:
        return ""
    if not re.match(r"https?://[^/\s]", url, re.IGNORECASE) or re.search(r"\s", url):
        problems.append(FieldError("url", "must start with http:// or https:// and hold no space"))
    return _checked(url, "url", MAX_URL, problems)


def _symbols(value: str | Sequence[str], problems: list[FieldError]) -> list[str]:
    names = _SEPARATORS.split(value) if isinstance(value, str) else value
    found = []
    for name in filter(None, (name.strip() for name in names)):
        try:
            found.append(parse_symbol(name))
        except Invalid:
            message = f"{name[:40]!r} is not a symbol; expected such as NSE:INFY, several separated by ;"
            problems.append(FieldError("symbols", message))
    if len(found) > MAX_SYMBOLS:
        problems.append(FieldError("symbols", f"are {len(found)}; at most {MAX_SYMBOLS} are allowed"))
    return found


def _times(raw: RawNews, rules: NewsRules, problems: list[FieldError]) -> tuple[int, int] | None:
    """Return when it was published, and from when on it could be known."""
    before = len(problems)
    published = _time(raw.published, "published", rules, problems)
    stated = _time(raw.available, "available", rules, problems)
    if len(problems) > before:
        return None
    received = rules.received_ms if stated is None else stated.known
    if published is None:
        if received is None:
            problems.append(FieldError("published", "is missing"))
            return None
        return received, received
    if stated is not None and stated.known < published.at:
        problems.append(FieldError("available", "is before it was published"))
        return None
    if stated is not None:
        return published.at, stated.known
    return published.at, max(published.known, received or published.known)


def _time(
    value: str | float | NewsTime | None, name: str, rules: NewsRules, problems: list[FieldError]
) -> NewsTime | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        found = value if isinstance(value, NewsTime) else read_time(value, rules.zone, rules.date_order)
    except ValueError as error:
        problems.append(FieldError(name, str(error)))
        return None
    if found.at < _FIRST_MS:
        problems.append(FieldError(name, "is before 1980"))
    elif found.at > rules.now_ms + _AHEAD_MS:
        problems.append(FieldError(name, "is in the future; is its time zone right?"))
    return found
