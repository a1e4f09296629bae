"""An example plugin for AITrader."""
