"""Headers that every response has."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.http.network import Remote

Pairs = list[tuple[bytes, bytes]]

_ALWAYS: Pairs = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_EXPOSED = "ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-ID"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


class ResponseHeaders:
    """The headers of the responses to one request.

    Args:
        cross_origin: the listed origin that asks, whose pages may read the answer; never with cookies.
    """

    def __init__(self, identifier: str, remote: Remote, cross_origin: str | None) -> None:
        self.cross_origin = cross_origin
        self._identifier = identifier.encode()
        self._secure = remote.secure

    def to(self, headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
        """Return the headers of a response with ours added; its own stay."""
        result = list(headers)
        present = {name.lower() for name, _ in result}
        result += [pair for pair in _ALWAYS if pair[0] not in present]
        result.append((b"x-request-id", self._identifier))
        if self._secure:
            result.append(_HSTS)
        if self.cross_origin is not None:
            result.append((b"access-control-allow-origin", self.cross_origin.encode()))
            result.append((b"access-control-expose-headers", _EXPOSED.encode()))
            result.append((b"vary", b"Origin"))
        return result

    def preflight(self) -> dict[str, str]:
        """Return the headers that answer the question of a browser before it sends a request."""
        return dict(_PREFLIGHT)
