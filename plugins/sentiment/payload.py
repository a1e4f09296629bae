"""What a sentiment analysis asks for and what it answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from aitrader.api import Decay, Invalid, MomentField, StrictModel, SymbolField, decay_of, to_ms

MAX_TEXTS = 1000
MAX_CHARACTERS = 20_000
MAX_NEWS = 10_000
MAX_SYMBOLS = 200

LabelName = Literal["negative", "neutral", "positive"]


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than blanks")
    if "\0" in text:
        raise ValueError("must hold no NUL character")
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


Text = Annotated[str, AfterValidator(_filled)]
Source = Annotated[str, Field(max_length=64), AfterValidator(_one_line)]


class TextItem(StrictModel):
    """A text to score. In a list of texts a string stands for one that says nothing more."""

    text: Text = Field(min_length=1, max_length=MAX_CHARACTERS, examples=["INFY raises its guidance"])
    symbols: list[SymbolField] = Field(
        default_factory=list,
        max_length=32,
        description="What it is about; only then does it count for anything.",
        examples=[["NSE:INFY"]],
    )
    source: Source = Field(default="", description="Where it stood.", examples=["reuters"])
    published_at: MomentField | None = Field(default=None, description="When it was published.")
    available_at: MomentField | None = Field(
        default=None,
        description="From when on it could be known; `published_at` where left out, else when the job runs.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.published_at and self.available_at and self.available_at < self.published_at:
            raise ValueError("available_at must not be before published_at")
        return self


class NewsChoice(StrictModel):
    """Which of the news that were imported before."""

    symbols: list[SymbolField] = Field(
        default_factory=list, max_length=20, description="About these; about any, or none, when empty."
    )
    since: MomentField | None = Field(
        default=None, description="Available since then; as long before `until` as the window is, where left out."
    )
    until: MomentField | None = Field(
        default=None, description="Available before then; up to `as_of` where left out."
    )
    source: Source | None = Field(default=None, description="Of this source alone.")
    limit: int = Field(default=1000, ge=1, le=MAX_NEWS, description="At most so many, the oldest first.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class SentimentPayload(StrictModel):
    """Score texts, or news that were imported before, and add up what they say about each symbol."""

    texts: list[TextItem] | None = Field(
        default=None, min_length=1, max_length=MAX_TEXTS, description="Texts to score; or give `news`."
    )
    news: NewsChoice | None = Field(default=None, description="News to score; or give `texts`.")
    symbols: list[SymbolField] = Field(
        default_factory=list, max_length=20, description="Short for `news` with these symbols and nothing else."
    )
    half_life_hours: float = Field(default=48.0, gt=0, description="After so many hours a text counts half.")
    window_hours: float = Field(default=336.0, gt=0, description="After so many hours a text counts no more.")
    source_weights: dict[Source, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        max_length=200,
        description="What a text counts by its source; 1 for sources that are not named.",
        examples=[{"reuters": 1.0, "blog": 0.3}],
    )
    as_of: MomentField | None = Field(
        default=None, description="Add up what was available then or before; where left out, when the job runs."
    )
    store: bool = Field(default=True, description="Whether the scores are kept, so that others can use them.")
    limit: int = Field(
        default=100, ge=0, le=1000, description="Most texts listed, newest first; all are in the table."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if isinstance(data.get("texts"), list):
            data = {**data, "texts": [{"text": text} if isinstance(text, str) else text for text in data["texts"]]}
        if data.get("symbols"):
            if data.get("texts") is not None or data.get("news") is not None:
                raise ValueError("symbols stand for news with these symbols; say them inside texts or news")
            data = {**data, "symbols": [], "news": {"symbols": data["symbols"]}}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.texts is None) == (self.news is None):
            raise ValueError("give texts or news, one of the two")
        try:
            _ = self.decay
        except Invalid as error:
            raise ValueError(error.detail) from None
        return self

    @property
    def decay(self) -> Decay:
        """How fast texts are forgotten."""
        return decay_of(self.half_life_hours, self.window_hours)

    def as_of_ms(self, now_ms: int) -> int:
        """Return the moment to add up at, in milliseconds UTC."""
        return now_ms if self.as_of is None else to_ms(self.as_of)

    def weight(self, source: str) -> float:
        """Return what a text of a source counts."""
        return self.source_weights.get(source, 1.0)


class WordWeight(StrictModel):
    """How a word moved the score."""

    word: str
    weight: float = Field(description="Above zero it speaks for positive.")


class ScoredItem(StrictModel):
    """What the engine says of one text."""

    text: str = Field(description="Its beginning.")
    score: float = Field(description="p(positive) − p(negative), −1…1.")
    label: LabelName
    confidence: float = Field(description="Probability of the label.")
    words: list[WordWeight] = Field(
        description="What decided, the heaviest first; empty where the engine cannot say."
    )
    symbols: list[str]
    source: str
    weight: float = Field(description="What its source counts.")
    available_at: str = Field(description="RFC 3339; from when on it could be known.")
    truncated: bool = Field(description="The engine read only the beginning.")


class SymbolSentiment(StrictModel):
    """What all texts about a symbol add up to: those of this job and those that were stored before."""

    symbol: str
    as_of: str = Field(description="RFC 3339; texts that were available then or before count.")
    score: float | None = Field(description="Weighted mean, −1…1; null without texts in the window.")
    label: LabelName | None = Field(description="Neutral where the score is nearer to 0 than 0.1.")
    weight: float = Field(description="Sum of the decayed weights.")
    count: int = Field(description="Texts in the window that weigh anything.")
    dispersion: float | None = Field(description="Weighted standard deviation; null below two texts.")
    change: float | None = Field(description="Score minus that one half-life before; null where either is.")
    newest_at: str | None = Field(description="RFC 3339; when the newest of them was available.")
    scored: int = Field(description="Texts about it in this job, whenever they were available.")
    chart: str | None = Field(description="Name of its picture; for the symbols with most texts, from three on.")


class SentimentReport(StrictModel):
    """The result of a sentiment analysis."""

    as_of: str
    half_life_hours: float
    window_hours: float
    engine: str
    model: str
    texts: int = Field(description="Texts that were scored.")
    counts: dict[LabelName, int] = Field(description="Texts by label.")
    stored: int = Field(description="Rows kept: one for each text and symbol.")
    items: list[ScoredItem] = Field(description="Available last first, at most `limit`.")
    symbols: list[SymbolSentiment] = Field(description="By symbol.")
    next_since: str | None = Field(
        description="RFC 3339; there were more news than `limit`: go on with them by this `since`."
    )
    artifacts: list[str] = Field(description="Names of the files.")
