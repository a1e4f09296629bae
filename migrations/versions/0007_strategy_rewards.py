"""How many closed trades of a strategy its engine was told of.

Revision: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "strategy_rewards",
        sa.Column("strategy_id", sa.String(length=36), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("strategy_id", "account", name=op.f("pk_strategy_rewards")),
    )


def downgrade() -> None:
    op.drop_table("strategy_rewards")
