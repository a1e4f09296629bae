"""Notifications by e-mail, chat, push or webhook through apprise (https://github.com/caronc/apprise)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from domain.common.errors import Invalid, Unavailable


class AppriseNotifier:
    """Sends to every target; each is an apprise URL, such as ``json://host/path`` or ``mailto://…``.

    Raises:
        Invalid: apprise is not installed, or does not know a URL.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            from apprise import Apprise
        except ImportError:
            raise Invalid("notifications need apprise; run: pip install 'aitrader[notify]'") from None
        for name in ("apprise", "urllib3"):  # below a warning they log URLs, which hold tokens
            logging.getLogger(name).setLevel(logging.WARNING)
        self._targets = Apprise()
        for number, url in enumerate(urls, 1):
            if not _add_quietly(self._targets, url):
                # Any part of what is no URL may be a token, so only its place is named.
                raise Invalid(
                    f"AITRADER_NOTIFY_URLS: apprise does not know URL number {number}; "
                    "see https://github.com/caronc/apprise/wiki for how it is written"
                )

    def send(self, subject: str, body: str) -> None:
        """Deliver to every target."""
        if not self._targets.notify(title=subject, body=body):
            raise Unavailable("a notification target did not answer", code="notifier_unavailable")


def _add_quietly(targets: Any, url: str) -> bool:
    # apprise repeats a URL that it cannot read in the log.
    logger = logging.getLogger("apprise")
    logger.disabled, before = True, logger.disabled
    try:
        return bool(targets.add(url))
    finally:
        logger.disabled = before
