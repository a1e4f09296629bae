"""The shapes of sentiment in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from adapters.http.schemas import Model

_CURSOR = "^[A-Za-z0-9_-]{32}$"
LabelName = Literal["negative", "neutral", "positive"]
Score = Annotated[float, Field(ge=-1, le=1, description="-1 bad, 1 good", examples=[0.42])]
Symbol = Annotated[str, Field(min_length=1, max_length=45, examples=["NSE:INFY"])]


class DecayQuery(Model):
    """How fast texts are forgotten."""

    half_life_hours: float = Field(default=48, gt=0, description="after so long a text counts half")
    window_hours: float = Field(
        default=336, gt=0, description="after so long it counts no more; at most 512 half-lives"
    )


class SentimentQuery(DecayQuery):
    """Whose sentiment, and as of when."""

    symbol: Symbol | None = Field(default=None, description="of all symbols (at most 200) where left out")
    as_of: datetime | None = Field(default=None, description="as it was known then; now where left out")


class SymbolSentiment(Model):
    """What the texts about a symbol add up to."""

    symbol: str = Field(examples=["NSE:INFY"])
    as_of: datetime
    score: Score | None = Field(description="weighted mean; null without texts in the window")
    label: LabelName | None = Field(description="neutral where the score is nearer to 0 than 0.1")
    weight: float = Field(description="sum of the decayed weights: how much stands behind the score")
    count: int = Field(description="texts in the window that weigh anything")
    dispersion: float | None = Field(description="weighted standard deviation; null below two texts")
    change: float | None = Field(description="score minus that one half-life before; null where either is")
    newest_at: datetime | None = Field(description="when the newest of them was available")


class SentimentList(Model):
    """What the texts add up to, by symbol."""

    as_of: datetime
    half_life_hours: float
    window_hours: float
    items: list[SymbolSentiment]


class HistoryQuery(DecayQuery):
    """Which stretch of the past."""

    symbol: Symbol
    from_: datetime | None = Field(default=None, alias="from", description="30 days before `to` where left out")
    to: datetime | None = Field(default=None, description="now where left out")
    step_hours: float = Field(default=6, gt=0, description="at most 2000 points")


class SentimentPoint(Model):
    """What it was at one moment."""

    time: datetime
    score: Score | None
    weight: float
    count: int


class SentimentHistory(Model):
    """What it was, the oldest first: at each time of texts that were available then or before."""

    symbol: str
    half_life_hours: float
    window_hours: float
    items: list[SentimentPoint]


class TextQuery(Model):
    """Which scored texts."""

    symbol: Symbol | None = None
    source: str | None = Field(default=None, min_length=1, max_length=64)
    since: datetime | None = Field(default=None, description="available from this time on")
    until: datetime | None = Field(default=None, description="available before this time")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class ScoredText(Model):
    """What an engine said of a text, for one symbol."""

    id: UUID
    symbol: str
    source: str
    available_at: datetime = Field(description="from when on the text could be known")
    score: Score
    label: LabelName
    confidence: float = Field(ge=0, le=1, description="probability of the label")
    weight: float = Field(ge=0, le=1, description="what its source counts")
    engine: str
    model: str
    text: str = Field(description="its beginning")
    words: list[tuple[str, float]] = Field(description="what decided; above 0 speaks for good")
    job_id: UUID | None
    created_at: datetime


class TextPage(Model):
    """Scored texts, available last first."""

    items: list[ScoredText]
    next_cursor: str | None
