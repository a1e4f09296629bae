"""Requests to URLs that someone has set, kept away from what only this machine and its network may reach (SSRF).

The name is resolved once, every address it has is checked, and the connection goes to a checked address: a name
server that changes its answer changes nothing. Redirects are not followed, proxies of the environment not used, and
an answer is neither unpacked nor read beyond a limit.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import httpx2

from adapters.security.addresses import PrivateHosts, parse_address, reasons
from domain.common.errors import Denied, Invalid, TooLarge, Unavailable

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(rb"[A-Za-z0-9._:-]+")
_CHUNK = 65_536

# Returns the addresses of a host, as text.
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    Raises:
        OSError: it has none, or the name server does not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, and the addresses that may be connected to."""

    url: httpx2.URL = field(repr=False)
    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class GuardedUrls:
    """Checks URLs and reads them.

    Args:
        private_hosts: names, addresses and networks that URLs of users may lead to although they are private.
        timeout_s: how long connecting, asking and reading may take together.
        most_bytes: how much of an answer is read at most.
    """

    def __init__(
        self,
        private_hosts: Sequence[str] = (),
        *,
        resolve: Resolve = resolve,
        timeout_s: float = 5.0,
        most_bytes: int = 1 << 20,
    ) -> None:
        self._private = PrivateHosts(private_hosts)
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes

    def check(self, url: str, *, operator: bool = False) -> Target:
        """Return where a URL leads.

        Args:
            operator: it was set by whoever runs this installation, in its environment: private hosts and credentials
                in the URL are allowed, link-local and metadata addresses are not.

        Raises:
            Invalid: not an HTTP URL, or one with credentials.
            Denied: it leads where it must not.
            Unavailable: its host has no address.
        """
        parsed = _parse(url)
        if parsed.userinfo and not operator:
            raise Invalid("the URL must not hold a user or password", code="url_with_credentials")
        port = parsed.port or _PORTS[parsed.scheme]
        return Target(parsed, parsed.host, port, self.check_host(parsed.host, port, operator=operator))

    def check_host(self, host: str, port: int, *, operator: bool = False) -> tuple[str, ...]:
        """Return the addresses of a host, all of them allowed.

        Raises:
            Denied: one of them is not.
            Unavailable: it has none.
        """
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise Unavailable(f"the host {host[:253]!r} has no address", code="url_unreachable")
        for text in found:
            reason = self._reason(host, text, operator)
            if reason:
                raise Denied(f"the host {host[:253]!r} leads to an address that is {reason}", code="url_denied")
        return tuple(found)

    def get(self, url: str, *, operator: bool = False, timeout_s: float | None = None) -> Answer:
        """Return what a URL answers, also an error or a redirect.

        Raises:
            Invalid, Denied: as for ``check``.
            TooLarge: the answer is larger than the limit.
            Unavailable: no answer in time.
        """
        with self._open(self.check(url, operator=operator), timeout_s) as response:
            body = bytearray()
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > self._most_bytes:
                    raise TooLarge(f"the answer is larger than {self._most_bytes} bytes", code="answer_too_large")
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in response.headers}
        return Answer(response.status, headers, bytes(body))

    def status(self, url: str, *, operator: bool = False, timeout_s: float | None = None) -> int:
        """Return the status that a URL answers with; the rest of the answer is not read.

        Raises:
            Invalid, Denied, Unavailable: as for ``get``.
        """
        with self._open(self.check(url, operator=operator), timeout_s) as response:
            return response.status

    def _reason(self, host: str, text: str, operator: bool) -> str | None:
        address = parse_address(text)
        never, not_for_users = reasons(address)
        if never or operator or self._private.holds(host, address):
            return never
        return not_for_users

    @contextmanager
    def _open(self, target: Target, timeout_s: float | None) -> Iterator[httpcore2.Response]:
        ends_at = time.monotonic() + (timeout_s or self._timeout_s)
        url = httpcore2.URL(
            scheme=target.url.raw_scheme, host=target.url.raw_host, port=target.port, target=target.url.raw_path
        )
        backend = _Pinned(target.addresses, ends_at)
        try:
            with (
                httpcore2.ConnectionPool(network_backend=backend) as pool,
                pool.stream("GET", url, headers=_headers(target.url)) as response,
            ):
                yield response
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Unavailable(f"no answer: {type(error).__name__}", code="url_unreachable") from error


def _parse(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError):
        raise Invalid("not a URL such as https://host/path", code="bad_url") from None
    if parsed.scheme not in _PORTS or not _HOST.fullmatch(parsed.raw_host) or not 0 < (parsed.port or 1) < 65_536:
        raise Invalid("the URL must begin with http:// or https:// and name a host", code="bad_url")
    return parsed


def _headers(url: httpx2.URL) -> dict[bytes | str, bytes | str]:
    headers: dict[bytes | str, bytes | str] = {"Host": url.netloc, "Accept": "*/*", "User-Agent": "aitrader"}
    if url.userinfo:
        pair = f"{url.username}:{url.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
    return headers


class _Pinned(httpcore2.NetworkBackend):
    """Connects to the addresses that were checked, whatever the name leads to by now, and only until a time."""

    def __init__(self, addresses: Sequence[str], ends_at: float) -> None:
        self._addresses = addresses
        self._ends_at = ends_at
        self._real = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: httpcore2.NetworkError | httpcore2.TimeoutException = httpcore2.ConnectError("no address")
        for address in self._addresses:
            try:
                left = _left(self._ends_at, httpcore2.ConnectTimeout)
                stream = self._real.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Timed(stream, self._ends_at)
        raise failure


class _Timed(httpcore2.NetworkStream):
    """A stream that ends at a time: a server that sends a byte a second would otherwise hold us for ever."""

    def __init__(self, stream: httpcore2.NetworkStream, ends_at: float) -> None:
        self._stream = stream
        self._ends_at = ends_at

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(min(max_bytes, _CHUNK), _left(self._ends_at, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._ends_at, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(self._ends_at, httpcore2.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._ends_at)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(ends_at: float, error: type[httpcore2.TimeoutException]) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise error("the time is over")
    return left
