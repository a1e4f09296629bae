"""The texts of a sentiment analysis, wherever they come from, and what the engine says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aitrader.api import (
    FieldError,
    Invalid,
    JobContext,
    NewsItem,
    NotFound,
    ScoredText,
    Sentiment,
    rfc3339,
    text_key,
    to_ms,
)
from plugins.sentiment.payload import MAX_CHARACTERS, MAX_SYMBOLS, NewsChoice, SentimentPayload

BATCH = 64

_SHOWN = 300
_MOST_WORDS = 10
_AHEAD_MS = 300_000


@dataclass(frozen=True, slots=True)
class Text:
    """A text before it is scored. ``cut``: only its beginning is here. Times are milliseconds UTC."""

    key: str
    text: str
    symbols: tuple[str, ...]
    source: str
    weight: float
    available_at: int
    published_at: int | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """A text and what the engine says of it."""

    text: Text
    sentiment: Sentiment

    @property
    def shown(self) -> str:
        """The beginning of the text."""
        return self.text.text[:_SHOWN]

    @property
    def words(self) -> tuple[tuple[str, float], ...]:
        """The words that decided."""
        return self.sentiment.words[:_MOST_WORDS]

    @property
    def truncated(self) -> bool:
        """Whether the engine read only the beginning."""
        return self.text.cut or self.sentiment.truncated

    def row(self, symbol: str, engine: str, model: str) -> ScoredText:
        """Return the row to keep for a symbol."""
        return ScoredText(
            symbol=symbol,
            key=self.text.key,
            source=self.text.source,
            available_at=self.text.available_at,
            score=self.sentiment.score,
            label=self.sentiment.label.value,
            confidence=self.sentiment.confidence,
            weight=self.text.weight,
            engine=engine,
            model=model,
            text=self.shown,
            words=[[word, weight] for word, weight in self.words],
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The texts to score; ``next_since``: where more of them go on."""

    texts: list[Text]
    next_since: int | None = None

    def symbols(self) -> list[str]:
        """Return what they are about, sorted.

        Raises:
            Invalid: that are more than 200 symbols.
        """
        symbols = sorted({symbol for text in self.texts for symbol in text.symbols})
        if len(symbols) > MAX_SYMBOLS:
            raise Invalid(
                f"the texts are about {len(symbols)} symbols; at most {MAX_SYMBOLS} are allowed in one job",
                code="too_many_symbols",
            )
        return symbols


def find_texts(context: JobContext, payload: SentimentPayload, as_of: int) -> Found:
    """Return the texts that a payload asks for, each once.

    Raises:
        NotFound: there is no such news.
        Invalid: a text has a time in the future.
        Unavailable: the database did not answer.
    """
    if payload.news is not None:
        return _news(context, payload, payload.news, as_of)
    return Found(_once(_given(payload, context.now_ms)))


def _once(texts: Sequence[Text]) -> list[Text]:
    """Return each text once, about all that it is said to be about."""
    found: dict[str, Text] = {}
    for text in texts:
        before = found.get(text.key, text)
        found[text.key] = replace(text, symbols=tuple(dict.fromkeys((*before.symbols, *text.symbols))))
    return list(found.values())


def _given(payload: SentimentPayload, now_ms: int) -> list[Text]:
    found = []
    for place, item in enumerate(payload.texts or ()):
        published = None if item.published_at is None else to_ms(item.published_at)
        available = to_ms(item.available_at) if item.available_at else now_ms if published is None else published
        if available > now_ms + _AHEAD_MS:
            where = f"payload.texts.{place}"
            errors = [FieldError(f"{where}.available_at", "is in the future")]
            raise Invalid(f"{where} is available in the future only", code="invalid_payload", errors=errors)
        stated = None if item.published_at is None and item.available_at is None else available
        key, weight = text_key(item.text, item.source, stated), payload.weight(item.source)
        found.append(Text(key, item.text, tuple(item.symbols), item.source, weight, available, published))
    return found


def _news(context: JobContext, payload: SentimentPayload, choice: NewsChoice, as_of: int) -> Found:
    until = as_of + 1 if choice.until is None else to_ms(choice.until)
    since = until - 1 - payload.decay.window_ms if choice.since is None else to_ms(choice.since)
    wanted: Sequence[str | None] = choice.symbols or [None]
    items: dict[str, NewsItem] = {}
    for symbol in wanted:
        found = context.sentiment.news(
            symbol, since_ms=since, until_ms=until, limit=choice.limit + 1, source=choice.source
        )
        items |= {item.id: item for item in found}
    ordered = sorted(items.values(), key=lambda item: (item.available_at, item.id))
    if not ordered:
        raise NotFound(
            f"there is no such news from {rfc3339(since)} to {rfc3339(until)}; say another `since` or `until`, "
            "or import some with aitrader news import, or POST /news",
            code="no_news",
        )
    taken = ordered[: choice.limit]
    more = taken[-1].available_at if len(ordered) > choice.limit else None
    return Found([_of_news(item, payload, choice.symbols) for item in taken], more)


def _of_news(item: NewsItem, payload: SentimentPayload, wanted: Sequence[str]) -> Text:
    whole = "\n\n".join(filter(None, (item.title, item.text)))
    return Text(
        key=item.key,
        text=whole[:MAX_CHARACTERS],
        symbols=tuple(symbol for symbol in item.symbols if not wanted or symbol in wanted),
        source=item.source,
        weight=payload.weight(item.source),
        available_at=item.available_at,
        published_at=item.published_at,
        cut=len(whole) > MAX_CHARACTERS,
    )


def score_texts(context: JobContext, texts: Sequence[Text], first: float, last: float) -> list[Scored]:
    """Score texts in batches, with progress from ``first`` to ``last``.

    Raises:
        Unavailable: the engine gave no usable answer.
        JobCanceled: cancel was requested.
    """
    engine = context.sentiment_engine
    scored: list[Scored] = []
    for start in range(0, len(texts), BATCH):
        share = start / len(texts)
        context.progress(first + (last - first) * share, f"scoring {start} of {len(texts)} texts")
        batch = texts[start : start + BATCH]
        found = engine.score([text.text for text in batch])
        scored += [Scored(text, sentiment) for text, sentiment in zip(batch, found, strict=True)]
    return scored
