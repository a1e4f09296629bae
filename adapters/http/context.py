"""Facts of the request being answered, for logs, problem responses and whoever must know who asks."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

from adapters.http.network import Remote

request_id: ContextVar[str] = ContextVar("request_id", default="")
request_path: ContextVar[str] = ContextVar("request_path", default="")
remote: ContextVar[Remote] = ContextVar("remote", default=Remote())  # noqa: B039 - it is frozen

_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_from(header: bytes | None) -> str:
    """Return the client's request id if it is harmless in a log, else a new one."""
    if header is not None and _ACCEPTABLE.fullmatch(header):
        return header.decode("ascii")
    return f"{random.getrandbits(128):032x}"
