"""The schema. Every constraint has a name from one convention, so that migrations work on SQLite too."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from adapters.db.types import Json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only autoincrements INTEGER PRIMARY KEY, PostgreSQL wants 64 bits.
_Serial = BigInteger().with_variant(Integer, "sqlite")
_Id = String(36)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("job_type", String(64), nullable=False),
    Column("queue", String(32), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("payload", Json, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("status", String(16), nullable=False),
    Column("run_at", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("lease_token", _Id),
    Column("lease_until", BigInteger),
    Column("lease_owner", String(128)),
    Column("cancel_requested_at", BigInteger),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("progress_message", Text, nullable=False, server_default=""),
    Column("progress_seq", Integer, nullable=False, server_default="0"),
    Column("parent_id", _Id),
    Column("result", Json),
    Column("error_code", String(64)),
    Column("error", Text),
    Column("artifacts", Json),
    Column("trace", String(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    CheckConstraint("status IN ('queued','running','succeeded','failed','canceled','dead')", name="status"),
    UniqueConstraint("user_id", "idempotency_key"),
)
Index(
    "ix_jobs_claim",
    jobs.c.queue,
    jobs.c.priority.desc(),
    jobs.c.run_at,
    jobs.c.id,
    sqlite_where=text("status = 'queued'"),
    postgresql_where=text("status = 'queued'"),
)
Index(
    "ix_jobs_lease",
    jobs.c.lease_until,
    sqlite_where=text("status = 'running'"),
    postgresql_where=text("status = 'running'"),
)
Index("ix_jobs_user_id_id", jobs.c.user_id, jobs.c.id)

users = Table(
    "users",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("email", String(255), unique=True),
    Column("password_hash", String(255)),
    Column("role", String(16), nullable=False),
    Column("disabled_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)

user_tokens = Table(
    "user_tokens",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("prefix", String(24), nullable=False, unique=True),
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("rotated_from", _Id),
    Column("created_at", BigInteger, nullable=False),
)

backtest_results = Table(
    "backtest_results",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("step", String(64), nullable=False, server_default=""),
    Column("user_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("params", Json, nullable=False),
    Column("symbols", Json, nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("code_version", String(64), nullable=False),
    Column("seed", BigInteger),
    Column("trials", Integer, nullable=False, server_default="1"),
    Column("artifacts", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("job_id", "step"),
)
Index("ix_backtest_results_user_id_id", backtest_results.c.user_id, backtest_results.c.id)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("topic", String(32), nullable=False),
    Column("audience", String(64), nullable=False),
    Column("seq", BigInteger),
    Column("data", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("published_at", BigInteger),
    UniqueConstraint("topic", "audience", "seq"),
    sqlite_autoincrement=True,
)
Index(
    "ix_outbox_pending",
    outbox.c.id,
    sqlite_where=text("published_at IS NULL"),
    postgresql_where=text("published_at IS NULL"),
)
Index("ix_outbox_published_at", outbox.c.published_at)

event_streams = Table(
    "event_streams",
    metadata,
    Column("topic", String(32), primary_key=True),
    Column("audience", String(64), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("url", String(255), nullable=False, server_default=""),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),
    Column("failed_at", BigInteger, nullable=False, index=True),
)
Index("ix_login_failures_key_failed_at", login_failures.c.key, login_failures.c.failed_at)

login_links = Table(
    "login_links",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("action", String(64), nullable=False, index=True),
    Column("subject", String(160), nullable=False),
    Column("details", Json, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
