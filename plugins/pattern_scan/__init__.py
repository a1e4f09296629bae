"""Candlestick patterns over stored bars, with TA-Lib."""
