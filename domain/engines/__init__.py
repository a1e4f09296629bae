"""Servers that AITrader talks to and can also be."""
