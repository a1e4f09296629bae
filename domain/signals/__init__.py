"""Signals: what patterns, models and other programs think of a symbol; never an order."""
