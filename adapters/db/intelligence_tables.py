"""The tables of models, suggestions, news and sentiment. Times are milliseconds UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from adapters.db.tables import metadata
from adapters.db.types import Json

_Id = String(36)
_Real = Float(53)

models = Table(
    "models",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("job_id", _Id),
    Column("name", String(64), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("universe", Json, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("manifest", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("activated_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("status IN ('candidate','active','retired')", name="status"),
)
Index("ix_models_name_id", models.c.name, models.c.id)
Index(
    "ux_models_active",
    models.c.name,
    unique=True,
    sqlite_where=text("status = 'active'"),
    postgresql_where=text("status = 'active'"),
)

suggestions = Table(
    "suggestions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("job_id", _Id),
    Column("symbol", String(64), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("model_id", _Id, nullable=False),
    Column("model", String(64), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("action", String(8), nullable=False),
    Column("probability", _Real, nullable=False),
    Column("probabilities", Json, nullable=False),
    Column("base_rates", Json, nullable=False),
    Column("horizon", Integer, nullable=False),
    Column("barrier", _Real, nullable=False),
    Column("entry", _Real, nullable=False),
    Column("stop", _Real),
    Column("target", _Real),
    Column("quantity", Text),
    Column("account", String(64)),
    Column("currency", String(8), nullable=False),
    Column("expected_r", _Real),
    Column("in_sample", Boolean, nullable=False),
    Column("backfilled", Boolean, nullable=False),
    Column("beats_baselines", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("contributions", Json, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("outcome", String(8)),
    Column("outcome_return", _Real),
    Column("resolved_at", BigInteger),
    CheckConstraint("action IN ('buy','sell','hold')", name="action"),
    CheckConstraint("outcome IN ('down','flat','up')", name="outcome"),
)
Index("ix_suggestions_user_id_id", suggestions.c.user_id, suggestions.c.id)
Index("ix_suggestions_user_id_symbol_id", suggestions.c.user_id, suggestions.c.symbol, suggestions.c.id)
Index("ix_suggestions_model_id_id", suggestions.c.model_id, suggestions.c.id)
Index(
    "ix_suggestions_unresolved",
    suggestions.c.id,
    sqlite_where=text("outcome IS NULL"),
    postgresql_where=text("outcome IS NULL"),
)

news = Table(
    "news",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("symbols", Json, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("imported_at", BigInteger, nullable=False),
    UniqueConstraint("user_id", "key"),
)
Index("ix_news_user_id_id", news.c.user_id, news.c.id)
Index("ix_news_user_id_available_at", news.c.user_id, news.c.available_at)

news_symbols = Table(
    "news_symbols",
    metadata,
    Column("news_id", _Id, ForeignKey("news.id", ondelete="CASCADE"), primary_key=True),
    Column("symbol", String(64), primary_key=True),
)
Index("ix_news_symbols_symbol", news_symbols.c.symbol, news_symbols.c.news_id)

sentiments = Table(
    "sentiments",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("job_id", _Id),
    Column("symbol", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("score", _Real, nullable=False),
    Column("label", String(16), nullable=False),
    Column("confidence", _Real, nullable=False),
    Column("weight", _Real, nullable=False),
    Column("engine", String(64), nullable=False),
    Column("model", String(128), nullable=False),
    Column("text", Text, nullable=False),
    Column("words", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("user_id", "symbol", "key"),
    CheckConstraint("label IN ('negative','neutral','positive')", name="label"),
)
Index(
    "ix_sentiments_user_id_symbol_available_at", sentiments.c.user_id, sentiments.c.symbol, sentiments.c.available_at
)
Index("ix_sentiments_user_id_available_at", sentiments.c.user_id, sentiments.c.available_at, sentiments.c.id)
