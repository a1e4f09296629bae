"""Asking a broker whether somebody must log in, and where."""

from __future__ import annotations

from typing import Any

from adapters.http.services import TradingServices
from domain.common.errors import Unavailable
from domain.trading.brokerage import SessionState


def ask_login(trading: TradingServices, account: str) -> dict[str, Any]:
    """Return whether somebody must log in at an account's broker, and the link; waits for the broker.

    Raises:
        Unavailable: no process has the broker open, or it does not answer.
    """
    session = trading.ask(account, "login")
    if session["state"] == SessionState.DOWN:
        raise Unavailable(str(session["detail"]) or "the broker does not answer", code="broker_unavailable")
    status = "logged_in" if session["state"] == SessionState.CONNECTED else "login_required"
    told = {name: session[name] for name in ("login_url", "warning", "user", "expires_at")}
    return {"account": account, "status": status, **told}
