"""Instruments and prices: symbols, timeframes and bars as columns."""
