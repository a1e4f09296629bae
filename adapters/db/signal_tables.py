"""The table of signals. Times are milliseconds UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, String, Table, UniqueConstraint

from adapters.db.tables import metadata
from adapters.db.types import Json

signals = Table(
    "signals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("signal_id", String(128), nullable=False),
    Column("symbol", String(64), nullable=False),
    Column("score", Float(53), nullable=False),
    Column("pattern", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("ttl_ms", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("meta", Json, nullable=False),
    UniqueConstraint("user_id", "source", "signal_id"),
)
Index("ix_signals_user_id_id", signals.c.user_id, signals.c.id)
Index("ix_signals_user_id_symbol_id", signals.c.user_id, signals.c.symbol, signals.c.id)
