"""What only a person may do: somebody who logged in, and proves again who they are."""

from __future__ import annotations

from adapters.http.identity import principal
from adapters.http.state import HttpState
from domain.common.errors import Denied
from domain.identity.model import Principal


def require_person() -> Principal:
    """Return who asks.

    Raises:
        Denied: a token asks; programs may not do this.
    """
    who = principal()
    if not who.is_session:
        raise Denied("a person must do this, logged in with a browser; no token may", code="person_required")
    return who


async def require_password(state: HttpState, password: str) -> Principal:
    """Return who asks, after they proved again to be it.

    Raises:
        Denied: a token asks, or the password is wrong.
        TooManyAttempts: it was wrong too often.
    """
    who = require_person()
    await state.logins(state.services.trading.reauthenticate, who.user_id, password)
    return who
