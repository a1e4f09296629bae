from __future__ import annotations

import pytest

from aitrader.alerts import GuardedNotifier
from domain.common.errors import Denied, Unavailable


class Inner:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, subject: str, body: str) -> None:
        self.sent.append(subject)


class Hosts:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int, bool]] = []

    def check_host(self, host: str, port: int, *, operator: bool = False) -> tuple[str, ...]:
        self.asked.append((host, port, operator))
        if host.startswith("169.254."):
            raise Denied("no")
        return ("10.0.0.1",)


def test_webhooks_are_looked_at_before_each_alert() -> None:
    inner, hosts = Inner(), Hosts()
    notifier = GuardedNotifier(inner, ["json://hook.internal:8080/x", "jsons://u:p@other/x"], hosts)
    notifier.send("a", "b")
    assert inner.sent == ["a"]
    assert hosts.asked == [("hook.internal", 8080, True), ("other", 80, True)]


def test_nothing_goes_where_no_alert_may_go() -> None:
    inner = Inner()
    with pytest.raises(Unavailable) as caught:
        GuardedNotifier(inner, ["json://fine/", "json://169.254.169.254/s3cr3t"], Hosts()).send("a", "b")
    assert (caught.value.code, inner.sent) == ("notifier_denied", [])
    assert "number 2" in caught.value.detail
    assert "s3cr3t" not in caught.value.detail


def test_a_host_that_may_be_a_token_is_never_looked_up() -> None:
    inner, hosts = Inner(), Hosts()
    GuardedNotifier(inner, ["tgram://bottoken/chat", "slack://a/b/c"], hosts).send("a", "b")
    assert (inner.sent, hosts.asked) == (["a"], [])
