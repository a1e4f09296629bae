"""Which addresses this installation may listen on, and whether somebody could log in there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.common.errors import Conflict
from domain.identity.model import Role, User
from domain.identity.users import OWNER

if TYPE_CHECKING:
    from aitrader.container import Container


def exposure(container: Container) -> str | None:
    """Return why this installation must not listen where the settings say, and what to do; None when it may.

    Beyond this machine, passwords and tokens need an encrypted way, and an administrator must have a password: the
    login link of the first start is printed on this machine only.
    """
    settings = container.settings()
    if settings.loopback:
        return None
    if settings.tls_cert is None and not settings.trusted_proxies:
        return (
            f"will not listen on {settings.host or 'all addresses'} unencrypted: set AITRADER_TLS_CERT and "
            "AITRADER_TLS_KEY, or AITRADER_TRUSTED_PROXIES to the address of the HTTPS proxy in front, "
            "or AITRADER_HOST=127.0.0.1"
        )
    if not any(_can_log_in(user) for user in container.find_user().all()):
        return (
            f"will not listen on {settings.host or 'all addresses'} while no administrator has a password: set one "
            f"with: aitrader user password {OWNER}"
        )
    return None


def _can_log_in(user: User) -> bool:
    return user.role is Role.ADMIN and user.disabled_at is None and user.password_hash is not None


def require_safe_bind(container: Container) -> None:
    """Check that the API may listen where the settings say; the database must be migrated.

    Raises:
        Conflict: it would be open to others unprotected; the message says what to do.
    """
    reason = exposure(container)
    if reason is not None:
        raise Conflict(reason, code="unsafe_bind")
