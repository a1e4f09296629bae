"""From market data to orders: the one way that ticks go, live and in a replay."""
