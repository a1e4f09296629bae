"""Who is asking."""

from __future__ import annotations

from collections.abc import Callable


def local_owner(user_id: str) -> Callable[[], str]:
    """Return ``principal()``: the user a request or socket acts as. The only place that decides it.

    Until there are logins, everyone who reaches the server is its local owner.
    """

    def principal() -> str:
        return user_id

    return principal
