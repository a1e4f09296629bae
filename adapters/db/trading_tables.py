"""The tables of trading. Money and quantities are exact decimals as text; times are milliseconds UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from adapters.db.tables import metadata
from adapters.db.types import ExactDecimal, Json

_Id = String(36)
_Account = String(64)
_OPEN = "status IN ('new','sending','unknown','accepted','partially_filled')"

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Account, primary_key=True),
    Column("user_id", String(64), nullable=False, index=True),
    Column("broker", String(64), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("currency", String(8), nullable=False),
    Column("options", Json, nullable=False),
    Column("approval_required", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("approval_strategies", Json, nullable=False),
    Column("approval_minutes", Integer, nullable=False),
    Column("starting_cash", ExactDecimal, nullable=False, server_default="0"),
    Column("baseline_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("halted", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("mode IN ('paper','live')", name="mode"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("account", _Account, nullable=False),
    Column("broker", String(64), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("symbol", String(64), nullable=False),
    Column("side", String(4), nullable=False),
    Column("type", String(16), nullable=False),
    Column("product", String(16)),
    Column("time_in_force", String(8), nullable=False),
    Column("quantity", ExactDecimal, nullable=False),
    Column("price", ExactDecimal),
    Column("trigger_price", ExactDecimal),
    Column("tag", String(32), nullable=False),
    Column("status", String(24), nullable=False),
    Column("filled_quantity", ExactDecimal, nullable=False, server_default="0"),
    Column("average_price", ExactDecimal),
    Column("broker_order_id", String(64)),
    Column("decision_id", _Id),
    Column("strategy", String(64)),
    Column("idempotency_key", String(255)),
    Column("reason_code", String(64)),
    Column("reason", Text),
    Column("origin", String(16), nullable=False, server_default="manual"),
    Column("approval", String(16), nullable=False, server_default="not_needed"),
    Column("approval_expires_at", BigInteger),
    Column("reference_price", ExactDecimal),
    Column("send_by", BigInteger, nullable=False, server_default="0"),
    Column("sent_at", BigInteger),
    Column("unknown_since", BigInteger),
    Column("absent_reads", Integer, nullable=False, server_default="0"),
    Column("cancel_requested_at", BigInteger),
    Column("change", Json),
    Column("change_sent_at", BigInteger),
    Column("trace", String(64)),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("mode IN ('paper','live')", name="mode"),
    CheckConstraint("side IN ('buy','sell')", name="side"),
    CheckConstraint("type IN ('market','limit','stop','stop_limit')", name="type"),
    CheckConstraint("time_in_force IN ('day','gtc','ioc','fok')", name="time_in_force"),
    CheckConstraint(
        "status IN ('new','sending','accepted','partially_filled','filled','canceled','rejected','expired',"
        "'unknown','not_placed')",
        name="status",
    ),
    UniqueConstraint("broker", "account", "tag"),
    UniqueConstraint("user_id", "idempotency_key"),
)
Index("ix_orders_user_id_id", orders.c.user_id, orders.c.id)
Index("ix_orders_account_broker_order_id", orders.c.account, orders.c.broker_order_id)
Index("ix_orders_account_sent_at", orders.c.account, orders.c.sent_at)
Index("ix_orders_account_created_at", orders.c.account, orders.c.created_at)
Index("ix_orders_open", orders.c.account, orders.c.id, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN))

order_events = Table(
    "order_events",
    metadata,
    Column("order_id", _Id, ForeignKey("orders.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("status", String(24), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("filled_quantity", ExactDecimal, nullable=False),
    Column("reason_code", String(64)),
    Column("reason", Text),
)

fills = Table(
    "fills",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("order_id", _Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("account", _Account, nullable=False, server_default=""),
    Column("symbol", String(64), nullable=False, server_default=""),
    Column("side", String(4), nullable=False, server_default=""),
    Column("broker_fill_id", String(128), nullable=False),
    Column("quantity", ExactDecimal, nullable=False),
    Column("price", ExactDecimal, nullable=False),
    Column("fees", ExactDecimal, nullable=False, server_default="0"),
    Column("liquidity", String(8)),
    Column("filled_at", BigInteger, nullable=False),
    UniqueConstraint("account", "broker_fill_id"),
)
Index("ix_fills_account_filled_at", fills.c.account, fills.c.filled_at)
Index("ix_fills_account_symbol", fills.c.account, fills.c.symbol)

positions = Table(
    "positions",
    metadata,
    Column("account", _Account, primary_key=True),
    Column("symbol", String(64), primary_key=True),
    Column("quantity", ExactDecimal, nullable=False),
    Column("lots", Json, nullable=False),
    Column("realized_pnl", ExactDecimal, nullable=False),
    Column("fees", ExactDecimal, nullable=False),
    Column("opening_quantity", ExactDecimal, nullable=False),
    Column("opening_price", ExactDecimal, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

risk_limits = Table(
    "risk_limits",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("strategy", String(64), primary_key=True),
    Column("limits", Json, nullable=False),
)

switches = Table(
    "switches",
    metadata,
    Column("scope", _Account, primary_key=True),
    Column("engaged", Boolean(create_constraint=False), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("flatten", Boolean(create_constraint=False), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

armings = Table(
    "armings",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("armed_by", String(160), nullable=False),
    Column("armed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

desk_leases = Table(
    "desk_leases",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("token", _Id, nullable=False),
    Column("owner", String(255), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("seen_epoch", BigInteger, nullable=False),
)

broker_states = Table(
    "broker_states",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("state", Json, nullable=False),
)

desk_requests = Table(
    "desk_requests",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", _Account, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("result", Json),
    Column("error", Text),
    Column("finished_at", BigInteger),
)

equity_points = Table(
    "equity_points",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("cash", ExactDecimal, nullable=False),
    Column("equity", ExactDecimal),
    Column("realized_pnl", ExactDecimal, nullable=False),
    Column("unrealized_pnl", ExactDecimal),
    Column("fees", ExactDecimal, nullable=False),
)

quotes = Table(
    "quotes",
    metadata,
    Column("symbol", String(64), primary_key=True),
    Column("price", ExactDecimal, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("bid", ExactDecimal),
    Column("ask", ExactDecimal),
    Column("volume", ExactDecimal),
    Column("source", String(64), nullable=False),
)

broker_journal = Table(
    "broker_journal",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Json, nullable=False),
)

vaults = Table(
    "vaults",
    metadata,
    Column("account", _Account, ForeignKey("accounts.id"), primary_key=True),
    Column("secret", Text, nullable=False),
)
