"""Training models, and judging them where they had not looked."""
