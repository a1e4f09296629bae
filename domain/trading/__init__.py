"""Orders, fills, positions, accounts and risk: the path of money."""
