"""Notifications by e-mail, chat, push or webhook through apprise (https://github.com/caronc/apprise)."""

from __future__ import annotations

from collections.abc import Sequence

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
        self._targets = Apprise()
        for url in urls:
            if not self._targets.add(url):
                # The URL may hold a token, so only its scheme is named.
                raise Invalid(f"AITRADER_NOTIFY_URLS: apprise does not know this {url.split(':', 1)[0]}:// URL")

    def send(self, subject: str, body: str) -> None:
        """Deliver to every target."""
        if not self._targets.notify(title=subject, body=body):
            raise Unavailable("a notification target did not answer", code="notifier_unavailable")
