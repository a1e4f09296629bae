"""The built-in sentiment engine: words of finance and how they combine, weighed by training."""
