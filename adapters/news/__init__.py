"""News in files: CSV, JSON lines, RSS and Atom."""
