"""The tables of strategies and decisions. Times are milliseconds UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from adapters.db.tables import metadata
from adapters.db.types import ExactDecimal, Json

_Id = String(36)

strategies = Table(
    "strategies",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("engine", String(64), nullable=False),
    Column("symbols", Json, nullable=False),
    Column("params", Json, nullable=False),
    Column("account", String(64)),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("user_id", "name"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("strategy_id", _Id, nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("engine", String(64), nullable=False),
    Column("signal", _Id, nullable=False),
    Column("symbol", String(64), nullable=False),
    Column("action", String(8), nullable=False),
    Column("quantity", ExactDecimal, nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("rationale", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Column("fallback", Boolean(create_constraint=False), nullable=False),
    Column("price", Float(53)),
    Column("risk", Json, nullable=False),
    Column("account", String(64)),
    Column("order_id", _Id),
    Column("as_of", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("inputs", Json, nullable=False),
    UniqueConstraint("strategy_id", "signal"),
)
Index("ix_decisions_user_id_id", decisions.c.user_id, decisions.c.id)
Index("ix_decisions_user_id_symbol_id", decisions.c.user_id, decisions.c.symbol, decisions.c.id)

strategy_rewards = Table(
    "strategy_rewards",
    metadata,
    Column("strategy_id", _Id, primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("trades", Integer, nullable=False),
)
