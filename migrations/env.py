"""Runs migrations on the connection that ``adapters.db.migrations`` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy.types import TypeDecorator

from adapters.db.schema import metadata


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | bool:
    """Write our column types as what they are in SQL: a migration never imports the models."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl.__class__.__name__}()"
    return False


connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=render_item,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
