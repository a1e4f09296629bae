"""The notifier of an installation that named no other: a warning in the log."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class LogNotifier:
    """Writes notifications to the log."""

    def send(self, subject: str, body: str) -> None:
        """Log the notification."""
        log.warning("notification", extra={"subject": subject, "body": body})
