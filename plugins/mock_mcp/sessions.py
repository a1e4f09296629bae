"""Sessions and logins: a login belongs to one session id, and a restart forgets both."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from urllib.parse import quote

LIFE_MS = 12 * 3_600_000
LINK_MS = 30 * 60_000


@dataclass(slots=True)
class Session:
    """A client's session. ``greeted``: it was told once that it must log in."""

    id: str
    expires_at: int
    logged_in: bool
    greeted: bool = False


class Sessions:
    """The living sessions. Not safe for threads.

    Args:
        logged_in: whether a new session is logged in from the start.
    """

    def __init__(self, *, logged_in: bool) -> None:
        self._all_in = logged_in
        self._key = secrets.token_bytes(32)
        self._living: dict[str, Session] = {}
        self._ended: set[str] = set()

    def begin(self, now: int, session_id: str | None = None) -> Session:
        """Make a session; one with a known id is one from before a restart, and logged in."""
        session = Session(
            session_id or f"kitemcp-{uuid.uuid4()}", now + LIFE_MS, self._all_in or session_id is not None
        )
        self._living[session.id] = session
        return session

    def find(self, session_id: str, now: int) -> Session | None:
        """Return a living session."""
        session = self._living.get(session_id)
        if session is not None and session.expires_at <= now:
            self.end(session_id)
            return None
        return session

    def ended(self, session_id: str) -> bool:
        """Return whether a session was there once."""
        return session_id in self._ended

    def end(self, session_id: str | None = None) -> None:
        """End a session; None: all."""
        for known in [session_id] if session_id else list(self._living):
            if self._living.pop(known, None) is not None:
                self._ended.add(known)

    def log_out(self) -> None:
        """End all logins; the sessions go on."""
        for session in self._living.values():
            session.logged_in = False

    def __len__(self) -> int:
        return len(self._living)

    def link(self, base: str, session: Session, now: int) -> str:
        """Return where a person logs a session in."""
        signed = self._sign(session.id, now // 1000)
        return f"{base}/connect/login?api_key=mock&v=3&redirect_params={quote(f'session_id={signed}', safe='')}"

    def log_in(self, signed: str, now: int) -> bool:
        """Log the session of a signed id in; return False when it is not ours, or too old."""
        session_id, _, rest = signed.partition("|")
        made = rest.partition(".")[0]
        session = self.find(session_id, now)
        if (
            session is None
            or not made.isdigit()
            or not hmac.compare_digest(signed, self._sign(session_id, int(made)))
        ):
            return False
        if now - int(made) * 1000 > LINK_MS:
            return False
        session.logged_in = True
        return True

    def _sign(self, session_id: str, made: int) -> str:
        signature = hmac.new(self._key, f"{session_id}|{made}".encode(), hashlib.sha256).digest()
        return f"{session_id}|{made}.{base64.urlsafe_b64encode(signature).decode()}"
