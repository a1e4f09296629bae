"""The pattern engine: reads ticks from Redis, finds patterns, and writes signals."""
