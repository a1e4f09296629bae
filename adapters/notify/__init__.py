"""Notifiers: the log, and any service that apprise knows."""
