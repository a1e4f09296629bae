"""Alerts, kept away from addresses that no alert is meant for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from domain.common.errors import Denied, Unavailable
from domain.common.notify import Notifier

# The host part of other apprise URLs may be a token, which must not be looked up by name.
_WITH_HOST = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises", "gotify", "gotifys"})


class Hosts(Protocol):
    """Checks where hosts lead."""

    def check_host(self, host: str, port: int, *, operator: bool = False) -> tuple[str, ...]:
        """Return the addresses of a host, all of them allowed."""
        ...


class GuardedNotifier:
    """Checks where webhooks lead before each alert; the URLs are the operator's, so private hosts are allowed."""

    def __init__(self, notifier: Notifier, urls: Sequence[str], hosts: Hosts) -> None:
        self._notifier = notifier
        self._hosts = hosts
        self._webhooks = [parts for url in urls if (parts := urlsplit(url)).scheme in _WITH_HOST and parts.hostname]

    def send(self, subject: str, body: str) -> None:
        """Deliver to every target; to none when one leads where it must not."""
        for number, parts in enumerate(self._webhooks, 1):
            try:
                self._hosts.check_host(str(parts.hostname), parts.port or 80, operator=True)
            except Denied as error:
                raise Unavailable(
                    f"AITRADER_NOTIFY_URLS: webhook number {number} leads to an address that no alert may go to",
                    code="notifier_denied",
                ) from error
        self._notifier.send(subject, body)
