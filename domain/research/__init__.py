"""Research: backtests and patterns over stored bars."""
