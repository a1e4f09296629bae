"""Telling a person that a broker wants a login, or has been away for a while."""

from __future__ import annotations

from collections.abc import Callable

from domain.trading.brokerage import BrokerSession, SessionState

AWAY_MS = 60_000


class SessionAlerts:
    """Watches one account's session. Tells once per trouble, and once that it is over; not safe for threads.

    A login is asked for at once; a broker that is down for less than a minute is nobody's business.

    Args:
        account: the account's id.
        notify: tells a person, with a subject and a text.
    """

    def __init__(self, account: str, notify: Callable[[str, str], None]) -> None:
        self._account = account
        self._notify = notify
        self._told: SessionState | None = None
        self._down_since: int | None = None

    def see(self, session: BrokerSession, now: int) -> None:
        """Take note of how we stand; milliseconds UTC."""
        state = session.state
        if state is not SessionState.DOWN:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        if state is SessionState.CONNECTED:
            if self._told is not None:
                self._notify(f"broker of {self._account} is back", "orders that waited are sent now")
            self._told = None
        elif state is not self._told and (self._down_since is None or now - self._down_since >= AWAY_MS):
            self._told = state
            self._notify(*_words(self._account, session))


def _words(account: str, session: BrokerSession) -> tuple[str, str]:
    if session.state is SessionState.NEEDS_LOGIN:
        # No link: it is as good as the login, and alerts pass through the hands of others.
        return f"broker of {account} wants a login", f"orders wait; log in with: aitrader accounts login {account}"
    return f"broker of {account} is away", f"orders wait: {session.detail}"
