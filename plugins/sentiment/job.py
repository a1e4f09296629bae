"""The job type ``sentiment_analysis``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aitrader.api import (
    Decay,
    FieldError,
    Invalid,
    Isolation,
    JobContext,
    JobType,
    Polarity,
    SentimentAggregate,
    SentimentColumns,
    file_stems,
    joined_sentiment,
    rfc3339,
    sentiment_as_of,
    sentiment_since_ms,
)
from plugins.sentiment.payload import (
    ScoredItem,
    SentimentPayload,
    SentimentReport,
    SymbolSentiment,
    WordWeight,
)
from plugins.sentiment.texts import Scored, find_texts, score_texts

TABLE = "sentiment.parquet"

_MOST_CHARTS = 20
_LEAST_IN_CHART = 3
_AHEAD_MS = 300_000


class SentimentJob(JobType):
    """Score texts or news, keep the scores with the time from when on each was known, and add them up."""

    name = "sentiment_analysis"
    title = "Sentiment analysis"
    payload_type = SentimentPayload
    result_type = SentimentReport
    isolation = Isolation.PROCESS
    max_attempts = 3
    deadline_s = 3600.0
    needs = ("sentiment_engine", "sentiment")
    example: Mapping[str, Any] = {
        "texts": [
            {"text": "Infosys raises its revenue guidance after a strong quarter", "symbols": ["NSE:INFY"]},
            "The regulator fines the bank for weak controls",
        ]
    }

    def run(self, context: JobContext, payload: SentimentPayload) -> SentimentReport:
        """Score the texts; record a row for each text and symbol, publish a table and pictures.

        Raises:
            NotFound: there is no such news.
            Invalid: a time is in the future, or the texts are about too many symbols.
            Unavailable: the engine or the database gave no usable answer; the job is tried again.
            JobCanceled: cancel was requested.
        """
        as_of = _as_of(context, payload)
        context.progress(0.0, "reading texts")
        found = find_texts(context, payload, as_of)
        symbols = found.symbols()
        scored = score_texts(context, found.texts, 0.05, 0.8)
        context.progress(0.8, "adding up")
        texts = {symbol: _texts_of(context, scored, symbol, as_of, payload.decay) for symbol in symbols}
        stored = _record(context, scored) if payload.store else 0
        context.progress(0.9, "writing")
        charts = _write(context, scored, texts, as_of, payload.decay)
        context.progress(1.0, "done")
        newest_first = sorted(scored, key=lambda item: (-item.text.available_at, item.text.key))
        counts = Counter(item.sentiment.label for item in scored)
        return SentimentReport(
            as_of=rfc3339(as_of),
            half_life_hours=payload.half_life_hours,
            window_hours=payload.window_hours,
            engine=context.sentiment_engine.name,
            model=context.sentiment_engine.model,
            texts=len(scored),
            counts={label.value: counts[label] for label in Polarity},
            stored=stored,
            items=[_item(item) for item in newest_first[: payload.limit]],
            symbols=[
                _symbol(sentiment_as_of(symbol, texts[symbol], as_of, payload.decay), scored, charts.get(symbol))
                for symbol in symbols
            ],
            next_since=None if found.next_since is None else rfc3339(found.next_since),
            artifacts=[TABLE, *charts.values()],
        )


def _as_of(context: JobContext, payload: SentimentPayload) -> int:
    now = context.now_ms
    as_of = payload.as_of_ms(now)
    if as_of > now + _AHEAD_MS:
        errors = [FieldError("payload.as_of", "is in the future")]
        raise Invalid("as_of is in the future", code="invalid_payload", errors=errors)
    return as_of


def _texts_of(
    context: JobContext, scored: Sequence[Scored], symbol: str, as_of: int, decay: Decay
) -> SentimentColumns:
    """Return all texts about a symbol that were available as of then: stored ones, and in their place new ones.

    They go back as far as the aggregates at the first text of this job and at ``as_of`` need.
    """
    new = sorted(
        (item for item in scored if symbol in item.text.symbols),
        key=lambda item: (item.text.available_at, item.text.key),
    )
    first = min(as_of, new[0].text.available_at)
    stored = context.sentiment.columns(
        symbol,
        until_ms=as_of + 1,
        since_ms=sentiment_since_ms(first, decay),
        without={item.text.key for item in new},
    )
    return joined_sentiment(stored, _columns([item for item in new if item.text.available_at <= as_of]))


def _columns(scored: Sequence[Scored]) -> SentimentColumns:
    import numpy as np

    return SentimentColumns(
        np.array([item.text.available_at for item in scored], dtype=np.int64),
        np.array([item.sentiment.score for item in scored], dtype=np.float64),
        np.array([item.text.weight for item in scored], dtype=np.float64),
    )


def _record(context: JobContext, scored: Sequence[Scored]) -> int:
    engine = context.sentiment_engine
    rows = [item.row(symbol, engine.name, engine.model) for item in scored for symbol in item.text.symbols]
    for row in rows:
        context.record(row)
    return len(rows)


def _write(
    context: JobContext, scored: Sequence[Scored], texts: Mapping[str, SentimentColumns], as_of: int, decay: Decay
) -> dict[str, str]:
    """Write the table and the pictures; return the name of each symbol's picture."""
    from plugins.sentiment.artifacts import PARQUET, write_table

    write_table(context.artifact(TABLE, PARQUET), scored)
    numbers = Counter(symbol for item in scored for symbol in item.text.symbols)
    drawn = [symbol for symbol, number in numbers.most_common(_MOST_CHARTS) if number >= _LEAST_IN_CHART]
    if not drawn:
        return {}
    from plugins.figures import PNG
    from plugins.sentiment.charts import write_chart

    charts = {}
    for symbol, stem in file_stems(sorted(drawn)).items():
        context.check()
        charts[symbol] = f"sentiment-{stem}.png"
        new = _columns([item for item in scored if symbol in item.text.symbols])
        write_chart(context.artifact(charts[symbol], PNG), symbol, new, texts[symbol], as_of, decay)
    return charts


def _item(scored: Scored) -> ScoredItem:
    text, sentiment = scored.text, scored.sentiment
    return ScoredItem(
        text=scored.shown,
        score=sentiment.score,
        label=sentiment.label.value,
        confidence=sentiment.confidence,
        words=[WordWeight(word=word, weight=weight) for word, weight in scored.words],
        symbols=list(text.symbols),
        source=text.source,
        weight=text.weight,
        available_at=rfc3339(text.available_at),
        truncated=scored.truncated,
    )


def _symbol(found: SentimentAggregate, scored: Sequence[Scored], chart: str | None) -> SymbolSentiment:
    return SymbolSentiment(
        symbol=found.symbol,
        as_of=rfc3339(found.as_of),
        score=found.score,
        label=None if found.label is None else found.label.value,
        weight=found.weight,
        count=found.count,
        dispersion=found.dispersion,
        change=found.change,
        newest_at=None if found.newest_at is None else rfc3339(found.newest_at),
        scored=sum(found.symbol in item.text.symbols for item in scored),
        chart=chart,
    )
