"""The metadata of the whole schema, once every module that adds tables to it has been imported."""

from adapters.db import decision_tables, intelligence_tables, signal_tables, tables, trading_tables

metadata = tables.metadata
assert trading_tables.orders.metadata is signal_tables.signals.metadata is metadata
assert decision_tables.decisions.metadata is metadata
assert intelligence_tables.models.metadata is metadata
