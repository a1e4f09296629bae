"""Engines of others, over HTTP."""
