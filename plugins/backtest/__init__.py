"""Backtests: three classic strategies and the job that runs a strategy over stored bars."""
