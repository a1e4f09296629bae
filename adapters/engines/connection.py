"""Connections to one engine. A call ends at a time, however slowly the engine sends its head and body."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import httpcore2
import httpx2

_CHUNK = 65_536

# Returns the addresses of a host that may be connected to. It may raise an AITraderError.
FindHost = Callable[[str, int], Sequence[str]]

# What goes wrong with connections.
FAILURES = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)


class TooMuch(Exception):
    """The answer is longer than it may be."""


class Connections:
    """Connections to one address, kept open between calls. Safe for threads.

    Args:
        url: of the engine; may end in a path, which calls begin with.
        most: how many there may be at once.
        headers: sent with each call.
        find_host: says which addresses the host has; None asks the system.
    """

    def __init__(self, url: str, most: int, headers: Mapping[str, str], find_host: FindHost | None) -> None:
        parsed = httpx2.URL(url)
        self.host = parsed.netloc.decode("ascii")
        self._scheme = parsed.raw_scheme
        self._name = parsed.raw_host
        self._port = parsed.port
        self._path = parsed.raw_path.rstrip(b"/")
        self._headers = _headers(parsed, headers)
        self._ends = _Ends()
        backend = _Backend(self._ends, find_host)
        self._pool = httpcore2.ConnectionPool(
            max_connections=most, max_keepalive_connections=most, network_backend=backend
        )

    def ask(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Mapping[str, str] | None,
        ends_at: float,
        most_bytes: int,
    ) -> tuple[int, bytes]:
        """Return the status and body of an answer, whole by ``ends_at`` on the monotonic clock.

        Raises:
            TooMuch: the body is longer than ``most_bytes``.
            AITraderError: the host must not be connected to.
            One of `FAILURES`: no whole answer in time.
        """
        target = self._path + path.encode("ascii") + (b"?" + urlencode(params).encode("ascii") if params else b"")
        url = httpcore2.URL(scheme=self._scheme, host=self._name, port=self._port, target=target)
        headers = list(self._headers)
        if method != "GET":
            headers.append((b"Content-Length", b"%d" % len(content or b"")))
        if content is not None:
            headers.append((b"Content-Type", b"application/json"))
        self._ends.at = ends_at
        pool_timeout = {"timeout": {"pool": self._ends.left(httpcore2.PoolTimeout)}}
        with self._pool.stream(method, url, headers=headers, content=content, extensions=pool_timeout) as response:
            found = bytearray()
            for chunk in response.iter_stream():
                found += chunk
                if len(found) > most_bytes:
                    raise TooMuch
            return response.status, bytes(found)

    def close(self) -> None:
        """Close them."""
        self._pool.close()


def _headers(url: httpx2.URL, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    found = {"Accept": "application/json", "User-Agent": "aitrader"}
    if url.userinfo:
        found["Authorization"] = "Basic " + base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    found |= more
    pairs = [(name.encode("ascii"), value.encode("utf-8")) for name, value in found.items()]
    return [(b"Host", url.netloc), *pairs]


class _Ends(threading.local):
    """When the call of this thread ends: a connection is kept, and used by one thread at a time."""

    at: float = 0.0

    def left(self, error: type[httpcore2.TimeoutException]) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            raise error("the time is over")
        return left


class _Backend(httpcore2.NetworkBackend):
    """Connects to addresses that were looked at, and only until the call ends."""

    def __init__(self, ends: _Ends, find_host: FindHost | None) -> None:
        self._ends = ends
        self._find_host = find_host
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
        for address in (host,) if self._find_host is None else self._find_host(host, port):
            try:
                left = self._ends.left(httpcore2.ConnectTimeout)
                stream = self._real.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Timed(stream, self._ends)
        raise failure


class _Timed(httpcore2.NetworkStream):
    """A stream that ends with the call that uses it."""

    def __init__(self, stream: httpcore2.NetworkStream, ends: _Ends) -> None:
        self._stream = stream
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(min(max_bytes, _CHUNK), self._ends.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._ends.left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._ends.left(httpcore2.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
