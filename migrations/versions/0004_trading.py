"""Trading: accounts, positions, limits, switches, leases, and all that an order needs.

Revision: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('new','sending','unknown','accepted','partially_filled')")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("broker", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("currency", sa.String(length=8), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("approval_required", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("approval_strategies", sa.Text(), nullable=False),
        sa.Column("approval_minutes", sa.Integer(), nullable=False),
        sa.Column("starting_cash", sa.Text(), server_default="0", nullable=False),
        sa.Column("baseline_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("halted", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("mode IN ('paper','live')", name=op.f("ck_accounts_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accounts_user_id"), ["user_id"], unique=False)

    op.create_table(
        "positions",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("lots", sa.Text(), nullable=False),
        sa.Column("realized_pnl", sa.Text(), nullable=False),
        sa.Column("fees", sa.Text(), nullable=False),
        sa.Column("opening_quantity", sa.Text(), nullable=False),
        sa.Column("opening_price", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", name=op.f("pk_positions")),
    )
    op.create_table(
        "quotes",
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("bid", sa.Text(), nullable=True),
        sa.Column("ask", sa.Text(), nullable=True),
        sa.Column("volume", sa.Text(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_quotes")),
    )
    op.create_table(
        "switches",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("engaged", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("flatten", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_switches")),
    )
    op.create_table(
        "armings",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("armed_by", sa.String(length=160), nullable=False),
        sa.Column("armed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_armings_account_accounts")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_armings")),
    )
    op.create_table(
        "broker_journal",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_broker_journal_account_accounts")),
        sa.PrimaryKeyConstraint("account", "seq", name=op.f("pk_broker_journal")),
    )
    op.create_table(
        "broker_states",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_broker_states_account_accounts")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_broker_states")),
    )
    op.create_table(
        "desk_leases",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("seen_epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_desk_leases_account_accounts")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_desk_leases")),
    )
    op.create_table(
        "desk_requests",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_desk_requests_account_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_requests")),
    )
    with op.batch_alter_table("desk_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_requests_account"), ["account"], unique=False)

    op.create_table(
        "equity_points",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cash", sa.Text(), nullable=False),
        sa.Column("equity", sa.Text(), nullable=True),
        sa.Column("realized_pnl", sa.Text(), nullable=False),
        sa.Column("unrealized_pnl", sa.Text(), nullable=True),
        sa.Column("fees", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_equity_points_account_accounts")),
        sa.PrimaryKeyConstraint("account", "at", name=op.f("pk_equity_points")),
    )
    op.create_table(
        "order_events",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("filled_quantity", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_events_order_id_orders")),
        sa.PrimaryKeyConstraint("order_id", "seq", name=op.f("pk_order_events")),
    )
    op.create_table(
        "risk_limits",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("strategy", sa.String(length=64), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_risk_limits_account_accounts")),
        sa.PrimaryKeyConstraint("account", "strategy", name=op.f("pk_risk_limits")),
    )
    op.create_table(
        "vaults",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_vaults_account_accounts")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_vaults")),
    )
    with op.batch_alter_table("fills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("account", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("symbol", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("side", sa.String(length=4), server_default="", nullable=False))
        batch_op.alter_column(
            "broker_fill_id", existing_type=sa.String(length=64), type_=sa.String(length=128), existing_nullable=False
        )
        batch_op.drop_constraint(batch_op.f("uq_fills_order_id_broker_fill_id"), type_="unique")
        batch_op.create_index("ix_fills_account_filled_at", ["account", "filled_at"], unique=False)
        batch_op.create_index("ix_fills_account_symbol", ["account", "symbol"], unique=False)
        batch_op.create_index(batch_op.f("ix_fills_order_id"), ["order_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_fills_account_broker_fill_id"), ["account", "broker_fill_id"]
        )

    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason_code", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("origin", sa.String(length=16), server_default="manual", nullable=False))
        batch_op.add_column(sa.Column("approval", sa.String(length=16), server_default="not_needed", nullable=False))
        batch_op.add_column(sa.Column("approval_expires_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("reference_price", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("send_by", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("sent_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("unknown_since", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("absent_reads", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("cancel_requested_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("change", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("change_sent_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("trace", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_orders_account_broker_order_id", ["account", "broker_order_id"], unique=False)
        batch_op.create_index("ix_orders_account_created_at", ["account", "created_at"], unique=False)
        batch_op.create_index("ix_orders_account_sent_at", ["account", "sent_at"], unique=False)
        batch_op.create_index(
            "ix_orders_open", ["account", "id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
        )

    # Sending locks this row; without it nothing may be sent.
    switches = sa.table(
        "switches",
        *(sa.column(name) for name in ("scope", "engaged", "epoch", "flatten", "actor", "reason", "changed_at")),
    )
    op.bulk_insert(
        switches,
        [
            {
                "scope": "global",
                "engaged": False,
                "epoch": 0,
                "flatten": False,
                "actor": "",
                "reason": "",
                "changed_at": 0,
            }
        ],
    )


def downgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("ix_orders_open", sqlite_where=_OPEN, postgresql_where=_OPEN)
        batch_op.drop_index("ix_orders_account_sent_at")
        batch_op.drop_index("ix_orders_account_created_at")
        batch_op.drop_index("ix_orders_account_broker_order_id")
        batch_op.drop_column("trace")
        batch_op.drop_column("change_sent_at")
        batch_op.drop_column("change")
        batch_op.drop_column("cancel_requested_at")
        batch_op.drop_column("absent_reads")
        batch_op.drop_column("unknown_since")
        batch_op.drop_column("sent_at")
        batch_op.drop_column("send_by")
        batch_op.drop_column("reference_price")
        batch_op.drop_column("approval_expires_at")
        batch_op.drop_column("approval")
        batch_op.drop_column("origin")
        batch_op.drop_column("reason_code")

    with op.batch_alter_table("fills", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_fills_account_broker_fill_id"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_fills_order_id"))
        batch_op.drop_index("ix_fills_account_symbol")
        batch_op.drop_index("ix_fills_account_filled_at")
        batch_op.create_unique_constraint(
            batch_op.f("uq_fills_order_id_broker_fill_id"), ["order_id", "broker_fill_id"]
        )
        batch_op.alter_column(
            "broker_fill_id", existing_type=sa.String(length=128), type_=sa.String(length=64), existing_nullable=False
        )
        batch_op.drop_column("side")
        batch_op.drop_column("symbol")
        batch_op.drop_column("account")

    op.drop_table("vaults")
    op.drop_table("risk_limits")
    op.drop_table("order_events")
    op.drop_table("equity_points")
    with op.batch_alter_table("desk_requests", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_desk_requests_account"))

    op.drop_table("desk_requests")
    op.drop_table("desk_leases")
    op.drop_table("broker_states")
    op.drop_table("broker_journal")
    op.drop_table("armings")
    op.drop_table("switches")
    op.drop_table("quotes")
    op.drop_table("positions")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_accounts_user_id"))

    op.drop_table("accounts")
