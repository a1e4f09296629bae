"""Runs the application on Hypercorn, and stops it in time.

Hypercorn's own ``serve`` waits for every connection to close before its graceful timeout begins (on Python >= 3.12),
so one open or dead WebSocket would hold up a stop for ever. Here its connection handling is used, but listening and
stopping are ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol import h11 as hypercorn_h11
from hypercorn.protocol import ws_stream
from hypercorn.protocol.events import StreamClosed
from hypercorn.utils import wrap_app
from quart import Quart

from adapters.http.app import state_of
from adapters.http.corked import CorkedWriter
from domain.common.errors import Invalid

log = logging.getLogger(__name__)

_ABORT_S = 1.0
_DEAD_PEER_MS = 20_000
_HANDSHAKE_S = 5.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class Stop(Protocol):
    """An ``asyncio.Event``, or something like it."""

    async def wait(self) -> Any:
        """Return when the server is to stop."""
        ...


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop where it is installed, else the standard loop: for ``asyncio.Runner(loop_factory=…)``."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        Invalid: the address cannot be listened on; the message says what to change.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise Invalid(f"there is no address {host!r} to listen on: {error}", code="bad_host") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that has vanished holds its connection no longer
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    listener.setblocking(False)
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> Invalid:
    if error.errno == errno.EADDRINUSE:
        return Invalid(
            f"port {port} is in use; stop the other program, or choose another port with PORT={port + 1}",
            code="port_in_use",
        )
    if error.errno == errno.EACCES:
        return Invalid(f"not allowed to use port {port}; choose one above 1023 with PORT=8000", code="port_denied")
    return Invalid(f"cannot listen on {host}:{port}: {error.strerror or error}", code="bad_host")


async def serve(
    app: Quart,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    ready: Callable[[str], None],
    stop: Stop,
    listener: socket.socket | None = None,
    drain_s: float = 0.0,
    grace_s: float = 3.0,
    tls: tuple[Path, Path] | None = None,
    head_s: float = 5.0,
) -> None:
    """Serve until ``stop``, then end within about ``drain_s + grace_s`` + 3 seconds whatever clients do.

    Args:
        app: made by ``create_app``.
        ready: called with the base URL once requests are answered.
        listener: made by ``open_listener`` earlier, to learn of a taken port before anything else starts.
        drain_s: how long to go on answering while ``/health/ready`` says 503, for load balancers to notice.
        grace_s: how long requests in progress may take to end.
        tls: PEM files of the certificate chain and of the private key; serves HTTPS.
        head_s: how long a new connection may take to send the head of its first request.

    Raises:
        Invalid: the port is in use, or the TLS files are not usable.
    """
    context = None if tls is None else tls_context(*tls)
    listener = listener or open_listener(host, port)
    try:
        await app.startup()
        connections = _Connections(app, head_s)
        handshake_s = None if context is None else _HANDSHAKE_S
        server = await asyncio.start_server(
            connections.handle, sock=listener, ssl=context, ssl_handshake_timeout=handshake_s
        )
        try:
            ready(_url(listener, "http" if context is None else "https"))
            await stop.wait()
            await _drain(app, drain_s)
        finally:
            server.close()
            await connections.end(grace_s)
            await _shut_down(app)
    finally:
        listener.close()


async def _drain(app: Quart, drain_s: float) -> None:
    state = state_of(app)
    state.draining = True
    if drain_s > 0:
        await asyncio.sleep(drain_s)
    await state.drain()


async def _shut_down(app: Quart) -> None:
    try:
        async with asyncio.timeout(_ABORT_S):
            await app.shutdown()
    except TimeoutError:
        log.warning("background work did not end in time")
    state_of(app).close()


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return how to speak TLS: 1.2 or newer, and HTTP/1.1 inside.

    Raises:
        Invalid: the files cannot be read, or do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Invalid(f"cannot use the TLS files {certificate} and {key}: {error}", code="bad_tls") from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password; remove it and protect the file instead")  # never ask on a terminal


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    host = _WILDCARDS.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Connection(TCPServer):
    """A connection that must say soon what it wants."""

    head_s: float

    async def _idle_timeout(self) -> None:
        # Called anew after each response; the first time nothing was asked yet.
        timeout_s, self.head_s = self.head_s, self.config.keep_alive_timeout
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.context.terminated.wait(), timeout_s)
        await asyncio.shield(self._initiate_server_close())


class _Connections:
    """The open connections of a server."""

    def __init__(self, app: Quart, head_s: float) -> None:
        self._head_s = head_s
        self._config = _config()
        self._app = wrap_app(app, self._config.wsgi_max_body_size, "asgi")
        self._context = WorkerContext(None)
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        loop = asyncio.get_running_loop()
        try:
            corked: Any = CorkedWriter(writer, loop)
            connection = _Connection(self._app, loop, self._config, self._context, {}, reader, corked)
            connection.head_s = self._head_s
            await connection
        finally:
            self._open.pop(task, None)

    async def end(self, grace_s: float) -> None:
        """Let requests in progress end; then cut what is left."""
        await self._context.terminated.set()
        await self._wait(grace_s)
        for writer in self._open.values():
            writer.transport.abort()
        await self._wait(_ABORT_S)
        for task in self._open:
            task.cancel()
        await self._wait(_ABORT_S)

    async def _wait(self, timeout_s: float) -> None:
        if self._open:
            await asyncio.wait(list(self._open), timeout=timeout_s)


def _config() -> Config:
    _harden()
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    config.keep_alive_timeout = 30.0
    config.keep_alive_max_requests = 100_000
    config.websocket_max_message_size = 65_536
    config.alpn_protocols = ["http/1.1"]
    return config


async def _http1_only(_protocol: Any, _request: Any) -> None:
    return None


def _ending_refused(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Wrap ``WSStream.handle``: a refused handshake is told to the app, and its connection is closed."""

    async def wrapped(stream: Any, event: Any) -> None:
        was_closed = stream.closed
        await handle(stream, event)
        if stream.closed and not was_closed and not isinstance(event, StreamClosed):
            if stream.app_put is not None:
                await stream.app_put({"type": "websocket.disconnect", "code": 1006})
            await stream.send(StreamClosed(stream_id=stream.stream_id))

    return wrapped


def _no_extensions(_requested: Any, _supported: Any) -> None:
    return None


def _harden() -> None:
    """Change what Hypercorn has no switch for, once per process.

    Compressed frames are measured only after inflating; cleartext HTTP/2 opens a second, unguarded way in; and a
    client that sends frames before its handshake is answered leaves a handler behind that never ends.
    """
    patches: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (ws_stream, "server_extensions_handshake", lambda _original: _no_extensions),
        (hypercorn_h11.H11Protocol, "_check_protocol", lambda _original: _http1_only),
        (ws_stream.WSStream, "handle", _ending_refused),
    ]
    for owner, name, change in patches:
        original = getattr(owner, name, None)
        if original is None:
            log.warning("this Hypercorn has no %s: its hardening is not applied", name)
        elif original.__module__ != __name__:
            setattr(owner, name, change(original))


__all__ = ["Stop", "new_event_loop", "open_listener", "serve"]
