"""Models, suggestions, news and sentiment.

Revision: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=False),
        sa.Column("universe", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("status IN ('candidate','active','retired')", name=op.f("ck_models_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.create_index("ix_models_name_id", ["name", "id"], unique=False)
        batch_op.create_index(
            "ux_models_active",
            ["name"],
            unique=True,
            sqlite_where=sa.text("status = 'active'"),
            postgresql_where=sa.text("status = 'active'"),
        )

    op.create_table(
        "news",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("symbols", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_news")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_news_user_id_key")),
    )
    with op.batch_alter_table("news", schema=None) as batch_op:
        batch_op.create_index("ix_news_user_id_available_at", ["user_id", "available_at"], unique=False)
        batch_op.create_index("ix_news_user_id_id", ["user_id", "id"], unique=False)

    op.create_table(
        "sentiments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(precision=53), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=False),
        sa.Column("weight", sa.Float(precision=53), nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("label IN ('negative','neutral','positive')", name=op.f("ck_sentiments_label")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sentiments")),
        sa.UniqueConstraint("user_id", "symbol", "key", name=op.f("uq_sentiments_user_id_symbol_key")),
    )
    with op.batch_alter_table("sentiments", schema=None) as batch_op:
        batch_op.create_index("ix_sentiments_user_id_available_at", ["user_id", "available_at", "id"], unique=False)
        batch_op.create_index(
            "ix_sentiments_user_id_symbol_available_at", ["user_id", "symbol", "available_at"], unique=False
        )

    op.create_table(
        "suggestions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=False),
        sa.Column("model_id", sa.String(length=36), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("probability", sa.Float(precision=53), nullable=False),
        sa.Column("probabilities", sa.Text(), nullable=False),
        sa.Column("base_rates", sa.Text(), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("barrier", sa.Float(precision=53), nullable=False),
        sa.Column("entry", sa.Float(precision=53), nullable=False),
        sa.Column("stop", sa.Float(precision=53), nullable=True),
        sa.Column("target", sa.Float(precision=53), nullable=True),
        sa.Column("quantity", sa.Text(), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=8), nullable=False),
        sa.Column("expected_r", sa.Float(precision=53), nullable=True),
        sa.Column("in_sample", sa.Boolean(), nullable=False),
        sa.Column("backfilled", sa.Boolean(), nullable=False),
        sa.Column("beats_baselines", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("contributions", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("outcome_return", sa.Float(precision=53), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("action IN ('buy','sell','hold')", name=op.f("ck_suggestions_action")),
        sa.CheckConstraint("outcome IN ('down','flat','up')", name=op.f("ck_suggestions_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestions")),
    )
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.create_index("ix_suggestions_model_id_id", ["model_id", "id"], unique=False)
        batch_op.create_index(
            "ix_suggestions_unresolved",
            ["id"],
            unique=False,
            sqlite_where=sa.text("outcome IS NULL"),
            postgresql_where=sa.text("outcome IS NULL"),
        )
        batch_op.create_index("ix_suggestions_user_id_id", ["user_id", "id"], unique=False)
        batch_op.create_index("ix_suggestions_user_id_symbol_id", ["user_id", "symbol", "id"], unique=False)

    op.create_table(
        "news_symbols",
        sa.Column("news_id", sa.String(length=36), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["news_id"], ["news.id"], name=op.f("fk_news_symbols_news_id_news"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("news_id", "symbol", name=op.f("pk_news_symbols")),
    )
    with op.batch_alter_table("news_symbols", schema=None) as batch_op:
        batch_op.create_index("ix_news_symbols_symbol", ["symbol", "news_id"], unique=False)


def downgrade() -> None:
    for name in ("news_symbols", "suggestions", "sentiments", "news", "models"):
        op.drop_table(name)
