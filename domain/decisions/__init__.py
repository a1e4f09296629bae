"""Decisions: what a strategy makes of a signal, and how much of it becomes an order."""
