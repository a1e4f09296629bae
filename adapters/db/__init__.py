"""SQL persistence: SQLAlchemy Core over SQLite and PostgreSQL, one schema."""
