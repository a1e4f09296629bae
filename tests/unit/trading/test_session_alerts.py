from __future__ import annotations

import pytest

from domain.trading.brokerage import BrokerSession, SessionState
from domain.trading.session_alerts import SessionAlerts

UP = BrokerSession(SessionState.CONNECTED)
LOGIN = BrokerSession(SessionState.NEEDS_LOGIN, login_url="https://broker.example/login?session_id=secret")
DOWN = BrokerSession(SessionState.DOWN, "the connection was refused")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def alerts(told: list[str]) -> SessionAlerts:
    return SessionAlerts("kite", lambda subject, body: told.append(f"{subject}: {body}"))


def test_a_login_is_asked_for_at_once_and_once_without_the_link(alerts: SessionAlerts, told: list[str]) -> None:
    for at in range(0, 100_000, 2_000):
        alerts.see(LOGIN, at)
    assert told == ["broker of kite wants a login: orders wait; log in with: aitrader accounts login kite"]


def test_a_short_absence_is_nobodys_business(alerts: SessionAlerts, told: list[str]) -> None:
    for at in (0, 30_000, 59_999):
        alerts.see(DOWN, at)
    alerts.see(UP, 60_000)
    alerts.see(DOWN, 61_000)
    assert told == []


def test_a_long_absence_is_told_once_and_so_is_its_end(alerts: SessionAlerts, told: list[str]) -> None:
    for at in (0, 60_000, 120_000):
        alerts.see(DOWN, at)
    alerts.see(UP, 130_000)
    alerts.see(UP, 140_000)
    assert [text.partition(":")[0] for text in told] == ["broker of kite is away", "broker of kite is back"]
    assert "refused" in told[0]


def test_a_broker_that_comes_back_without_its_login_is_told_of_twice(alerts: SessionAlerts, told: list[str]) -> None:
    alerts.see(DOWN, 0)
    alerts.see(DOWN, 60_000)
    alerts.see(LOGIN, 70_000)
    assert len(told) == 2
    assert "wants a login" in told[1]
