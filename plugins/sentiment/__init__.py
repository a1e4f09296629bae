"""Scores texts and news, and adds up what they say about each symbol."""
