"""The notifier port."""

from __future__ import annotations

from typing import Protocol


class Notifier(Protocol):
    """Tells a person something. Called from worker threads."""

    def send(self, subject: str, body: str) -> None:
        """Deliver once; delivering twice is allowed, losing is not. Text must hold no secret.

        Raises:
            Unavailable: not delivered.
        """
        ...
