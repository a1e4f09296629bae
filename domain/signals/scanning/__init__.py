"""Finding patterns in bars, and what came of them before."""
